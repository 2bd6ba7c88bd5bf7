"""Every way to name what is another's is refused: each property, with each foreign value."""

from __future__ import annotations

import copy
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from drafts import ACCOUNT, APP, DOMAIN_OF_PIPELINE, SURROUNDINGS, Maker, everything, resource, with_template
from mutants import FOREIGN, UNSAFE, changed, mutants, refused_at_once

from auto_lambda.errors import AppError, Code
from auto_lambda.grants import Grants
from auto_lambda.model import BucketNotification, Template
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.gate import pass_gate
from worker.deploy.gate.namespace import Namespace
from worker.deploy.gate.properties import PROPERTIES
from worker.deploy.gate.template import TemplateView
from worker.model import Bundle

TARGET = replace(
    SURROUNDINGS, reserved=("pipeline-Queue-X1", "ledger", "pipeline-AlarmTopic-*"), domain=DOMAIN_OF_PIPELINE
)
OPEN = AppAccess(APP)
GRANTED = AppAccess(APP, rights="granted")
ALL = ("*",)
LISTS = {name: ALL for name, field in Grants.model_fields.items() if field.annotation == tuple[str, ...]}


def complete() -> Template:
    """The template of every trigger, with the admitted types that it lacks."""
    template = everything()
    api, sockets = {"RestApiId": {"Ref": "Rest"}}, {"ApiId": {"Ref": "Sockets"}}
    route = {"Target": {"Fn::Sub": "integrations/${SocketIntegration}"}, "AuthorizationType": "CUSTOM"}
    uri = template["Resources"]["OldGuard"]["Properties"]["AuthorizerUri"]
    template["Resources"]["SocketRoute"]["Properties"] |= route | {"AuthorizerId": {"Ref": "SocketGuard"}}
    template["Resources"] |= {
        "ApiKey": resource("ApiGateway::ApiKey", Enabled=True),
        "Answer": resource("ApiGateway::GatewayResponse", ResponseType="DEFAULT_5XX", **api),
        "Model": resource("ApiGateway::Model", ContentType="application/json", Schema={}, **api),
        "Validator": resource("ApiGateway::RequestValidator", ValidateRequestBody=True, **api),
        "Plan": resource("ApiGateway::UsagePlan", ApiStages=[{"ApiId": {"Ref": "Rest"}, "Stage": "api"}]),
        "PlanKey": resource(
            "ApiGateway::UsagePlanKey", KeyId={"Ref": "ApiKey"}, KeyType="API_KEY", UsagePlanId={"Ref": "Plan"}
        ),
        "SocketGuard": resource("ApiGatewayV2::Authorizer", AuthorizerType="REQUEST", AuthorizerUri=uri, **sockets),
        "GuardSockets": copy.deepcopy(template["Resources"]["GuardPermission"]),
        "SocketDeployment": resource("ApiGatewayV2::Deployment", **sockets),
        "SocketAnswer": resource(
            "ApiGatewayV2::RouteResponse", RouteId={"Ref": "SocketRoute"}, RouteResponseKey="$default", **sockets
        ),
        "SocketStage": resource("ApiGatewayV2::Stage", StageName="live", AutoDeploy=True, **sockets),
        "Answers": resource("DynamoDB::Table", TableName="shop-dev-answers", BillingMode="PAY_PER_REQUEST"),
        "Rights": resource("IAM::Policy", PolicyName="p", PolicyDocument={}, Roles=[{"Ref": "Role"}]),
        "Orders": resource("SQS::Queue", QueueName="shop-dev-orders"),
        "Topic": resource("SNS::Topic", TopicName="shop-dev-zappa-async"),
        "SocketDomain": resource(
            "ApiGatewayV2::DomainName",
            DomainName=f"shop-dev.{DOMAIN_OF_PIPELINE.name}",
            DomainNameConfigurations=[{"CertificateArn": DOMAIN_OF_PIPELINE.certificate_arn}],
        ),
        "SocketMapping": resource(
            "ApiGatewayV2::ApiMapping", DomainName={"Ref": "SocketDomain"}, Stage="live", **sockets
        ),
    }
    source = {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Sockets}/authorizers/*"}
    template["Resources"]["GuardSockets"]["Properties"]["SourceArn"] = source
    return template


with tempfile.TemporaryDirectory() as folder:
    GOOD: Bundle = Maker(Path(folder), TARGET).bundle(complete(), layer={"dep.py": "x = 1"})
LAYER = next(name for name in GOOD.template["Resources"] if name.startswith("Dependencies"))
NEEDED = replace(
    GRANTED,
    grants=Grants(queues=(f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs",), topics=(f"arn:aws:sns:us-east-1:{ACCOUNT}:news",)),
)
"""What the good template is granted."""


def passes(template: Template, access: AppAccess = OPEN) -> bool:
    try:
        pass_gate(with_template(GOOD, template), TARGET, access)
    except AppError as error:
        return error.code is not Code.TEMPLATE_REFUSED
    return True


def test_the_template_has_every_admitted_type_and_passes() -> None:
    assert {one["Type"] for one in GOOD.template["Resources"].values()} == PROPERTIES.keys()
    pass_gate(GOOD, TARGET, OPEN)


def test_it_passes_with_grants_alone() -> None:
    (queue,), (topic,) = NEEDED.grants.queues, NEEDED.grants.topics
    pass_gate(GOOD, TARGET, NEEDED)
    with pytest.raises(AppError) as caught:
        pass_gate(GOOD, TARGET, GRANTED)
    assert f'grants: queues: ["{queue}"]' in caught.value.message
    assert f'grants: topics: ["{topic}"]' in caught.value.message


@pytest.mark.parametrize("rights", ["account", "granted"])
def test_every_mutant_is_refused(rights: Literal["account", "granted"]) -> None:
    access = replace(NEEDED, rights=rights)
    space = Namespace(access, TARGET, TemplateView(GOOD.template["Resources"]))
    tried = list(mutants(GOOD.template))
    assert len(tried) > 5000
    survivors = [what for what, name, mutant in tried if not is_refused(space, mutant["Resources"][name], mutant)]
    assert survivors == []


def is_refused(space: Namespace, resource: dict[str, Any], mutant: Template) -> bool:
    """One check that refuses is enough."""
    return refused_at_once(space, resource, mutant) or not passes(mutant, space.access)


NAMES = re.compile(
    r"(?:Arn|ARN|Id|Name|Uri|Role|Target|Destination|Bucket|Group|Layer|Location|Queue|Topic|Endpoint)s?(?:\[\])?$"
)
# Names within a resource, or that nothing is found by.
LOCAL = {
    "ApiGateway::ApiKey": {"GenerateDistinctId", "Name", "StageKeys[].StageName"},
    "ApiGateway::Authorizer": {"Name"},
    "ApiGateway::Method": {"OperationName"},
    "ApiGateway::Model": {"Name"},
    "ApiGateway::RequestValidator": {"Name"},
    "ApiGateway::RestApi": {"DisableExecuteApiEndpoint", "Name"},
    "ApiGateway::Stage": {"StageName"},
    "ApiGateway::UsagePlan": {"UsagePlanName"},
    "ApiGatewayV2::Api": {"DisableExecuteApiEndpoint", "Name"},
    "ApiGatewayV2::Authorizer": {"Name"},
    "ApiGatewayV2::Deployment": {"StageName"},
    "ApiGatewayV2::Route": {"OperationName"},
    "ApiGatewayV2::Stage": {"StageName"},
    "DynamoDB::Table": {
        "AttributeDefinitions[].AttributeName", "KeySchema[].AttributeName", "LocalSecondaryIndexes[].IndexName",
        "LocalSecondaryIndexes[].KeySchema[].AttributeName", "GlobalSecondaryIndexes[].IndexName",
        "GlobalSecondaryIndexes[].KeySchema[].AttributeName", "TimeToLiveSpecification.AttributeName",
    },
    "Events::Rule": {"Targets[].Id"},
    "IAM::Policy": {"PolicyDocument.Id", "PolicyName"},
    "IAM::Role": {"Policies[].PolicyDocument.Id", "Policies[].PolicyName"},
    "SNS::Topic": {"DisplayName", "FifoTopic"},
    "SQS::Queue": {"FifoQueue"},
}  # fmt: skip


def test_no_property_that_names_something_may_hold_anything() -> None:
    """The mutants follow the table. This does not: a row that is wrong there is found here, by its name."""
    free = {
        kind.removeprefix("AWS::"): {
            path for path, rule in rules.items()
            if rule.kind in {"plain", "free"} and NAMES.search(path)
        }
        for kind, rules in PROPERTIES.items()
    }  # fmt: skip
    assert {kind: paths for kind, paths in free.items() if paths} == LOCAL


QUEUE, TOPIC = FOREIGN["a queue of another app"], FOREIGN["a topic of another app"]
STREAM = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/bank-prod"
BUS = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/bank-prod"
ACCESS_POINT = f"arn:aws:elasticfilesystem:us-east-1:{ACCOUNT}:access-point/fsap-1"
FOUND: dict[str, tuple[str, str, Any]] = {
    "another app's layer": ("Work", "Layers[]", FOREIGN["a layer of another app"]),
    "the name of another app's layer": (LAYER, "LayerName", "al-bank-prod"),
    "a route of another API": ("SocketRoute", "ApiId", "a1b2c3"),
    "a path of another API": ("Resource", "RestApiId", "a1b2c3"),
    "a method of another API": ("Method", "RestApiId", "a1b2c3"),
    "a stage of another API": ("RestStage", "RestApiId", "a1b2c3"),
    "a stage of another WebSocket API": ("SocketStage", "ApiId", "a1b2c3"),
    "a gateway response of another API": ("Answer", "RestApiId", "a1b2c3"),
    "an authorizer of another API": ("OldGuard", "RestApiId", "a1b2c3"),
    "an authorizer of another WebSocket API": ("SocketGuard", "ApiId", "a1b2c3"),
    "a key for another API": ("ApiKey", "StageKeys[].RestApiId", "a1b2c3"),
    "another app's key": ("PlanKey", "KeyId", "a1b2c3"),
    "a usage plan for another API": ("Plan", "ApiStages[].ApiId", "a1b2c3"),
    "another app's usage plan": ("PlanKey", "UsagePlanId", "a1b2c3"),
    "the name of another app's function": ("Work", "FunctionName", "bank-prod"),
    "the name of another app's role": ("Role", "RoleName", "bank-prod"),
    "the name of another app's rule": ("Rule", "Name", "bank-prod"),
    "the name of another app's table": ("Answers", "TableName", "bank-prod"),
    "the name of another app's topic": ("Topic", "TopicName", "bank-prod"),
    "the name of another app's queue": ("Orders", "QueueName", "bank-prod"),
    "the name of another app's log group": ("Logs", "LogGroupName", "/aws/lambda/bank-prod"),
    "events of another app's queue": ("Queue", "EventSourceArn", QUEUE),
    "events of the pipeline's queue": ("Queue", "EventSourceArn", FOREIGN["the pipeline's queue"]),
    "events of a stream": ("Queue", "EventSourceArn", STREAM),
    "events of another app's table": ("Queue", "EventSourceArn", FOREIGN["a table's stream of another app"]),
    "another app's topic": ("News", "TopicArn", TOPIC),
    "the pipeline's topic": ("News", "TopicArn", FOREIGN["the pipeline's topic"]),
    "a rule on another bus": ("Rule", "EventBusName", "bank-prod"),
    "another app's queue for dead letters of a function": ("Work", "DeadLetterConfig.TargetArn", QUEUE),
    "another app's topic for dead letters of a function": ("Work", "DeadLetterConfig.TargetArn", TOPIC),
    "another app's queue for dead letters of a rule": ("Rule", "Targets[].DeadLetterConfig.Arn", QUEUE),
    "another app's queue for dead letters of a schedule": ("Later", "Target.DeadLetterConfig.Arn", QUEUE),
    "another app's queue for dead letters of a queue": ("Orders", "RedrivePolicy.deadLetterTargetArn", QUEUE),
    "another app's queue for dead letters of a topic": ("News", "RedrivePolicy.deadLetterTargetArn", QUEUE),
    "another bus for failures": ("Retries", "DestinationConfig.OnFailure.Destination", BUS),
    "another app's table's stream": ("Answers", "KinesisStreamSpecification.StreamArn", STREAM),
    "a subnet": ("Work", "VpcConfig.SubnetIds[]", "subnet-1"),
    "a security group": ("Work", "VpcConfig.SecurityGroupIds[]", "sg-1"),
    "a file system": ("Work", "FileSystemConfigs[].Arn", ACCESS_POINT),
    "logs into another app's group": ("Work", "LoggingConfig.LogGroup", "/aws/lambda/bank-prod"),
    "access logs into another app's group": (
        "RestStage", "AccessLogSetting.DestinationArn", FOREIGN["a log group of another app"],
    ),
    "access logs of a WebSocket API into another app's group": (
        "SocketStage", "AccessLogSettings.DestinationArn", FOREIGN["a log group of another app"],
    ),
    "a managed policy": ("Role", "ManagedPolicyArns[]", FOREIGN["an administrator"]),
    "all actions but one": ("Rights", "PolicyDocument.Statement[].NotAction", "iam:*"),
    "all resources but one": ("Rights", "PolicyDocument.Statement[].NotResource", "arn:aws:s3:::x"),
    "all actions but one, in a role": ("Role", "Policies[].PolicyDocument.Statement[].NotAction", "iam:*"),
    "all resources but one, in a role": ("Role", "Policies[].PolicyDocument.Statement[].NotResource", "x"),
    "calls by the pipeline's bucket": ("NewsPermission", "SourceArn", FOREIGN["the pipeline's bucket"]),
}  # fmt: skip
"""What reaches into another app, the pipeline or the account: the resource, the property and what it names."""


def refusal(bundle: Bundle) -> str:
    with pytest.raises(AppError) as caught:
        pass_gate(bundle, TARGET, NEEDED)
    return caught.value.message


@pytest.mark.parametrize("form", FOUND)
def test_what_reaches_out_of_the_app_is_refused_at_its_property(form: str) -> None:
    name, path, value = FOUND[form]
    said = refusal(with_template(GOOD, changed(GOOD.template, name, path, value)))
    assert f"{name}: {path.replace('[]', '')}" in said


@pytest.mark.parametrize("spelling", UNSAFE)
def test_what_cloudformation_would_resolve_is_refused_in_each_spelling(spelling: str) -> None:
    """A pattern may hold any document, so that nothing else refuses it."""
    mutant = changed(GOOD.template, "Rule", "EventPattern.detail", UNSAFE[spelling])
    assert "Rule: " in refusal(with_template(GOOD, mutant))


@pytest.mark.parametrize("policy", ["Retain", "RetainExceptOnCreate", "Snapshot"])
@pytest.mark.parametrize("attribute", ["DeletionPolicy", "UpdateReplacePolicy"])
@pytest.mark.parametrize("name", ["Role", "Answers", "Work", "Logs"])
def test_nothing_may_outlive_the_app(name: str, attribute: str, policy: str) -> None:
    resources = GOOD.template["Resources"]
    kept = {**GOOD.template, "Resources": {**resources, name: {**resources[name], attribute: policy}}}
    assert f"{name}: {attribute}" in refusal(with_template(GOOD, kept))


def test_events_of_a_bucket_that_was_not_granted_are_refused() -> None:
    wanted = BucketNotification("bank-prod", "Work", ("s3:ObjectCreated:*",))
    assert "Work: events of bucket bank-prod" in refusal(replace(GOOD, notifications=(wanted,)))
