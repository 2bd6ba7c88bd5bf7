"""Whose is what a template names? The list of attacks that were tried, and the table against AWS's schemas."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from drafts import ACCOUNT, APP, SURROUNDINGS, Maker, resource, with_template

from auto_lambda.errors import AppError
from auto_lambda.grants import Grants
from auto_lambda.keys import App
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.gate import pass_gate
from worker.deploy.gate.namespace import owns
from worker.deploy.gate.properties import PROPERTIES

with tempfile.TemporaryDirectory() as folder:
    GOOD = Maker(Path(folder)).everything()
Change = Callable[[dict[str, Any]], object]


def refusal(change: Change, access: AppAccess | None = None) -> str:
    template = copy.deepcopy(GOOD.template)
    change(template["Resources"])
    with pytest.raises(AppError) as caught:
        pass_gate(with_template(GOOD, template), SURROUNDINGS, access)
    return caught.value.message


def sets(name: str, **changed: Any) -> Change:
    return lambda resources: resources[name]["Properties"].update(changed)


def adds(kind: str, **properties: Any) -> Change:
    return lambda resources: resources.update(New=resource(kind, **properties))


def authorizer(resources: dict[str, Any]) -> dict[str, Any]:
    definition = resources["Rest"]["Properties"]["Body"]["securityDefinitions"]["guard"]
    found: dict[str, Any] = definition["x-amazon-apigateway-authorizer"]
    return found


def integration_of(resources: dict[str, Any]) -> dict[str, Any]:
    paths = resources["Rest"]["Properties"]["Body"]["paths"]
    operation = next(iter(next(iter(paths.values())).values()))
    found: dict[str, Any] = operation["x-amazon-apigateway-integration"]
    return found


POLICY = {"PolicyName": "p", "Roles": [{"Ref": "Role"}]}
SAID = {
    "a version of a victim's function": (
        adds("Lambda::Version", FunctionName="bank-prod"), "resources of type AWS::Lambda::Version are not allowed"),
    "a route on a victim's REST API": (sets("Method", RestApiId="a1b2c3"), "Method: RestApiId"),
    "a route on a victim's HTTP API": (sets("SocketRoute", ApiId="a1b2c3"), "SocketRoute: ApiId"),
    "a stage of a victim's API": (sets("RestStage", RestApiId="a1b2c3"), "RestStage: RestApiId"),
    "a victim's layer": (sets("Work", Layers=[f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:al-bank-prod:1"]),
                                    "which belongs to another app"),
    "a victim's layer name": (
        adds("Lambda::LayerVersion", LayerName="al-bank-prod", Content={}), "LayerName: the name al-bank-prod"),
    "a victim's function name": (sets("Work", FunctionName="bank-prod"), "the name bank-prod"),
    "a name that may be another app's": (sets("Work", FunctionName="shop-dev-prod"), "FunctionName: the"),
    "a rule's name": (sets("Rule", Name="bank-prod-tasks.f"), "Rule: Name"),
    "the pipeline's events": (
        sets("Rule", EventPattern={"source": ["auto-lambda"]}), "Rule: EventPattern: it may match the pipeline's own"),
    "all events of the account's bus": (
        sets("Rule", EventPattern={"account": [ACCOUNT]}, EventBusName="default"), "Rule: EventPattern: it may match"),
    "a log group's name": (sets("Logs", LogGroupName="/auto-lambda/worker"), "Logs: LogGroupName"),
    "the pipeline's bucket as caller": (
        sets("NewsPermission", SourceArn="arn:aws:s3:::uploads"), "which belongs to the pipeline"),
    "a managed policy": (
        sets("Role", ManagedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"]), "grants: managed_policies"),
    "all actions but one": (
        adds("IAM::Policy", PolicyDocument={"Statement": [{"Effect": "Allow", "NotAction": "x"}]}, **POLICY),
        "NotAction is not allowed"),
    "all resources but one": (
        adds("IAM::Policy", PolicyDocument={"Statement": {"Effect": "Allow", "NotResource": "x"}}, **POLICY),
        "NotResource is not allowed"),
    "logs into another's group": (
        sets("RestStage", AccessLogSetting={"DestinationArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:x"}),
        "RestStage: AccessLogSetting.DestinationArn"),
    "what would stay": (lambda it: it["Logs"].update(DeletionPolicy="Retain"), "Logs: DeletionPolicy"),
    "a dead-letter queue of another account": (
        sets("Work", DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:999999999999:x"}), "in another account"),
    "pools of another account, in the document": (
        lambda it: authorizer(it).update(
            providerARNs=["arn:aws:cognito-idp:us-east-1:999999999999:userpool/us-east-1_a"]),
        "which is in another account"),
    "an extension that is not known": (
        lambda it: it["Rest"]["Properties"]["Body"].update({"x-amazon-apigateway-new": 1}), "is not on the list"),
    "a field of an integration in another spelling": (
        lambda it: integration_of(it).update(Credentials="arn:aws:iam::999999999999:role/x"), "is not on the list"),
    "a field of an authorizer that is not known": (lambda it: authorizer(it).update(new=1), "is not on the list"),
    "a reference out of the document": (
        lambda it: it["Rest"]["Properties"]["Body"].update({"x": {"$ref": "https://example.com/x"}}),
        "is not on the list"),
    "a property that is not known": (sets("Work", Teleport=True), "Work: Teleport is not on the list"),
    "below a property": (sets("Work", VpcConfig={"Teleport": 1}), "VpcConfig.Teleport is not on the list"),
}  # fmt: skip


@pytest.mark.parametrize("attack", SAID)
def test_an_attack_is_refused_with_what_it_touched(attack: str) -> None:
    change, said = SAID[attack]
    assert said in refusal(change)


def test_dynamic_references_in_description_and_metadata() -> None:
    for section in ("Description", "Metadata"):
        template = {**GOOD.template, section: "{{resolve:ssm:x}}"}
        with pytest.raises(AppError, match=f"{section}: dynamic references"):
            pass_gate(with_template(GOOD, template), SURROUNDINGS)


def test_a_message_asks_for_no_grant_that_is_for_something_else() -> None:
    said = refusal(sets("Queue", EventSourceArn=f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/orders"))
    assert "nobody can be granted it here, where it may be one of the granted queues or streams" in said
    stream = "arn:aws:dynamodb:us-east-1:999999999999:table/orders/stream/2026"
    said = refusal(sets("Queue", EventSourceArn=stream))
    assert f'ask the platform team for grants: streams: ["{stream}"]' in said


def test_the_grant_that_a_message_asks_for_is_enough() -> None:
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:al-bank-prod-Jobs-X"
    change = sets("Queue", EventSourceArn=queue)
    assert f'grants: queues: ["{queue}"]' in refusal(change)
    template = copy.deepcopy(GOOD.template)
    change(template["Resources"])
    pass_gate(with_template(GOOD, template), SURROUNDINGS, AppAccess(APP, Grants(queues=(queue,))))


def test_an_app_that_may_use_the_whole_bus_hears_the_pipeline() -> None:
    change = sets("Rule", EventPattern={"source": ["auto-lambda"]})
    bus = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
    assert f'grants: buses: ["{bus}"]' in refusal(change)
    template = copy.deepcopy(GOOD.template)
    change(template["Resources"])
    pass_gate(with_template(GOOD, template), SURROUNDINGS, AppAccess(APP, Grants(buses=(bus,))))


def test_events_of_others_than_the_pipeline_need_no_grant() -> None:
    template = copy.deepcopy(GOOD.template)
    template["Resources"]["Rule"]["Properties"]["EventPattern"] = {"source": ["aws.s3"], "detail-type": ["x"]}
    pass_gate(with_template(GOOD, template), SURROUNDINGS)


@pytest.mark.parametrize(
    "name", ["shop-dev", "al-shop-dev", "al-shop-dev-Jobs-X", "shop-dev_x", "shop-dev-zappa-async"]
)
def test_names_of_the_app(name: str) -> None:
    assert owns(App("dev", "shop"), name)


@pytest.mark.parametrize(
    "name", ["shop-prod", "shop-devil", "shop-dev-prod", "al-shop-dev-prod-Jobs-X", "bank-dev", ""]
)
def test_names_that_may_be_another_apps(name: str) -> None:
    assert not owns(App("dev", "shop"), name)


def flattened(
    schema: dict[str, Any], node: dict[str, Any], before: str = "", seen: tuple[str, ...] = ()
) -> Iterator[str]:
    """The paths of a schema's leaves, as the table writes them."""
    for name, one in node.get("properties", {}).items():
        path, passed = f"{before}{name}", seen
        while "$ref" in one or one.get("type") == "array":
            if "$ref" in one:
                target = one["$ref"].rpartition("/")[2]
                one = {} if target in passed else schema["definitions"][target]
                passed = (*passed, target)
            else:
                path, one = f"{path}[]", one.get("items", {})
        yield from flattened(schema, one, f"{path}.", passed) if one.get("properties") else (path,)


@pytest.mark.parametrize("kind", PROPERTIES)
def test_the_table_names_what_aws_has_and_no_more(kind: str) -> None:
    """A property that AWS has and the table lacks is refused; this lists it, so that somebody decides."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    known = set(flattened(schema, schema))
    read_only = {path.removeprefix("/properties/").replace("/", ".") for path in schema.get("readOnlyProperties", [])}
    plain = {path.replace("[]", ""): path for path in PROPERTIES[kind]}

    def related(one: str, other: str) -> bool:
        one, other = f"{one.replace('[]', '')}.", f"{other.replace('[]', '')}."
        return one.startswith(other) or other.startswith(one)

    assert [path for path in plain if not any(related(path, one) for one in known)] == []
    assert [path for path in known - read_only if not any(related(path, one) for one in plain)] == []
