"""Parts of flex stacks for tests, and what of a template exists in a phase."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from drafts import ACCOUNT, APP, BOUNDARY, DOMAIN_OF_PIPELINE, SURROUNDINGS, Maker, rest_template

from auto_lambda.model import Template
from auto_lambda.namespace import Place
from builder.protocol.flex import FlexMessage
from worker.bundle.assemble import assemble
from worker.bundle.flex.parts import EntrypointFile, FlexParts
from worker.model import Bundle, DeployTarget, FlexTarget

FLEX = FlexMessage(measure="requests_per_second", above=200.0, below=100.0)
GIVEN = FlexTarget(
    "registry.example/python:{python}",
    "vpc-0123abcd",
    ("subnet-0000000a", "subnet-0000000b"),
    ("subnet-0000000c", "subnet-0000000d"),
)
PARTS = FlexParts(
    app=APP,
    settings=FLEX,
    place=Place("aws", "us-east-1", ACCOUNT),
    domain=f"shop-dev.{DOMAIN_OF_PIPELINE.name}",
    certificate_arn=DOMAIN_OF_PIPELINE.certificate_arn,
    zone_id=DOMAIN_OF_PIPELINE.zone_id,
    front="d-abc.execute-api.us-east-1.amazonaws.com",
    function="shop-dev",
    alias_arn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:shop-dev:live",
    function_memory=512,
    rest=True,
    architecture="x86_64",
    python="3.12",
    boundary_arn=BOUNDARY,
    bucket="artifacts",
    keys=(f"bundles/{'a' * 64}.zip", f"entrypoints/{'b' * 64}.zip", f"layers/{'c' * 64}.zip"),
    environment={"COLOR": "red", "AUTO_LAMBDA_TASK": "{}"},
    entrypoint=EntrypointFile(f"entrypoints/{'b' * 64}.zip", "b" * 64),
    policies=({"PolicyName": "p", "PolicyDocument": {"Statement": [
        {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"},
    ]}},),
    managed_policies=(),
    target=FlexTarget(),
)  # fmt: skip


def with_settings(parts: FlexParts = PARTS, **changed: Any) -> FlexParts:
    """The parts with other settings of the app."""
    return replace(parts, settings=parts.settings.model_copy(update=changed))


FLEX_TARGET = replace(SURROUNDINGS, domain=DOMAIN_OF_PIPELINE)


def flexing_bundle(
    template: Template | None = None, target: DeployTarget = FLEX_TARGET, *, url: bool = True, **flex: Any
) -> Bundle:
    """A release with these settings of flex."""
    maker = Maker(Path(tempfile.mkdtemp()), target)
    built = maker.built(template or rest_template(), url=url)
    changed = {"framework": "zappa", "flex": FLEX.model_copy(update=flex)}
    return assemble(maker.app, replace(built, result=built.result.model_copy(update=changed)), maker._next(), target)


def existing(template: Template, phase: str) -> dict[str, Any]:
    """The resources that exist in a phase."""
    holds = {name: _holds(one, {"Phase": phase}) for name, one in template["Conditions"].items()}
    return {
        name: one for name, one in template["Resources"].items() if "Condition" not in one or holds[one["Condition"]]
    }


def _holds(condition: Any, parameters: dict[str, str]) -> bool:
    match condition:
        case {"Fn::Not": [inner]}:
            return not _holds(inner, parameters)
        case {"Fn::Equals": [{"Ref": name}, value]}:
            return bool(parameters[name] == value)
    raise AssertionError(f"the evaluator does not know {condition}")
