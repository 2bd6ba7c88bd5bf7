"""The templates of a pipeline, in the order in which their stacks are created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from auto_lambda_cli.sources import templates_folder

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML has it
CORE, FLEET = "core", "fleet"
ORDER = (CORE, "network", "roles", FLEET, "observability")
"""A template's parameters may be outputs of those before it, by the same name."""


@dataclass(frozen=True, slots=True)
class Part:
    """One template of a pipeline.

    Attributes:
        name: of the template's file, without its ending.
        text: the template.
        defaults: its parameters' default values; None for the outputs of earlier parts, which have none.
        outputs: the names of its outputs.
    """

    name: str
    text: str
    defaults: Mapping[str, str | None]
    outputs: frozenset[str]

    def stack(self, pipeline: str) -> str:
        """Return the name of its stack in a pipeline; the core's stack has the pipeline's own name."""
        return stack_name(pipeline, self.name)

    def parameters(self, chosen: Mapping[str, str], handed_on: Mapping[str, str]) -> dict[str, str]:
        """Select from chosen values, and from the outputs of earlier parts, the parameters that this part takes."""
        return {name: value for name, value in {**chosen, **handed_on}.items() if name in self.defaults}


def stack_name(pipeline: str, part: str) -> str:
    """Return the name of the stack of a pipeline's part."""
    return pipeline if part == CORE else f"{pipeline}-{part}"


@cache
def all_parts() -> tuple[Part, ...]:
    """Read this version's templates."""
    return tuple(read_part(templates_folder() / f"{name}.yaml") for name in ORDER)


def read_part(path: Path) -> Part:
    """Read one template."""
    text = path.read_text()
    document = load_template(text)
    defaults = {name: _default(given) for name, given in document.get("Parameters", {}).items()}
    return Part(path.stem, text, defaults, frozenset(document.get("Outputs", ())))


def load_template(text: str) -> dict[str, Any]:
    """Parse a template in YAML or JSON; of its short functions (``!Ref``, ``!Sub``) only the arguments are kept."""
    found: dict[str, Any] = yaml.load(text, _Plain)  # noqa: S506 - a SafeLoader
    return found


def _default(parameter: Mapping[str, Any]) -> str | None:
    return str(parameter["Default"]) if "Default" in parameter else None


class _Plain(_Loader):  # type: ignore[misc, valid-type]
    """Reads a template, with its functions as their arguments."""


def _given(loader: Any, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Plain.add_multi_constructor("!", _given)
