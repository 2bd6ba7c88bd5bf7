"""Finds permissions that no grant allows: on what is the pipeline's own, and what cannot be named in a grants file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from auto_lambda.grants import Grants
from auto_lambda.namespace import Place
from worker.deploy.gate.patterns import covers, overlap
from worker.deploy.gate.symbols import symbols
from worker.deploy.rights.decide import Rights, own_service
from worker.deploy.rights.permissions import Permission
from worker.deploy.rights.suggest import suggested

_NAMED_BY_PATH = (
    "arn:*:logs:*:{account}:log-group:/auto-lambda/*",
    "arn:*:ssm:*:{account}:parameter/auto-lambda-fleet/*",
    "arn:*:secretsmanager:*:{account}:secret:auto-lambda-fleet/*",
)
_NAMED = (
    "arn:*:s3:::{name}",
    "arn:*:s3:::{name}/*",
    "arn:*:sqs:*:{account}:{name}",
    "arn:*:sns:*:{account}:{name}",
    "arn:*:dynamodb:*:{account}:table/{name}",
    "arn:*:dynamodb:*:{account}:table/{name}/*",
)


_PARTS = 6  # of an ARN
_JSON = ("{", "[", '"')  # how a permission shows a resource that cannot be read


def pipelines_own(names: Iterable[str], place: Place) -> tuple[str, ...]:
    """Return what the boundaries deny to every app, as patterns of ARNs; ``names`` are those of the pipeline."""
    account = place.account or "*"
    named = (form.format(name=name, account=account) for name in names for form in _NAMED)
    return (*(form.format(account=account) for form in _NAMED_BY_PATH), *named)


def not_granted(
    asked: Iterable[Permission], rights: Rights, reserved: Iterable[str]
) -> Mapping[Permission, str | None]:
    """Return what neither the app's namespace nor its grants cover, and why nobody can grant it, None if somebody can.

    Args:
        asked: permissions of the app's roles.
        rights: what they may hold.
        reserved: the pipeline's own, from `pipelines_own`.
    """
    reserved, found = tuple(reserved), dict[Permission, str | None]()
    for one in asked:
        if one.effect == "Allow" and any(covers(pattern, one.resource) for pattern in reserved):
            found[one] = "it is the pipeline's own"
        elif not rights.allow(one):
            found[one] = _unspeakable(one, rights, reserved)
    return found


def _unspeakable(one: Permission, rights: Rights, reserved: Iterable[str]) -> str | None:
    if one.effect == "Allow" and any(_overlaps(pattern, one.resource) for pattern in reserved):
        return "it reaches what is the pipeline's own: name the resources that the app needs"
    readable = not one.resource.startswith(_JSON)
    if readable and replace(rights, grants=Grants.model_validate(suggested((one,)))).allow(one):
        return None
    if own_service(one.resource, rights.template, rights.place):
        return "an app may not do this to resources of its own stack"
    if symbols(one.resource):
        return "no grant can name it: write the ARN instead of a reference"
    return "it cannot be read: write statements with an Effect, Action and Resource, as texts"


def _overlaps(pattern: str, resource: str) -> bool:
    """Tell whether an ARN with wildcards reaches something that a pattern names.

    ``*`` alone does not count: some actions know no other resource, and the boundaries leave the pipeline out of it.
    """
    ours, asked = (text.split(":", _PARTS - 1) for text in (pattern, resource))
    if not resource.startswith("arn:") or ("*" not in resource and "?" not in resource):
        return False
    if len(asked) < _PARTS:  # a wildcard at the end takes the other parts, too
        asked += ["*"] * (_PARTS - len(asked)) if resource.endswith("*") else []
    return len(asked) == _PARTS and all(map(overlap, ours, asked))
