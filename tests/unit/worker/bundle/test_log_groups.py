"""The log groups of functions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cfnlint.api
import cfnlint.config
import pytest
from drafts import APP, SURROUNDINGS, Maker, function, resource, rest_template, with_template

from auto_lambda.errors import AppError
from worker.bundle.assemble import renew
from worker.bundle.log_groups import groups, with_log_groups
from worker.bundle.publish import serialize
from worker.deploy.gate.gate import pass_gate


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def retention(template: dict[str, Any]) -> dict[str, int | None]:
    return {
        one["Properties"]["LogGroupName"]: one["Properties"].get("RetentionInDays")
        for one in template["Resources"].values()
        if one["Type"] == "AWS::Logs::LogGroup"
    }


def test_each_function_has_a_group_that_exists_before_it(make: Maker) -> None:
    template = make.everything().template
    functions = {name for name, one in template["Resources"].items() if one["Type"] == "AWS::Lambda::Function"}
    assert {f"/aws/lambda/shop-dev/{name}" for name in functions} == set(retention(template))
    for name in functions:
        (group,) = (it for it, group_name in groups(template).values() if group_name.endswith(f"/{name}"))
        wanted = template["Resources"][name]["Metadata"]["AutoLambdaLogs"]["Fn::If"][1]
        assert wanted == {"Ref": group}, "DependsOn may not name what depends on a condition"


def test_events_stay_for_as_long_as_the_pipeline_says_or_the_app(tmp_path: Path) -> None:
    pipeline = Maker(tmp_path, replace(SURROUNDINGS, log_days=7))
    group = "/aws/lambda/shop-dev/Api"
    assert retention(pipeline.bundle().template) == {group: 7}
    assert retention(pipeline.bundle(log_days=90).template) == {group: 90}
    assert retention(pipeline.bundle(log_days=0).template) == {group: None}


def test_a_group_of_the_apps_own_keeps_its_retention(make: Maker) -> None:
    template = rest_template()
    template["Resources"]["Logs"] = resource(
        "Logs::LogGroup", LogGroupName={"Fn::Sub": "/aws/lambda/${Api}"}, RetentionInDays=5
    )
    made = make.bundle(template).template
    assert retention(made) == {"/aws/lambda/shop-dev/Api": 5}
    assert [name for name, _ in groups(made).values()] == ["Logs"]


def test_a_function_with_the_apps_name_has_the_group_that_zappa_looks_at(make: Maker) -> None:
    made = make.bundle(rest_template(FunctionName="shop-dev")).template
    assert retention(made) == {"/aws/lambda/shop-dev": 30}


@pytest.mark.parametrize("name", ["other", {"Ref": "Role"}])
def test_groups_out_of_the_apps_namespace_are_not_made(name: Any) -> None:
    template = {"Resources": {"F": function(FunctionName=name)}}
    assert retention(with_log_groups(template, APP, 30)) == {}


def test_a_logical_id_that_the_app_has_is_left_alone() -> None:
    template = {"Resources": {"F": function(FunctionName="shop-dev"), "FLogGroup": resource("SNS::Topic")}}
    assert with_log_groups(template, APP, 30) == template


def test_an_app_as_large_as_a_stack_may_be_stays_as_it_is() -> None:
    topics = {f"T{number}": resource("SNS::Topic") for number in range(499)}
    template = {"Resources": {"F": function(FunctionName="shop-dev"), **topics}}
    assert with_log_groups(template, APP, 30) == template


def test_twice_is_as_once(make: Maker) -> None:
    made = make.everything().template
    assert with_log_groups(made, APP, 90) == made


def test_a_stored_release_without_groups_gets_them_and_keeps_its_versions(make: Maker, tmp_path: Path) -> None:
    bundle = make.bundle()
    old = {key: it for key, it in bundle.template.items() if key not in {"Parameters", "Conditions"}}
    old["Resources"] = {name: it for name, it in old["Resources"].items() if name != "ApiLogGroup"}
    old["Resources"]["Api"] = {name: it for name, it in old["Resources"]["Api"].items() if name != "Metadata"}
    stored = with_template(bundle, old)
    folder = tmp_path / "renewed"
    folder.mkdir()
    renewed = renew(stored, folder, SURROUNDINGS, narrow=False)
    assert renewed.template == bundle.template
    assert serialize(renewed.template) == (folder / "template.json").read_bytes()


def test_cfn_lint_finds_nothing(make: Maker) -> None:
    text = serialize(make.bundle().template).decode()
    assert cfnlint.api.lint(text, config=cfnlint.config.ManualArgs(regions=["us-east-1"])) == []


def test_the_gate_takes_them_and_their_number_does_not_count(make: Maker) -> None:
    bundle = make.everything()
    number = len(bundle.template["Resources"]) - len(groups(bundle.template))
    access = replace(make.access, quotas=replace(make.access.quotas, resources=number))
    pass_gate(bundle, SURROUNDINGS, access)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it["Parameters"].update(Mine={"Type": "String", "Default": "x"}), "Parameters: this section"),
        (lambda it: it["Parameters"]["AutoLambdaLogsApi"].update(Default="{{resolve:ssm:x}}"), "Parameters"),
        (lambda it: it["Conditions"]["AutoLambdaLogsApi"].update({"Fn::Not": []}), "Conditions: this section"),
        (lambda it: it["Resources"]["Api"].update(Condition="AutoLambdaLogsApi"), "Api: the attribute Condition"),
        (lambda it: it["Resources"]["ApiLogGroup"].update(Condition="Mine"), "ApiLogGroup: the attribute Condition"),
        (
            lambda it: it["Resources"]["ApiLogGroup"]["Properties"].update(LogGroupName="/aws/lambda/bank-prod"),
            "ApiLogGroup: LogGroupName",
        ),
    ],
)
def test_no_other_parameter_and_no_other_condition_is_taken(make: Maker, change: Any, said: str) -> None:
    bundle = make.bundle()
    change(bundle.template)
    with pytest.raises(AppError) as caught:
        pass_gate(bundle, SURROUNDINGS, make.access)
    assert said in caught.value.message
