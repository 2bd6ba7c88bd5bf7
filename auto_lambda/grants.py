"""Grants: what the platform team lets one app, or every app of a stage, reach beyond its own namespace.

They are files in the artifacts bucket, ``grants/<stage>/<name>.json`` and ``grants/<stage>/default.json``. Workers read
them and never write them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from auto_lambda.keys import GRANTS, App
from auto_lambda.redact import HIDDEN

MAX_BYTES = 256 * 1024
DEFAULT_NAME = "default"
"""Names the grants of a whole stage. An app that is called so has no grants of its own."""
_ARNS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(rf"arn:[^:]*:{rest}")
    for name, rest in {
        "alarms": r"cloudwatch:.*:alarm:.*",
        "buckets": r"s3:::[^/]*",
        "buses": r"events:.*:event-bus/.*",
        "file_systems": r"elasticfilesystem:.*:access-point/.*",
        "functions": r"lambda:.*:function:.*",
        "keys": r"kms:.*:(?:key|alias)/.*",
        "layers": r"lambda:.*:layer:.*",
        "managed_policies": r"iam:.*:policy/.*",
        "queues": r"sqs:.*",
        "roles": r"iam:.*:role/.*",
        "streams": r"kinesis:.*:stream/.*|arn:[^:]*:dynamodb:.*:table/.*/stream/.*",
        "tables": r"dynamodb:.*:table/(?!.*/stream/).*",
        "topics": r"sns:.*",
        "user_pools": r"cognito-idp:.*:userpool/.*",
    }.items()
}
"""The ARNs that each list of grants is for."""

_KEYS = {"Sid", "Effect", "Action", "Resource", "Condition"}


class BadGrants(ValueError):
    """A grants file cannot be read; the message says what is wrong with it, one line for each problem."""


class Grants(BaseModel):
    """What is granted. Lists hold full ARNs, or ids where AWS uses ids; ``*`` and ``?`` match as in IAM policies.

    Attributes:
        statements: IAM statements that the app's roles may hold although they lead out of the app's namespace.
        subnets: ids of subnets that functions may be in.
        security_groups: ids of security groups that functions may have.
        file_systems: ARNs of EFS access points that functions may mount.
        layers: ARNs of layer versions that are not the app's own.
        keys: ARNs of KMS keys for functions, queues, topics, tables and log groups.
        buckets: names of buckets whose events the app may receive.
        queues: ARNs of queues as event source, target of failures or dead letters.
        topics: ARNs of topics to subscribe to, or as target of failures.
        streams: ARNs of Kinesis or DynamoDB streams as event source.
        tables: ARNs of tables outside the app's namespace.
        buses: names or ARNs of event buses for rules.
        functions: ARNs of functions of others that the app may name, as authorizers say.
        user_pools: ARNs of Cognito user pools for authorizers.
        roles: ARNs of roles of others that functions may have; they lie below the path ``/auto-lambda/shared/``.
        vpc_endpoints: ids of VPC endpoints by which private APIs are reached.
        api_keys: ids of API keys of others that usage plans may accept.
        managed_policies: ARNs of managed policies that roles may have.
        domains: host names that the app's APIs may have.
        alarms: ARNs of CloudWatch alarms of others that may send the app's traffic back.
        boundary: ARN of the permissions boundary of the app's roles, None for the stage's or the pipeline's.
        quotas: upper limits by name that differ from the pipeline's, see `worker.deploy.gate`.
        approve: ``widenings`` if a release whose roles may do more than those of the live one waits for an approval.
        traffic: ``gradual`` if a zip has to say by ``[traffic]`` how its release takes the traffic over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    statements: tuple[Mapping[str, Any], ...] = ()
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    file_systems: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    buses: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    user_pools: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    vpc_endpoints: tuple[str, ...] = ()
    api_keys: tuple[str, ...] = ()
    managed_policies: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    boundary: str | None = None
    quotas: Mapping[str, int] = {}
    approve: Literal["widenings", "nothing"] | None = None
    traffic: Literal["gradual", "any"] | None = None

    @field_validator("statements")
    @classmethod
    def _only_allow(cls, statements: tuple[Mapping[str, Any], ...]) -> tuple[Mapping[str, Any], ...]:
        for statement in statements:
            if statement.get("Effect") != "Allow" or not {"Action", "Resource"} <= statement.keys() <= _KEYS:
                raise ValueError('a statement has "Effect": "Allow", Action and Resource, may have Sid and Condition')
            if not all(map(_is_texts, (statement["Action"], statement["Resource"]))):
                raise ValueError("Action and Resource are texts, or lists of texts")
        return statements

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Read a grants file.

        Raises:
            BadGrants: it is too large, is not JSON, or holds something that grants do not have.
        """
        plain = text if isinstance(text, str) else text.decode(errors="replace")
        if HIDDEN in plain:
            raise BadGrants(f"{HIDDEN} stands for text that a receipt or a log hides, and would match anything")
        if len(text) > MAX_BYTES:
            raise BadGrants(f"the file is larger than {MAX_BYTES:,} bytes")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            problems = (f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in error.errors())
            raise BadGrants("\n".join(problems)) from None

    def text(self) -> str:
        """Return the content of a grants file: only what is said."""
        return self.model_dump_json(exclude_defaults=True, indent=2) + "\n"

    def merged(self, more: Grants) -> Grants:
        """Return these grants with others added; single values of the others win."""
        return more.with_default(self)

    def without(self, less: Grants) -> Grants:
        """Return these grants without those of another; a single value goes if it is the same there."""
        left: dict[str, Any] = {}
        for name in type(self).model_fields:
            own, gone = getattr(self, name), getattr(less, name)
            match own:
                case tuple():
                    left[name] = tuple(one for one in own if one not in gone)
                case Mapping():
                    left[name] = {key: value for key, value in own.items() if key not in gone}
                case _:
                    left[name] = None if own == gone else own
        return Grants.model_validate(left)

    def with_default(self, default: Grants) -> Grants:
        """Return the app's grants together with those of every app of its stage; the app's own single values win."""
        merged: dict[str, Any] = {}
        for name in type(self).model_fields:
            own, shared = getattr(self, name), getattr(default, name)
            match own:
                case tuple():
                    merged[name] = (*shared, *(one for one in own if one not in shared))
                case Mapping():
                    merged[name] = {**shared, **own}
                case _:
                    merged[name] = own if own is not None else shared
        return Grants.model_validate(merged)


def may_hold(name: str, value: str) -> bool:
    """Tell whether a list of grants is for a value, as far as an ARN tells; an id or a name may be in any."""
    form = _ARNS.get(name)
    return not value.startswith("arn:") or (form is not None and form.fullmatch(value) is not None)


def grants_key(app: App) -> str:
    """Return the key of an app's own grants."""
    return f"{GRANTS}{app.stage}/{app.name}.json"


def default_key(stage: str) -> str:
    """Return the key of the grants of every app of a stage."""
    return f"{GRANTS}{stage}/{DEFAULT_NAME}.json"


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))
