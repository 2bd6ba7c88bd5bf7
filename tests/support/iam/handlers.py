"""What CloudFormation's resource handlers ask for on a worker's behalf, and what of it the worker's role leaves out.

``data/cfn_handler_permissions.json`` has the permissions of each handler of each type, from the public registry schemas
of resource types (https://schema.cloudformation.us-east-1.amazonaws.com, read on 2026-08-07).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from auto_lambda.namespace import APP_TAG, PIPELINE_TAG, STAGE_TAG
from iam.conditions import Context
from iam.evaluate import Request
from iam.template import ACCOUNT, REGION, PipelineStack

VIA: Context = {"aws:CalledVia": ("cloudformation.amazonaws.com",)}
TAGS: Context = {
    f"aws:ResourceTag/{APP_TAG}": "shop",
    f"aws:ResourceTag/{STAGE_TAG}": "dev",
    f"aws:ResourceTag/{PIPELINE_TAG}": "auto-lambda",
    "aws:ResourceTag/aws:cloudformation:stack-name": "al-shop-dev",
}

DOMAIN: Mapping[str, str] = {
    "Domain": "apps.example.com",
    "CertificateArn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/0123-abcd",
    "HostedZoneId": "Z0123456789",
}
_STACK = PipelineStack(DOMAIN)
_HERE = f"{REGION}:{ACCOUNT}"
_API, _API2 = f"arn:aws:apigateway:{REGION}::/restapis", f"arn:aws:apigateway:{REGION}::/apis"
_NAMES = f"arn:aws:apigateway:{REGION}::/domainnames"
_GATEWAY: Mapping[str, tuple[str, ...]] = {
    "AWS::ApiGateway::ApiKey": (f"arn:aws:apigateway:{REGION}::/apikeys", f"arn:aws:apigateway:{REGION}::/apikeys/k"),
    "AWS::ApiGateway::Authorizer": (f"{_API}/a/authorizers", f"{_API}/a/authorizers/1"),
    "AWS::ApiGateway::Deployment": (f"{_API}/a/deployments", f"{_API}/a/deployments/1"),
    "AWS::ApiGateway::BasePathMapping": (f"{_NAMES}/shop-dev.apps.example.com/basepathmappings/(none)",),
    "AWS::ApiGateway::DomainName": (_NAMES, f"{_NAMES}/shop-dev.apps.example.com"),
    "AWS::ApiGatewayV2::ApiMapping": (f"{_NAMES}/shop-dev.apps.example.com/apimappings/1",),
    "AWS::ApiGatewayV2::DomainName": (_NAMES, f"{_NAMES}/shop-dev.apps.example.com"),
    "AWS::ApiGateway::GatewayResponse": (f"{_API}/a/gatewayresponses/DEFAULT_4XX",),
    "AWS::ApiGateway::Method": (f"{_API}/a/resources/r/methods/GET",),
    "AWS::ApiGateway::Model": (f"{_API}/a/models", f"{_API}/a/models/m"),
    "AWS::ApiGateway::RequestValidator": (f"{_API}/a/requestvalidators", f"{_API}/a/requestvalidators/1"),
    "AWS::ApiGateway::Resource": (f"{_API}/a/resources/r",),
    "AWS::ApiGateway::RestApi": (_API, f"{_API}/a"),
    "AWS::ApiGateway::Stage": (f"{_API}/a/stages", f"{_API}/a/stages/prod"),
    "AWS::ApiGateway::UsagePlan": (
        f"arn:aws:apigateway:{REGION}::/usageplans",
        f"arn:aws:apigateway:{REGION}::/usageplans/u",
    ),
    "AWS::ApiGateway::UsagePlanKey": (f"arn:aws:apigateway:{REGION}::/usageplans/u/keys/k",),
    "AWS::ApiGatewayV2::Api": (_API2, f"{_API2}/a"),
    "AWS::ApiGatewayV2::Authorizer": (f"{_API2}/a/authorizers/1",),
    "AWS::ApiGatewayV2::Deployment": (f"{_API2}/a/deployments/1",),
    "AWS::ApiGatewayV2::Integration": (f"{_API2}/a/integrations/1",),
    "AWS::ApiGatewayV2::Route": (f"{_API2}/a/routes/1",),
    "AWS::ApiGatewayV2::RouteResponse": (f"{_API2}/a/routes/1/routeresponses/1",),
    "AWS::ApiGatewayV2::Stage": (f"{_API2}/a/stages", f"{_API2}/a/stages/prod"),
}
_TAG_RESOURCE = f"arn:aws:apigateway:{REGION}::/tags/arn%3Aaws%3Aapigateway"
_RESOURCES: Mapping[str, tuple[str, ...]] = {
    "dynamodb": (f"arn:aws:dynamodb:{_HERE}:table/answers",),
    "ec2": ("*",),
    "elasticfilesystem": (f"arn:aws:elasticfilesystem:{_HERE}:file-system/fs-1",),
    "events": (f"arn:aws:events:{_HERE}:rule/al-shop-dev-Every-1",),
    "iam": (f"arn:aws:iam::{ACCOUNT}:role/auto-lambda/al-shop-dev-Role-1",),
    "kms": (f"arn:aws:kms:{_HERE}:key/k", f"arn:aws:kms:{REGION}:999988887777:key/k"),
    "lambda": (f"arn:aws:lambda:{_HERE}:function:shop-dev", f"arn:aws:lambda:{_HERE}:function:shop-dev:live"),
    "logs": (f"arn:aws:logs:{_HERE}:log-group:/aws/lambda/shop-dev/Work",),
    "route53": ("arn:aws:route53:::hostedzone/Z0123456789",),
    "s3": (f"{_STACK.arn('ArtifactsBucket')}/bundles/x.zip",),
    "scheduler": (f"arn:aws:scheduler:{_HERE}:schedule/default/nightly",),
    "sns": (f"arn:aws:sns:{_HERE}:shop-dev-zappa-async",),
    "sqs": (f"arn:aws:sqs:{_HERE}:al-shop-dev-Work-1",),
}
_BY_ACTION: Mapping[str, tuple[str, ...]] = {
    "lambda:*EventSourceMapping*": (f"arn:aws:lambda:{_HERE}:event-source-mapping:1",),
    "lambda:GetCodeSigningConfig": (f"arn:aws:lambda:{_HERE}:code-signing-config:csc-1",),
    "lambda:PublishLayerVersion": (f"arn:aws:lambda:{_HERE}:layer:al-shop-dev",),
    "lambda:DeleteLayerVersion": (f"arn:aws:lambda:{_HERE}:layer:al-shop-dev:1",),
    "lambda:GetLayerVersion": (
        f"arn:aws:lambda:{_HERE}:layer:al-shop-dev:1",
        f"arn:aws:lambda:{REGION}:999988887777:layer:tools:1",
    ),
    "logs:Describe*": ("*",),
    "route53:GetChange": ("arn:aws:route53:::change/C1",),
}
_PASSED_TO = {
    "ApiGateway": "apigateway.amazonaws.com",
    "ApiGatewayV2": "apigateway.amazonaws.com",
    "Events": "events.amazonaws.com",
    "Lambda": "lambda.amazonaws.com",
    "Scheduler": "scheduler.amazonaws.com",
    "SNS": "sns.amazonaws.com",
}


@dataclass(frozen=True, slots=True)
class Need:
    """A permission that a handler of a type names."""

    type: str
    handler: str
    action: str

    def requests(self) -> Iterator[Request]:
        """Yield the requests that it stands for."""
        for resource in self._resources():
            for tags in self._tags():
                yield Request(self.action, resource, {**VIA, **tags, **self._more()})

    def left_out(self) -> str | None:
        """Return why the role may do without it, None if it may not."""
        return next((why for (kind, action), why in LEFT_OUT.items() if self.matches(kind, action)), None)

    def matches(self, kind: str, action: str) -> bool:
        """Tell whether an entry of `LEFT_OUT` is about it."""
        return fnmatchcase(self.type, f"AWS::{kind}") and fnmatchcase(self.action, action)

    def _resources(self) -> tuple[str, ...]:
        service = self.action.split(":")[0]
        if service == "apigateway":
            return (*_GATEWAY[self.type], *((_TAG_RESOURCE,) if self.handler == "tagging" else ()))
        if self.type == "AWS::Lambda::EventSourceMapping" and self.action.endswith(("ListTags", "agResource")):
            return _BY_ACTION["lambda:*EventSourceMapping*"]
        named = (found for pattern, found in _BY_ACTION.items() if fnmatchcase(self.action, pattern))
        return next(named, _RESOURCES.get(service, ("*",)))

    def _tags(self) -> tuple[Context, ...]:
        """What is made has no tags yet, and what is deleted may be gone already; the rest has those of its stack."""
        name = self.action.split(":")[1]
        if name.startswith("Create") and name not in ("CreateAlias", "CreateFunctionUrlConfig"):
            return ({},)
        if name in ("TagResource", "TagQueue") and self.handler == "create":
            return ({}, TAGS)
        return ({}, TAGS) if name.startswith(("Delete", "Get", "List", "Remove")) else (TAGS,)

    def _more(self) -> Context:
        match self.action:
            case "iam:PassRole":
                return {"iam:PassedToService": _PASSED_TO[self.type.split("::")[1]]}
            case "route53:ChangeResourceRecordSets":
                return {
                    "route53:ChangeResourceRecordSetsNormalizedRecordNames": ("shop-dev.apps.example.com",),
                    "route53:ChangeResourceRecordSetsRecordTypes": ("CNAME",),
                }
            case "kms:CreateGrant":
                return {"kms:GrantIsForAWSResource": "true"}
            case action if action.startswith("iam:"):
                return {"iam:PermissionsBoundary": _STACK.arn("NamespaceBoundary")}
        return {}


def needs() -> list[Need]:
    """Return every permission of every handler."""
    data = json.loads((Path(__file__).parent / "data" / "cfn_handler_permissions.json").read_text())
    return [
        Need(kind, handler, action)
        for kind, handlers in data.items()
        for handler, actions in handlers.items()
        for action in actions
    ]


_NO_FRONT_END = "no front end writes the property that needs it"
_LISTING = "only scans and imports list all resources of a type"
_REFUSED = "the gate refuses the property that needs it"
_FOR_USERS = "the gate lets policies be put on roles of the template only"
LEFT_OUT: Mapping[tuple[str, str], str] = {
    (
        "Lambda::Alias",
        "codedeploy:*",
    ): "the gate refuses the attribute UpdatePolicy, by which CodeDeploy moves an alias",
    ("ApiGatewayV2::DomainName", "apigateway:*Certificate*Domain"): "only mutual TLS needs a truststore's certificate",
    ("ApiGatewayV2::DomainName", "s3:GetObjectVersion"): "only mutual TLS needs a truststore in a bucket",
    ("Route53::RecordSet", "route53:ListHostedZones"): "only a zone that is given by its name is looked for",
    ("DynamoDB::Table", "dynamodb:*Replica"): _NO_FRONT_END,
    ("DynamoDB::Table", "dynamodb:ImportTable"): _NO_FRONT_END,
    ("DynamoDB::Table", "dynamodb:*Item"): "only replicas and imports read and write items",
    ("DynamoDB::Table", "dynamodb:Query"): "only replicas and imports read and write items",
    ("DynamoDB::Table", "dynamodb:Scan"): "only replicas and imports read and write items",
    ("DynamoDB::Table", "dynamodb:PutResourcePolicy"): _NO_FRONT_END,
    ("DynamoDB::Table", "dynamodb:DeleteResourcePolicy"): _NO_FRONT_END,
    ("DynamoDB::Table", "dynamodb:*ableKinesisStreamingDestination"): _NO_FRONT_END,
    ("DynamoDB::Table", "dynamodb:UpdateKinesisStreamingDestination"): _NO_FRONT_END,
    ("DynamoDB::Table", "dynamodb:UpdateCont*"): _NO_FRONT_END,
    ("DynamoDB::Table", "iam:CreateServiceLinkedRole"): "only replicas need the role",
    ("DynamoDB::Table", "kinesis:*"): _NO_FRONT_END,
    ("DynamoDB::Table", "kms:ListAliases"): "a key is named by its ARN",
    ("DynamoDB::Table", "kms:RevokeGrant"): "DynamoDB retires its grants itself",
    ("DynamoDB::Table", "logs:*"): "only imports write a log",
    ("DynamoDB::Table", "s3:*"): "only imports read a bucket",
    ("DynamoDB::Table", "dynamodb:ListTables"): _LISTING,
    ("Events::Rule", "events:ListRules"): _LISTING,
    ("IAM::Policy", "iam:*GroupPolicy"): _FOR_USERS,
    ("IAM::Policy", "iam:*UserPolicy"): _FOR_USERS,
    ("IAM::Role", "iam:DeleteRolePermissionsBoundary"): "nobody takes a boundary away; a role gets another one instead",
    ("IAM::Role", "iam:ListRoles"): _LISTING,
    ("Lambda::EventSourceMapping", "lambda:ListEventSourceMappings"): _LISTING,
    ("Lambda::Function", "lambda:PassCapacityProvider"): _REFUSED,
    ("Lambda::Function", "lambda:GetCodeSigningConfig"): _NO_FRONT_END,
    ("Lambda::Function", "s3files:*"): _NO_FRONT_END,
    ("Lambda::*", "s3:GetObjectVersion"): "code and layers are named after their content, not by versions",
    ("Logs::LogGroup", "firehose:*"): _NO_FRONT_END,
    ("Logs::LogGroup", "s3:*"): _NO_FRONT_END,
    ("Logs::LogGroup", "logs:*LogDelivery"): _NO_FRONT_END,
    ("Logs::LogGroup", "logs:*BearerTokenAuthentication"): _NO_FRONT_END,
    ("Logs::LogGroup", "logs:PutDataProtectionPolicy"): _NO_FRONT_END,
    ("Logs::LogGroup", "logs:DeleteDataProtectionPolicy"): _NO_FRONT_END,
    ("Logs::LogGroup", "logs:PutIndexPolicy"): _NO_FRONT_END,
    ("Logs::LogGroup", "logs:DeleteIndexPolicy"): _NO_FRONT_END,
    ("Logs::LogGroup", "logs:PutLogGroupDeletionProtection"): _NO_FRONT_END,
    ("Logs::LogGroup", "logs:PutResourcePolicy"): "it would let other services write into every log of the account",
    ("Logs::LogGroup", "logs:DeleteResourcePolicy"): "it would let other services write into every log of the account",
    ("SNS::Topic", "sns:PutDataProtectionPolicy"): _NO_FRONT_END,
    ("SNS::Topic", "sns:ListTopics"): _LISTING,
    ("SNS::Subscription", "sns:ListSubscriptions"): _LISTING,
    ("SQS::Queue", "sqs:ListQueues"): _LISTING,
    ("Scheduler::Schedule", "scheduler:ListSchedules"): _LISTING,
    ("SNS::*", "iam:*"): "the roles of delivery logs and of Firehose: no front end writes these properties",
}
"""(type, action) -> why the worker's role does without it. Both are patterns; a test finds needless entries."""
