"""A pipeline's place: the account and region that it is in, and the services that it is made with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from auto_lambda.aws.cloudformation import Plan, Stack
from auto_lambda.aws.s3 import ObjectMissing, ObjectStore
from auto_lambda_cli.pipeline import naming
from auto_lambda_cli.pipeline.change_sets import ReviewedStacks
from auto_lambda_cli.pipeline.maker import TemplateBucket, bucket_name
from auto_lambda_cli.pipeline.parts import CORE, Part, all_parts

Clients = Callable[[str], Any]
"""Makes boto3's client of a service, by its name."""
_MEMORY = "pipeline.json"


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of a pipeline beside its stacks, in the bucket of its templates.

    Parameters are kept here too, since those of a stack that is removed would be lost with it.
    """

    version: str | None = None
    parameters: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A pipeline's place. ``given_tags`` are added to those that its stacks have."""

    pipeline: str
    account: str
    region: str
    clients: Clients
    stacks: ReviewedStacks
    given_tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def templates(self) -> TemplateBucket:
        """The bucket of its templates."""
        name = bucket_name(self.pipeline, self.account, self.region)
        return TemplateBucket(ObjectStore(self.clients("s3")), name)

    def stack(self, part: Part) -> Stack | None:
        """Describe the stack of a part; None if there is none."""
        return self.stacks.describe(part.stack(self.pipeline))

    def tags(self) -> dict[str, str]:
        """Return the tags of its stacks, which CloudFormation copies to most resources: the core's, and given ones."""
        core = self.stacks.describe(self.pipeline)
        kept = {} if core is None else {name: it for name, it in core.tags.items() if not name.startswith("aws:")}
        return {**kept, **self.given_tags}

    def plan(self, part: Part, chosen: Mapping[str, str], outputs: Mapping[str, str], url: str | None = None) -> Plan:
        """Say what the stack of a part should become, with the template itself unless its ``url`` is given."""
        parameters = part.parameters(chosen, outputs)
        body = None if url else part.text
        return Plan(part.stack(self.pipeline), url=url, body=body, parameters=parameters, tags=self.tags())

    def single_stack(self) -> bool:
        """Tell whether the pipeline is of a version that had everything in one stack."""
        core = self.stacks.describe(self.pipeline)
        return core is not None and "WorkerGroup" in core.outputs

    def memory(self) -> Memory:
        """Read what is remembered."""
        bucket = self.templates
        if not bucket.store.bucket_exists(bucket.name):
            return Memory()
        try:
            found = json.loads(bucket.store.get(bucket.name, _MEMORY))
        except ObjectMissing:
            return Memory()
        return Memory(found.get("version"), found.get("parameters"))

    def remember(self, memory: Memory) -> None:
        """Replace what is remembered."""
        bucket = self.templates
        bucket.store.make_private(bucket.name, self.region)
        if tags := self.tags():
            bucket.store.tag_bucket(bucket.name, tags)
        told = {"version": memory.version, "parameters": dict(memory.parameters or {})}
        bucket.store.put(bucket.name, _MEMORY, json.dumps(told, indent=2).encode(), "application/json")

    def parameters(self, given: Mapping[str, str]) -> dict[str, str]:
        """Choose the parameters: given ones, else as they are, else as they were, else this pipeline's defaults."""
        there: dict[str, str] = {} if self.stacks.describe(self.pipeline) else naming.defaults(self.pipeline)
        there.update(self.memory().parameters or {})
        for part in all_parts():
            there.update(self.stack_parameters(part))
        known = {name for part in all_parts() for name, default in part.defaults.items() if default is not None}
        chosen = {**there, **given}
        return {name: value for name, value in chosen.items() if name in known}

    def stack_parameters(self, part: Part) -> Mapping[str, str]:
        """Return the parameters that a part's stack has, without those that were handed on to it."""
        stack = self.stack(part)
        if stack is None:
            return {}
        if part.name == CORE and self.single_stack():
            return stack.parameters
        return {name: value for name, value in stack.parameters.items() if part.defaults.get(name) is not None}
