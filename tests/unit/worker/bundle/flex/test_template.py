"""What exists in each phase of a flex stack, and what its traffic does."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cfnlint.api import lint
from flex_parts import FLEX, GIVEN, PARTS, existing, with_settings
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.model import Template
from builder.protocol.flex import FARGATE, FlexMessage
from worker.bundle.flex.parts import FlexParts
from worker.bundle.flex.template import PHASES, flex_template
from worker.bundle.references import referenced

FREE = {
    "AWS::CloudWatch::Alarm", "AWS::ECS::TaskDefinition", "AWS::IAM::Role", "AWS::Logs::LogGroup",
    "AWS::Route53::RecordSet",
}  # fmt: skip
"""Types that cost nothing, or cents, while nobody uses them."""

VARIANTS = [
    with_settings(),
    replace(with_settings(network="given"), target=GIVEN),
    with_settings(variant="standing-load-balancer"),
    with_settings(measure="concurrency", above=50.0, below=20.0),
    with_settings(measure="monthly_cost", above=300.0, below=100.0, up_after=5, down_after=7),
    replace(PARTS, architecture="arm64", rest=False),
]


@st.composite
def parts(draw: st.DrawFn) -> FlexParts:
    cpu = draw(st.sampled_from(sorted(FARGATE)))
    above, fewest = draw(st.floats(1, 1e6)), draw(st.integers(1, 500))
    settings = FlexMessage(
        measure=draw(st.sampled_from(["requests_per_second", "concurrency", "monthly_cost"])),
        above=above, below=above * draw(st.floats(0.01, 0.69)),
        up_after=draw(st.integers(1, 86_400)), down_after=draw(st.integers(1, 86_400)),
        min_tasks=fewest, max_tasks=draw(st.integers(fewest, 500)), cpu=cpu,
        memory=draw(st.sampled_from(FARGATE[cpu])), ttl=draw(st.integers(1, 3600)),
        network=draw(st.sampled_from(["own", "given"])),
        variant=draw(st.sampled_from(["dns", "standing-load-balancer"])),
    )  # fmt: skip
    return replace(PARTS, settings=settings, target=GIVEN, rest=draw(st.booleans()))


@pytest.mark.parametrize("made", VARIANTS, ids=range(len(VARIANTS)))
def test_cloudformation_would_take_it(made: FlexParts) -> None:
    found = lint(json.dumps(flex_template(made)), regions=["us-east-1"])
    assert [f"{one.rule.id} {one.message}" for one in found] == []


def test_on_lambda_nothing_exists_that_costs() -> None:
    assert {one["Type"] for one in existing(flex_template(PARTS), "lambda").values()} <= FREE


@pytest.mark.parametrize("phase", ["both", "fargate"])
def test_everything_exists_while_tasks_run(phase: str) -> None:
    template = flex_template(PARTS)
    assert existing(template, phase) == template["Resources"]
    kinds = {one["Type"] for one in template["Resources"].values()}
    assert {"AWS::EC2::VPC", "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::ECS::Service"} <= kinds
    assert not any("Nat" in kind or "EIP" in kind for kind in kinds)  # they would cost more than the tasks


def test_a_given_network_is_used_as_it_is() -> None:
    template = flex_template(replace(with_settings(network="given"), target=GIVEN))
    made = template["Resources"]
    assert not any(one["Type"].startswith("AWS::EC2::") and "Group" not in name for name, one in made.items())
    assert made["LoadBalancer"]["Properties"]["Subnets"] == ["subnet-0000000a", "subnet-0000000b"]
    network = made["Service"]["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert (network["Subnets"], network["AssignPublicIp"]) == (["subnet-0000000c", "subnet-0000000d"], "DISABLED")
    image = made["TaskDefinition"]["Properties"]["ContainerDefinitions"][0]["Image"]
    assert image == "registry.example/python:3.12"


def test_only_the_load_balancer_stays_of_a_standing_one() -> None:
    left = existing(flex_template(with_settings(variant="standing-load-balancer")), "lambda")
    assert "LoadBalancer" in left
    assert not {"Service", "Cluster", "ScalableTarget", "Scaling"} & left.keys()
    (action,) = left["Listener"]["Properties"]["DefaultActions"]
    named = [one["TargetGroupArn"]["Ref"] for one in action["ForwardConfig"]["TargetGroups"]]
    assert named == ["TargetGroup", "LambdaTargets"]
    assert left["FargateRecord"]["DependsOn"] == "Listener", "the name leads to what answers"


@given(parts())
def test_in_no_phase_something_refers_to_what_is_not_there(made: FlexParts) -> None:
    template = flex_template(made)
    for phase in PHASES:
        there = existing(template, phase)
        known = {*there, *template["Parameters"], "AWS::StackName", "AWS::Region", "AWS::AccountId"}
        for name, one in there.items():
            assert set(referenced(one["Properties"])) <= known | {"AWS"}, name
            needs = one.get("DependsOn", [])
            assert set([needs] if isinstance(needs, str) else needs) <= there.keys(), name


@given(parts())
def test_an_equal_app_has_an_equal_stack_that_is_small_enough(made: FlexParts) -> None:
    assert flex_template(made) == flex_template(replace(made))
    assert len(json.dumps(flex_template(made))) < 51_200


def test_the_weights_of_both_fronts_are_all_of_the_traffic() -> None:
    template = flex_template(PARTS)
    weights = template["Mappings"]["Rest"]
    assert [int(weight) + one["Weight"] for weight, one in weights.items()] == [100] * 101
    both = [template["Resources"][name]["Properties"] for name in ("LambdaRecord", "FargateRecord")]
    assert [one["SetIdentifier"] for one in both] == ["lambda", "fargate"]
    assert {one["TTL"] for one in both} == {"60"}
    assert len({one["Name"] for one in both}) == 1


def test_weights_that_lose_requests_are_refused() -> None:
    rules = flex_template(PARTS)["Rules"]
    said = {
        one["RuleCondition"]["Fn::Equals"][1]: one["Assertions"][0]["Assert"]["Fn::Equals"][1] for one in rules.values()
    }
    assert said == {"lambda": "0", "fargate": "100"}


def test_roles_have_the_boundary_and_the_rights_of_the_function() -> None:
    roles = [one["Properties"] for one in flex_template(PARTS)["Resources"].values() if one["Type"] == "AWS::IAM::Role"]
    for role in roles:
        assert (role["PermissionsBoundary"], role["Path"]) == (PARTS.boundary_arn, "/auto-lambda/")
    task = flex_template(PARTS)["Resources"]["TaskRole"]["Properties"]["Policies"]
    assert task[1:] == list(PARTS.policies)
    statement = task[0]["PolicyDocument"]["Statement"][0]
    assert statement["Resource"] == [f"arn:aws:s3:::artifacts/{key}" for key in PARTS.keys]
    assert statement["Action"] == "s3:GetObject"


def test_nobody_but_the_load_balancer_connects_to_tasks() -> None:
    (rule,) = flex_template(PARTS)["Resources"]["TaskGroup"]["Properties"]["SecurityGroupIngress"]
    assert rule["SourceSecurityGroupId"] == {"Fn::GetAtt": ["LoadBalancerGroup", "GroupId"]}
    assert "CidrIp" not in rule


def test_tasks_are_replaced_without_a_gap_and_taken_back_by_themselves() -> None:
    service = flex_template(PARTS)["Resources"]["Service"]["Properties"]
    assert service["DeploymentConfiguration"] == {
        "MinimumHealthyPercent": 100, "MaximumPercent": 200,
        "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
    }  # fmt: skip
    assert "DesiredCount" not in service  # an update would take away what scaling has added


def test_what_the_controller_reads() -> None:
    outputs = flex_template(PARTS)["Outputs"]
    assert FlexMessage.model_validate_json(outputs["Settings"]["Value"]) == FLEX
    assert outputs["AlarmNames"]["Value"] == "al-Flex-shop-dev-High al-Flex-shop-dev-Low"
    assert outputs["LoadBalancerUrl"]["Condition"] == "Running"
    assert "Condition" not in outputs["Domain"]


def alarm(name: str, **changed: Any) -> dict[str, Any]:
    made: Template = flex_template(with_settings(**changed))
    found: dict[str, Any] = made["Resources"][name]["Properties"]
    return found


def test_alarms_count_requests_where_the_traffic_is() -> None:
    high, low = alarm("High"), alarm("Low")
    assert (high["MetricName"], high["Threshold"], high["EvaluationPeriods"]) == ("Invocations", 12_000, 3)
    assert (low["MetricName"], low["Threshold"], low["EvaluationPeriods"]) == ("RequestCount", 6_000, 15)
    assert (high["TreatMissingData"], low["TreatMissingData"]) == ("notBreaching", "breaching")
    assert alarm("High", variant="standing-load-balancer")["MetricName"] == "RequestCount"


def test_a_cost_is_that_of_lambda_for_a_month() -> None:
    """A hundred requests a second of 0.1 s with 512 MB: 730 hours of 5 GB at a time, and 262.8 million requests."""
    query = alarm("High", measure="monthly_cost", above=100.0, below=10.0)["Metrics"][0]["Expression"]
    cost = eval(query, {}, {"requests": 100 * 60, "seconds": 100 * 60 * 100})
    assert cost == pytest.approx(262.8e6 * (2e-7 + 3.5e-6) + 730 * 3600 * 5 * 0.0000166667, rel=1e-3)


def test_a_mode_alone_changes_the_stack() -> None:
    assert "${Mode}" in alarm("High")["AlarmDescription"]["Fn::Sub"]
