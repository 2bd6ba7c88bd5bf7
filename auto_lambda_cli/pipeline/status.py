"""What is there of a pipeline, and how it differs from what this version would make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from auto_lambda import __version__
from auto_lambda_cli.pipeline.account import Account
from auto_lambda_cli.pipeline.checks import image_parameter
from auto_lambda_cli.pipeline.parts import Part, all_parts
from auto_lambda_cli.pipeline.site import Site

_HEALTHY = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


@dataclass(frozen=True, slots=True)
class StackStatus:
    """The stack of a part. ``template``: whether it is this version's; ``status`` is None if there is no stack."""

    stack: str
    status: str | None
    template: Literal["this version's", "another", "none"]


@dataclass(frozen=True, slots=True)
class PipelineStatus:
    """A pipeline. ``version`` made it last, and is None if that is not known; ``layout`` is older in a single stack."""

    pipeline: str
    account: str
    region: str
    version: str | None
    layout: Literal["five stacks", "one stack"]
    image: str | None
    stacks: tuple[StackStatus, ...]
    outputs: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Whether every stack is there and whole."""
        return all(stack.status in _HEALTHY for stack in self.stacks)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {**asdict(self), "complete": self.complete, "this_version": __version__}

    def lines(self) -> list[str]:
        """Return it for people."""
        width = max(len(stack.stack) for stack in self.stacks)
        made_by = self.version or ("0.2.0 or before" if self.layout == "one stack" else "unknown")
        return [
            f"pipeline {self.pipeline} in {self.account}, {self.region}",
            f"version {made_by} (this is {__version__}), {self.layout}",
            f"image {self.image or 'none: auto-lambda ami build'}",
            *(f"  {it.stack:<{width}}  {it.status or 'missing':<24}  template: {it.template}" for it in self.stacks),
            *(f"  {name} = {value}" for name, value in sorted(self.outputs.items())),
        ]


def examine(site: Site) -> PipelineStatus | None:
    """Look at a pipeline; None if there is none."""
    if site.stacks.describe(site.pipeline) is None:
        return None
    outputs: dict[str, str] = {}
    for part in all_parts():
        stack = site.stack(part)
        outputs.update(stack.outputs if stack else {})
    return PipelineStatus(
        site.pipeline,
        site.account,
        site.region,
        site.memory().version,
        "one stack" if site.single_stack() else "five stacks",
        Account(site.clients).image(image_parameter(site.parameters({}))),
        tuple(_stack(site, part) for part in all_parts()),
        outputs,
    )


def _stack(site: Site, part: Part) -> StackStatus:
    stack = site.stack(part)
    if stack is None:
        return StackStatus(part.stack(site.pipeline), None, "none")
    same = (site.stacks.template(stack.name) or "").strip() == part.text.strip()
    return StackStatus(stack.name, stack.status, "this version's" if same else "another")
