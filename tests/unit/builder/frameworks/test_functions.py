from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from drafts import ACCOUNT, APP, SURROUNDINGS, Maker, everything, function, resource, role

from auto_lambda.errors import AppError, Code
from auto_lambda.grants import Grants
from auto_lambda.model import Template
from builder.frameworks.functions import with_functions
from builder.function_options import FunctionOptions
from builder.lint.lint import lint
from builder.model import Draft
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.gate import pass_gate

LOST = f"arn:aws:sqs:us-east-1:{ACCOUNT}:lost"


def draft(template: Template | None = None, **functions: str) -> Draft:
    two = {"Resources": {"Work": function("work.run"), "Web": function("web.answer"), "Role": role()}}
    return Draft(template or two, Path(), "Web", functions=functions or {"work": "Work", "web": "Web"})


def extended(python: str = "3.12", before: Draft | None = None, **settings: Any) -> dict[str, Any]:
    """The resources, once function ``work`` has these settings."""
    made = with_functions(before or draft(), {"work": FunctionOptions(**settings)}, python)
    found: dict[str, Any] = made.template["Resources"]
    return found


def refused(**more: Any) -> AppError:
    with pytest.raises(AppError) as caught:
        extended(**more)
    assert caught.value.code is Code.BAD_CONFIG
    return caught.value


def test_nothing_asked_changes_nothing() -> None:
    before = draft()
    assert with_functions(before, {}, "3.12") == before
    assert with_functions(before, {"work": FunctionOptions()}, "3.12") == before


def test_the_draft_itself_is_not_changed() -> None:
    before = draft()
    kept = copy.deepcopy(before.template)
    extended(before=before, disk=1024, dead_letter_queue="lost", retries=0, url="public")
    assert before.template == kept


def test_disk_snap_start_and_provisioned_environments() -> None:
    assert extended(disk=1024)["Work"]["Properties"]["EphemeralStorage"] == {"Size": 1024}
    assert extended(snap_start=True)["Work"]["Properties"]["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert extended(provisioned=3)["Work"]["Metadata"] == {"AutoLambda": {"ProvisionedConcurrency": 3}}


def test_a_python_that_has_no_snap_start() -> None:
    error = refused(python="3.11", snap_start=True)
    assert "functions.work.snap_start: Lambda has it since Python 3.12, and the app runs on 3.11" in error.message
    assert extended(python="3.14", snap_start=True)


def test_lost_events_go_to_a_queue_that_the_role_may_send_to() -> None:
    made = extended(dead_letter_queue=LOST)
    assert made["Work"]["Properties"]["DeadLetterConfig"] == {"TargetArn": LOST}
    (policy,) = made["Role"]["Properties"]["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [LOST]}
    ]
    lint({"Resources": made}, {})


def test_lost_events_go_to_a_topic() -> None:
    made = extended(dead_letter_queue=LOST.replace("sqs", "sns"))
    (policy,) = made["Role"]["Properties"]["Policies"]
    assert policy["PolicyDocument"]["Statement"][0]["Action"] == ["sns:Publish"]


def test_a_queue_by_name_is_one_of_the_apps_own_account() -> None:
    named = {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:lost"}
    assert extended(dead_letter_queue="lost")["Work"]["Properties"]["DeadLetterConfig"] == {"TargetArn": named}


@pytest.mark.parametrize(
    ("asked", "properties"),
    [
        ({"retries": 0}, {"MaximumRetryAttempts": 0}),
        ({"max_age": 60}, {"MaximumEventAgeInSeconds": 60}),
        ({"retries": 1, "max_age": 3600}, {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 3600}),
    ],
)
def test_limits_of_asynchronous_calls(asked: dict[str, Any], properties: dict[str, int]) -> None:
    made = extended(**asked)["WorkCalls"]
    assert made == resource("Lambda::EventInvokeConfig", FunctionName={"Ref": "Work"}, Qualifier="live", **properties)


def test_the_answer_to_a_batch_may_name_what_failed() -> None:
    queue = {"EventSourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs"}
    template = draft().template
    template["Resources"] |= {
        "Queue": resource("Lambda::EventSourceMapping", FunctionName={"Ref": "Work"}, **queue),
        "Other": resource("Lambda::EventSourceMapping", FunctionName={"Ref": "Web"}, **queue),
    }
    made = extended(before=draft(template), partial_batches=True)
    assert made["Queue"]["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert "FunctionResponseTypes" not in made["Other"]["Properties"]


def test_there_must_be_batches() -> None:
    assert "functions.work.partial_batches: no queue and no stream calls it" in refused(partial_batches=True).message


def test_a_url_for_everybody_needs_two_permissions() -> None:
    made = extended(url="public")
    assert made["WorkUrl"]["Properties"] == {"AuthType": "NONE", "TargetFunctionArn": {"Ref": "Work"}}
    permissions = [one["Properties"] for one in made.values() if one["Type"] == "AWS::Lambda::Permission"]
    assert [one["Action"] for one in permissions] == ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"]
    assert permissions[0]["FunctionUrlAuthType"] == "NONE"
    assert permissions[1]["InvokedViaFunctionUrl"] is True


def test_a_signed_url_is_open_to_nobody() -> None:
    made = extended(url="signed")
    assert made["WorkUrl"]["Properties"]["AuthType"] == "AWS_IAM"
    assert not [one for one in made.values() if one["Type"] == "AWS::Lambda::Permission"]


def test_the_apps_address_is_the_main_functions_url() -> None:
    settings = {name: FunctionOptions(url="public") for name in ("work", "web")}
    assert with_functions(draft(), settings, "3.12").url == {"Fn::GetAtt": ["WebUrl", "FunctionUrl"]}
    only = with_functions(draft(), {"work": FunctionOptions(url="public")}, "3.12")
    assert (only.url, only.main) == ({"Fn::GetAtt": ["WorkUrl", "FunctionUrl"]}, "Web")
    api = with_functions(replace(draft(), url={"Ref": "Api"}), settings, "3.12")
    assert api.url == {"Ref": "Api"}
    assert (only.known_front, api.known_front) == (False, True), "a URL of its own is asked only if its author says so"


def test_what_answers_an_api_gets_no_url() -> None:
    before = draft(everything(), work="Api")
    assert "functions.work.url: it answers an API" in refused(before=before, url="public").message


def test_a_function_that_the_app_does_not_have() -> None:
    with pytest.raises(AppError) as caught:
        with_functions(draft(), {"werk": FunctionOptions(retries=0)}, "3.12")
    assert "[functions] names werk, which the app does not have" in caught.value.message
    assert caught.value.hint == "Its functions are: work, web."


def test_a_resource_of_the_app_is_not_overwritten() -> None:
    template = draft().template
    template["Resources"]["WorkUrl"] = function("work.url")
    assert "needs a resource WorkUrl" in refused(before=draft(template), url="public").message


EVERYTHING = FunctionOptions(
    disk=1024, url="public", provisioned=1, dead_letter_queue=LOST, retries=0, max_age=60, partial_batches=True
)


@pytest.fixture
def complete(tmp_path: Path) -> Any:
    template = everything()
    for name in ("Url", "UrlPermission", "UrlInvokePermission", "Retries"):
        del template["Resources"][name]
    made = with_functions(draft(template, work="Work"), {"work": EVERYTHING}, "3.12")
    return Maker(tmp_path).bundle(made.template)


def test_all_of_it_passes_the_gate_and_names_the_alias(complete: Any) -> None:
    pass_gate(complete, SURROUNDINGS)
    resources = complete.template["Resources"]
    assert resources["WorkUrl"]["Properties"]["Qualifier"] == "live"
    assert resources["WorkCalls"]["Properties"]["Qualifier"] == "live"
    assert resources["WorkUrlPermission"]["Properties"]["FunctionName"] == {"Ref": "WorkLive"}
    provisioned = resources["WorkLive"]["Properties"]["ProvisionedConcurrencyConfig"]
    assert provisioned == {"ProvisionedConcurrentExecutions": 1}


def test_a_closed_pipeline_wants_a_grant_for_the_queue_of_lost_events(complete: Any) -> None:
    given = Grants(queues=(f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs",), topics=(f"arn:aws:sns:us-east-1:{ACCOUNT}:news",))
    closed = AppAccess(APP, rights="granted", grants=given)
    with pytest.raises(AppError, match=f'Work: DeadLetterConfig.TargetArn: .*grants: queues: \\["{LOST}"\\]'):
        pass_gate(complete, SURROUNDINGS, closed)
    pass_gate(complete, SURROUNDINGS, replace(closed, grants=replace_queues(given, LOST)))


def replace_queues(grants: Grants, queue: str) -> Grants:
    return grants.model_copy(update={"queues": (*grants.queues, queue)})
