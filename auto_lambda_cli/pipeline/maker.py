"""Creates and updates the stacks of a pipeline, one after the other, and hands on their outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from auto_lambda.aws.cloudformation import Inspect, Plan, Progress, Stacks
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda_cli.pipeline.parts import Part, all_parts


@dataclass(frozen=True, slots=True)
class TemplateBucket:
    """The bucket from which CloudFormation reads templates; their keys name their content."""

    store: ObjectStore
    name: str

    def put(self, part: Part) -> str:
        """Store a part's template, unless it is there, and return its URL."""
        key = template_key(part)
        if not self.store.exists(self.name, key):
            self.store.put(self.name, key, part.text.encode(), "application/yaml")
        return self.store.url(self.name, key)


def template_key(part: Part) -> str:
    """Return the key of a part's template."""
    return f"templates/{hashlib.sha256(part.text.encode()).hexdigest()}/{part.name}.yaml"


def bucket_name(pipeline: str, account: str, region: str) -> str:
    """Return the name of the bucket of a pipeline's templates."""
    return f"{pipeline}-templates-{account}-{region}"


def deploy_parts(
    pipeline: str,
    chosen: Mapping[str, str],
    stacks: Stacks,
    templates: TemplateBucket,
    *,
    parts: Sequence[Part] = (),
    tags: Mapping[str, str] = MappingProxyType({}),
    progress: Progress = lambda _: None,
    inspect: Callable[[str], Inspect | None] = lambda _: None,
) -> dict[str, str]:
    """Create or update all stacks of a pipeline, and return their outputs.

    Args:
        pipeline: its name.
        chosen: values of parameters.
        stacks: CloudFormation.
        templates: where CloudFormation reads them.
        parts: the templates, this version's by default.
        tags: of each stack.
        progress: called with each event of a resource.
        inspect: by the name of an existing stack, what looks at its changes before they are made.

    Raises:
        StackFailed: with the first failing resource's reason; the stacks before it stay.
    """
    outputs: dict[str, str] = {}
    for part in parts or all_parts():
        parameters = part.parameters(chosen, outputs)
        plan = Plan(part.stack(pipeline), url=templates.put(part), parameters=parameters, tags=tags)
        outputs.update(stacks.deploy(plan, progress, inspect(plan.stack)).stack.outputs)
    return outputs
