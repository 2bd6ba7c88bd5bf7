"""Every way to name what is another's is refused: each property, with each foreign value (attacks 9, 10, 11)."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from drafts import ACCOUNT, APP, SURROUNDINGS, Maker, everything, resource, with_template
from mutants import mutants

from auto_lambda.errors import AppError, Code
from auto_lambda.grants import Grants
from auto_lambda.model import Template
from worker.deploy.gate import ownership, texts
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.gate import pass_gate
from worker.deploy.gate.namespace import Namespace
from worker.deploy.gate.properties import PROPERTIES
from worker.deploy.gate.template import TemplateView
from worker.model import Bundle

TARGET = replace(SURROUNDINGS, reserved=("pipeline-Queue-X1", "ledger", "pipeline-AlarmTopic-*"))
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
    }
    source = {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Sockets}/authorizers/*"}
    template["Resources"]["GuardSockets"]["Properties"]["SourceArn"] = source
    return template


with tempfile.TemporaryDirectory() as folder:
    GOOD: Bundle = Maker(Path(folder)).bundle(complete(), layer={"dep.py": "x = 1"})
VERSION = next(name for name in GOOD.template["Resources"] if name.startswith("WorkVersion"))


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
    queue, topic = f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs", f"arn:aws:sns:us-east-1:{ACCOUNT}:news"
    pass_gate(GOOD, TARGET, replace(GRANTED, grants=Grants(queues=(queue,), topics=(topic,))))
    with pytest.raises(AppError) as caught:
        pass_gate(GOOD, TARGET, GRANTED)
    assert f'grants: queues: ["{queue}"]' in caught.value.message
    assert f'grants: topics: ["{topic}"]' in caught.value.message


@pytest.mark.parametrize("rights", ["account", "granted"])
def test_every_mutant_is_refused(rights: Literal["account", "granted"]) -> None:
    grants = Grants(
        queues=(f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs",), topics=(f"arn:aws:sns:us-east-1:{ACCOUNT}:news",)
    )
    access = AppAccess(APP, grants, rights)
    space = Namespace(access, TARGET, TemplateView(GOOD.template["Resources"]))
    tried = list(mutants(GOOD.template))
    assert len(tried) > 5000
    survivors = [what for what, name, mutant in tried if not is_refused(space, mutant["Resources"][name], mutant)]
    assert survivors == []


def is_refused(space: Namespace, resource: dict[str, Any], mutant: Template) -> bool:
    """One check that refuses is enough, and those of a single resource are the fastest."""
    known = frozenset(mutant["Resources"]) | {"AWS::AccountId", "AWS::Partition", "AWS::Region"}
    if any(True for _ in ownership.judge(space, resource)) or any(True for _ in texts.judge(resource, known)):
        return True
    return not passes(mutant, space.access)
