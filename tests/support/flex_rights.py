"""The policies of the flex controller and of its setup stack, evaluated as IAM would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cfnlint.decode import decode
from flex_controller.configure import Choice, policies
from iam.evaluate import Document, Principal, Request, allowed

SETUP = Path(__file__).parents[2] / "apps" / "flex_controller" / "setup.yaml"
REGION, ACCOUNT = "eu-west-1", "111122223333"
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/flex/flex-stacks"
_NAMES = {
    "${AWS::Partition}": "aws", "${AWS::Region}": REGION, "${AWS::AccountId}": ACCOUNT, "${Pipeline}": "auto-lambda",
}  # fmt: skip
_REFS = {
    "Hints": f"arn:aws:sns:{REGION}:{ACCOUNT}:flex-controller-platform_hints", "HostedZoneIds": ["Z1", "Z2"],
    "AWS::AccountId": ACCOUNT,
}  # fmt: skip
_NOTHING = object()
_ALL = Choice()


def resolved(value: Any) -> Any:
    """A part of the template with its functions replaced by what they stand for in an account."""
    if isinstance(value, list):
        return [told for inner in value if (told := resolved(inner)) is not _NOTHING]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        return {str(name): resolved(inner) for name, inner in value.items()}
    ((name, inner),) = value.items()
    match str(name):
        case "Ref":
            return _REFS[str(inner)]
        case "Fn::GetAtt":
            return _ROLE
        case "Fn::If":
            return _NOTHING  # no boundary of your own, no topic of alarms
        case "Fn::Sub":
            text, more = inner if isinstance(inner, list) else (inner, {})
            return _substituted(str(text), {**_NAMES, **{f"${{{key}}}": resolved(one) for key, one in more.items()}})
        case "Fn::Join":
            return str(inner[0]).join(resolved(inner[1]))
        case "Fn::Split":
            return resolved(inner[1]).split(inner[0])
    return {str(name): resolved(inner)}


def _substituted(text: str, names: dict[str, str]) -> str:
    for name, meaning in names.items():
        text = text.replace(name, meaning)
    return text


def _resources() -> Any:
    template, _ = decode(str(SETUP))
    assert template
    return template["Resources"]


BOUNDARY: Document = resolved(_resources()["Boundary"]["Properties"]["PolicyDocument"])
FLEX_STACKS: tuple[Document, ...] = tuple(
    resolved(policy["PolicyDocument"]) for policy in _resources()["FlexStacks"]["Properties"]["Policies"]
)


def may(who: str, action: str, resource: str, choice: Choice = _ALL, **context: str) -> bool:
    """Tell whether one of the controller's functions may do something."""
    document: Document = {"Version": "2012-10-17", "Statement": policies(choice)[who]}
    principal = Principal(f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/r", (document,), BOUNDARY, {})
    return allowed(principal, _request(action, resource, context))


def role_may(action: str, resource: str, **context: str) -> bool:
    """Tell whether the role by which CloudFormation changes flex stacks may do something."""
    return allowed(Principal(_ROLE, FLEX_STACKS, None, {}), _request(action, resource, context))


def _request(action: str, resource: str, context: dict[str, str]) -> Request:
    service = action.partition(":")[0]
    whole = resource.startswith(("arn:", "*"))
    arn = resource if whole else f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"
    return Request(action, arn, {key.replace("__", ":"): value for key, value in context.items()})
