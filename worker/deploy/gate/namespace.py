"""Whose is it? Tells what an ARN, id or name belongs to: the app, the pipeline, another app, or somebody else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from auto_lambda.keys import App
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.patterns import covers
from worker.deploy.gate.symbols import ACCOUNT, PARTITION, REGION, symbol
from worker.deploy.gate.template import TemplateView
from worker.model import DeployTarget

_RULE_NAME = 64  # characters, EventBridge's limit
_ARN = re.compile(r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]+):[a-z0-9-]*:(?P<account>\d{12}|aws)?:(?P<rest>.+)")
# The name is the first part of these services' ARNs, and the second of others, as in `table/name`.
_NAME_FIRST = frozenset({"execute-api", "s3", "sns", "sqs"})
# References whose value the template does not choose, or only in the app's namespace.
_OWN_SYMBOLS = frozenset(
    {
        "AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api", "AWS::DynamoDB::Table", "AWS::Events::Rule",
        "AWS::Lambda::Function", "AWS::SNS::Topic.TopicName", "AWS::SQS::Queue.QueueName",
    }
)  # fmt: skip
_ID = r"[\w+=,.@/-]+"


def _arn(service: str, resource: str) -> str:
    return rf"arn:aws[a-z-]*:{service}:[a-z0-9-]*:(?:\d{{12}})?:{resource}"


# By list of grants: what an app names in a pipeline that is open to the account. Other lists are never open.
_OPEN: Mapping[str, re.Pattern[str]] = {
    "alarms": re.compile(_arn("cloudwatch", r"alarm:[\w./-]+")),
    "api_keys": re.compile(r"[A-Za-z0-9]+"),
    "buckets": re.compile(rf"(?:{_arn('s3', '')})?[a-z0-9][a-z0-9.-]+"),
    "buses": re.compile(rf"(?:{_arn('events', 'event-bus/')})?[\w.-][\w./-]*"),
    "file_systems": re.compile(_arn("elasticfilesystem", r"access-point/[\w-]+")),
    "functions": re.compile(_arn("lambda", r"function:[\w-]+(?::[\w$-]+)?")),
    "keys": re.compile(rf"(?:{_arn('kms', '(?:key/)?')})?(?:alias/[\w/-]+|(?:mrk-)?[0-9a-f-]{{32,36}})"),
    "layers": re.compile(_arn("lambda", r"layer:[\w-]+:\d+")),
    "queues": re.compile(_arn("sqs", r"[\w-]+(?:\.fifo)?")),
    # Whoever runs the pipeline made them for apps to share, under the boundary as well.
    "roles": re.compile(_arn("iam", r"role/auto-lambda/shared/[\w+=,.@-]+")),
    "security_groups": re.compile(r"sg-\w+"),
    "streams": re.compile(f"{_arn('kinesis', f'stream/{_ID}')}|{_arn('dynamodb', f'table/{_ID}/stream/[0-9T:.-]+')}"),
    "subnets": re.compile(r"subnet-\w+"),
    "topics": re.compile(_arn("sns", r"[\w-]+(?:\.fifo)?")),
    "user_pools": re.compile(_arn("cognito-idp", r"userpool/[\w-]+")),
    "vpc_endpoints": re.compile(r"vpce-\w+"),
}
# What AWS itself offers to everybody.
_PUBLIC = re.compile(
    r"default|alias/aws/[a-z0-9]+|arn:aws[a-z-]*:iam::aws:policy/(?:AWSXrayWriteOnlyAccess|AWSXRayDaemonWriteAccess|"
    r"service-role/AWSLambda(?:Basic|VPCAccess|SQSQueue|Kinesis|DynamoDB)(?:Access)?ExecutionRole)"
)
_PUBLIC_LISTS: Mapping[str, str] = {"buses": "default", "keys": "alias/aws/", "managed_policies": "arn:"}


@dataclass(frozen=True, slots=True)
class Namespace:
    """What belongs to one app, in one account.

    Attributes:
        access: the app, its grants, and whether the account is open.
        target: the pipeline's own resources.
        view: the app's template.
    """

    access: AppAccess
    target: DeployTarget
    view: TemplateView

    @property
    def account(self) -> str | None:
        """The account that apps are deployed to, None if the boundary does not tell."""
        found = re.match(r"arn:[a-z-]+:iam::(\d{12}):", self.target.boundary_arn)
        return found[1] if found else None

    @property
    def words(self) -> str:
        """The app's namespace, for messages."""
        return f"{self.access.app.function} and {self.access.app.stack}"

    def concrete(self, rendered: str) -> str:
        """Replace references whose value is known; others stay, and belong to nobody."""
        known = {
            PARTITION: "aws",
            REGION: self.target.region,
            ACCOUNT: self.account or "0" * 12,
            symbol("AWS::StackName"): self.access.app.stack,
        }
        for one, value in known.items():
            rendered = rendered.replace(one, value)
        return re.sub("\x01([^\x01\x02]*)\x02", self._own_symbol, rendered)

    def _own_symbol(self, found: re.Match[str]) -> str:
        name, _, attribute = found[1].partition(".")
        kind = str(self.view.resources.get(name, {}).get("Type"))
        place = f"{kind}.{attribute}" if attribute else kind
        return self.access.app.stack if place in _OWN_SYMBOLS else found[0]

    def may_name(self, kind: str, name: str) -> bool:
        """Tell whether the app may give a resource of that type that name."""
        app = self.access.app
        if kind in {"AWS::Lambda::Function", "AWS::Lambda::LayerVersion"}:
            return owns(app, name)
        if kind == "AWS::Events::Rule":
            return _begins(app, name) or _hashed(app, name)
        if kind == "AWS::Logs::LogGroup":
            name = re.sub(r"^/(?:aws/[\w-]+/)?", "", name)
        return _begins(app, name)

    def may_point_at(self, value: str, lists: Iterable[str]) -> bool:
        """Tell whether the app may refer to something outside its template.

        Args:
            value: an ARN, id or name.
            lists: names of the lists of grants that can allow it.
        """
        if self.is_reserved(value):
            return False
        return self._is_own(value) or any(self._allowed(value, one) for one in lists)

    def is_granted(self, value: str, lists: Iterable[str]) -> bool:
        """Tell whether one of these lists of the app's grants covers a value, which is not the pipeline's."""
        granted = ((one, pattern) for one in lists for pattern in getattr(self.access.grants, one))
        return not self.is_reserved(value) and any(
            matches(*map(_bucket, (pattern, value))) if one == "buckets" else matches(pattern, value)
            for one, pattern in granted
        )

    def _allowed(self, value: str, one: str) -> bool:
        if self.is_granted(value, (one,)):
            return True
        if value.startswith(_PUBLIC_LISTS.get(one, "\0")) and _PUBLIC.fullmatch(value):
            return True
        form = _OPEN.get(one)
        if self.access.rights != "account" or form is None or not form.fullmatch(value):
            return False
        # Anybody may offer a layer, and it runs as the app's own code.
        return not self.of_another_app(value) and (one == "layers" or self.in_account(value))

    def _is_own(self, value: str) -> bool:
        found = _ARN.fullmatch(value)
        if found is None or found["service"] == "s3":
            return _bucket(value) == f"{self.access.app.stack}-{self.account}"
        return self.in_account(value) and owns(self.access.app, _name(found))

    def in_account(self, value: str) -> bool:
        """Tell whether something is in the account that apps are deployed to, as far as its ARN tells."""
        found = _ARN.fullmatch(value)
        return not found or found["account"] is None or self.account in {None, found["account"]}

    def is_reserved(self, value: str) -> bool:
        """Tell whether something belongs to the pipeline itself."""
        return any(matches(pattern, part) for pattern in self.target.own_names for part in _parts(value))

    def of_another_app(self, value: str) -> bool:
        """Tell whether something carries the name of another app's stack."""
        return any(part.startswith("al-") and not owns(self.access.app, part) for part in _parts(value))

    def whose(self, value: str) -> str:
        """Say whose something is."""
        if self.is_reserved(value):
            return "which belongs to the pipeline"
        if self.of_another_app(value):
            return "which belongs to another app"
        if not self.in_account(value):
            return "which is in another account"
        return f"which is neither in this template nor named after the app ({self.words})"


def owns(app: App, name: str) -> bool:
    """Tell whether a name can be no other app's: what follows ``<name>-<stage>`` cannot go on as a name or stage."""
    return _rest(app, name, r"|[_./].*|-[A-Z].*|-zappa-async") is not None


def _begins(app: App, name: str) -> bool:
    """Tell whether a name begins as the app's. CloudFormation creates nothing under a name that exists."""
    return _rest(app, name, r"|[_./-].+") is not None


def _rest(app: App, name: str, rest: str) -> re.Match[str] | None:
    return re.fullmatch(rf"(?:al-)?{re.escape(app.function)}(?:{rest})", name)


def _hashed(app: App, name: str) -> bool:
    """Tell whether zappa shortened a rule's name: it takes the hash of the function's, as far as there is room."""
    digest = hashlib.sha1(app.function.encode(), usedforsecurity=False).hexdigest()
    prefix, _, _ = name.partition("-")
    return len(name) == _RULE_NAME and len(prefix) >= 1 and digest.startswith(prefix)


def matches(pattern: str, value: str) -> bool:
    """Tell whether a grant, with IAM's wildcards, covers a value and all that the value's own wildcards cover."""
    return covers(pattern, value)


def _bucket(value: str) -> str:
    """Return the name of a bucket, by which grants and notifications have it; permissions have its ARN."""
    return re.sub(r"^arn:[^:]*:s3:::", "", value)


def _name(found: re.Match[str]) -> str:
    parts = re.split("[:/]", found["rest"])
    return parts[0] if found["service"] in _NAME_FIRST else "".join(parts[1:2])


def _parts(value: str) -> list[str]:
    return [value, *re.split("[:/]", value)]
