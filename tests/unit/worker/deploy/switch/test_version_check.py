"""A version is asked as its front would ask it, before anybody is led to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drafts import Maker, function, permission, resource, rest_template, role

from auto_lambda.aws.lambda_ import Answer, Functions, State
from worker.bundle import pointers
from worker.deploy.function_log import FunctionLogs
from worker.deploy.switch.version_check import VersionCheck
from worker.deploy.unhealthy import Unhealthy
from worker.model import Bundle

URL = "https://a1.execute-api.us-east-1.amazonaws.com/api/"
WELL = Answer(None, "", payload='{"statusCode": 200, "body": "hello"}')
TRACEBACK = """Traceback (most recent call last):
  File "/var/task/app.py", line 7, in i
    return a.b
AttributeError: no b
"""


class Lambda(Functions):
    """Plays Lambda, answers in turn, and writes down how it was used."""

    def __init__(self, *answers: Answer, state: State | None = None) -> None:
        self.answers = list(answers) or [WELL]
        self.found = state or State("Active", "Successful", "", "")
        self.called: list[tuple[str, Any]] = []

    def invoke(self, function: str, event: Any) -> Answer:
        self.called.append((function, event))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def may_be_invoked(self, function: str) -> None:
        self.called.append((function, "dry run"))

    def state(self, function: str) -> State | None:
        return self.found


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def verify(bundle: Bundle, functions: Functions | None = None, url: str | None = URL) -> list[str]:
    said: list[str] = []
    versions = {name: f"{name}:7" for name in pointers.functions(bundle.template)}
    check = VersionCheck(functions or Lambda(), "us-east-1", FunctionLogs(), sleep=lambda _: None)
    check.verify(bundle, url, versions, said.append)
    return said


@pytest.mark.parametrize("status", [200, 302, 401, 404, "204"])
def test_any_answer_below_500_is_well(make: Maker, status: int | str) -> None:
    answer = Answer(None, "", payload=f'{{"statusCode": "{status}"}}')
    assert verify(make.bundle(), Lambda(answer)) == [f"GET / was answered {status} by version 7"]


def test_it_is_asked_by_the_event_of_its_front(make: Maker) -> None:
    functions = Lambda()
    template = rest_template()
    paths = template["Resources"]["Rest"]["Properties"]["Body"]["paths"]
    paths["/items/{id}"] = paths.pop("/{proxy+}")
    verify(make.bundle(template, health_path="/items/a%20b?full=1"), functions)
    ((version, event),) = functions.called
    assert version == "Api:7"
    assert event["requestContext"]["resourcePath"] == event["resource"] == "/items/{id}"
    assert (event["path"], event["pathParameters"]) == ("/items/a%20b", {"id": "a b"})
    assert (event["headers"]["Host"], event["requestContext"]["stage"]) == (URL.split("/")[2], "api")


def test_before_there_is_an_address_it_is_asked_under_one_that_looks_like_it(make: Maker) -> None:
    functions = Lambda()
    verify(make.bundle(), functions, url=None)
    ((_, event),) = functions.called
    assert event["headers"]["Host"] == "verification.execute-api.us-east-1.amazonaws.com"
    assert event["requestContext"]["stage"] == "api"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(None, "", payload='{"statusCode": 500, "body": "out of\\n ideas"}'), "500: out of ideas"),
        (Answer(None, "", payload='{"statusCode": 503}', log=TRACEBACK), "503: AttributeError: no b"),
        (Answer("KeyError", "'TABLE'"), "502: Api failed: KeyError: 'TABLE'"),
        (Answer("Sandbox.Timedout", "Task timed out after 3.00 seconds"), "502: Api failed: Sandbox.Timedout"),
        (Answer("Runtime.OutOfMemory", "signal: killed"), "502: Api failed: Runtime.OutOfMemory"),
        (Answer(None, "", payload='"hello"'), "502: Api returned what is no response"),
        (Answer(None, "", payload='{"body": "no status"}'), "502: Api returned what is no response"),
    ],
)
def test_what_its_front_would_answer_with_an_error_is_not_well(make: Maker, answer: Answer, told: str) -> None:
    with pytest.raises(Unhealthy) as caught:
        verify(make.bundle(), Lambda(answer))
    assert str(caught.value).startswith(f"GET / was answered {told}")


def test_rights_that_are_on_their_way_are_waited_for(make: Maker) -> None:
    functions = Lambda(
        Answer("AccessDeniedException", "not yet"), Answer(None, "", payload='{"statusCode": 500}'), WELL
    )
    verify(make.bundle(), functions)
    assert len(functions.called) == 3


def test_an_error_of_the_function_itself_is_final_and_comes_with_its_log(make: Maker) -> None:
    functions = Lambda(Answer("KeyError", "'COLOR'", log=f"START RequestId: 1 Version: 7\n{TRACEBACK}"), WELL)
    with pytest.raises(Unhealthy) as caught:
        verify(make.bundle(), functions)
    assert caught.value.function_log == TRACEBACK.rstrip()
    assert len(functions.called) == 1


def guarded() -> dict[str, Any]:
    template = rest_template()
    body = template["Resources"]["Rest"]["Properties"]["Body"]
    body["paths"]["/"]["get"]["security"] = [{"guard": []}]
    return template


def routeless() -> dict[str, Any]:
    template = rest_template()
    paths = template["Resources"]["Rest"]["Properties"]["Body"]["paths"]
    del paths["/"], paths["/{proxy+}"]
    return template


@pytest.mark.parametrize("template", [guarded(), routeless()], ids=["for some callers only", "no such path"])
def test_what_the_front_answers_by_itself_is_not_asked(make: Maker, template: dict[str, Any]) -> None:
    functions = Lambda(Answer("KeyError", "'authorizer'"))
    assert verify(make.bundle(template), functions) == ["Api is ready (not called: calling it would do its work)"]
    assert {event for _, event in functions.called} == {"dry run"}


def test_a_websocket_has_no_page_to_get(make: Maker) -> None:
    (said,) = verify(make.bundle(), url="wss://a1.execute-api.us-east-1.amazonaws.com/api/")
    assert said.startswith("Api is ready")


def test_a_private_api_is_asked_behind_its_network(make: Maker) -> None:
    template = rest_template()
    template["Resources"]["Rest"]["Properties"]["EndpointConfiguration"] = {"Types": ["PRIVATE"]}
    (said,) = verify(make.bundle(template))
    assert said == "GET / was answered 200 by version 7"


def http_api(route: str, payload: str) -> dict[str, Any]:
    template = rest_template()
    resources = template["Resources"]
    for name in ("Rest", "RestDeployment", "RestStage", "RestPermission"):
        del resources[name]
    uri = {"Fn::GetAtt": ["Api", "Arn"]}
    resources["Rest"] = resource("ApiGatewayV2::Api", Name="shop", ProtocolType="HTTP")
    resources["Call"] = resource(
        "ApiGatewayV2::Integration", ApiId={"Ref": "Rest"}, IntegrationType="AWS_PROXY", IntegrationUri=uri,
        PayloadFormatVersion=payload,
    )  # fmt: skip
    target = {"Fn::Sub": "integrations/${Call}"}
    resources["Route"] = resource("ApiGatewayV2::Route", ApiId={"Ref": "Rest"}, RouteKey=route, Target=target)
    return template


@pytest.mark.parametrize("route", ["$default", "ANY /{proxy+}", "GET /up"])
def test_a_route_of_an_http_api_leads_to_its_function(make: Maker, route: str) -> None:
    functions = Lambda(Answer(None, "", payload='"anything is a response"'))
    verify(make.bundle(http_api(route, "2.0"), health_path="/up"), functions)
    ((_, event),) = functions.called
    assert (event["version"], event["rawPath"][-3:]) == ("2.0", "/up")


def test_an_http_api_that_sends_the_older_events_takes_whole_responses_only(make: Maker) -> None:
    functions = Lambda(Answer(None, "", payload='"anything"'))
    with pytest.raises(Unhealthy, match="no response"):
        verify(make.bundle(http_api("$default", "1.0")), functions)
    assert functions.called[0][1]["httpMethod"] == "GET"


def test_a_route_that_an_http_api_does_not_have_is_not_asked(make: Maker) -> None:
    (said,) = verify(make.bundle(http_api("POST /orders", "2.0")))
    assert said.startswith("Api is ready")


def triggered(**triggers: dict[str, Any]) -> dict[str, Any]:
    return {"Resources": {"Work": function(), "Tick": function(), "Role": role(), **triggers}}


QUEUE = resource("Lambda::EventSourceMapping", FunctionName={"Ref": "Work"}, EventSourceArn="arn:aws:sqs:r:1:q")
RULE = resource("Events::Rule", Targets=[{"Id": "x", "Arn": {"Fn::GetAtt": ["Work", "Arn"]}}])


def test_another_function_is_tried_where_the_main_one_would_work(make: Maker) -> None:
    functions = Lambda()
    verify(make.bundle(triggered(Queue=QUEUE), url=False, main="Tick"), functions, None)
    assert functions.called == [("Work:7", {"Records": []}), ("Tick:7", "dry run")]


def test_a_function_with_a_schedule_too_is_not_called(make: Maker) -> None:
    functions = Lambda()
    rights = permission("Work", "events", {"Fn::GetAtt": ["Rule", "Arn"]})
    template = triggered(Queue=QUEUE, Rule=RULE, Rights=rights)
    verify(make.bundle(template, url=False, main="Work"), functions, None)
    assert functions.called == [("Work:7", "dry run"), ("Tick:7", "dry run")]


def test_no_request_is_made_up_for_a_front_that_nobody_knows(make: Maker) -> None:
    functions = Lambda()
    verify(make.bundle(rest_template(), asked=False), functions)
    verify(make.bundle(triggered(Queue=QUEUE), url=False, main="Work", asked=False), functions, None)
    assert functions.called == [("Api:7", "dry run"), ("Work:7", "dry run"), ("Tick:7", "dry run")]


def test_a_function_that_does_not_start(make: Maker) -> None:
    functions = Lambda(Answer("Runtime.ImportModuleError", "No module named 'numpy'"))
    with pytest.raises(Unhealthy, match=r"Work does not start: Runtime.ImportModuleError: No module named 'numpy'"):
        verify(make.bundle(triggered(Queue=QUEUE), url=False, main="Work"), functions, None)
    assert len(functions.called) == 1


def test_a_function_that_is_not_ready(make: Maker) -> None:
    functions = Lambda(state=State("Failed", "Failed", "the subnet is gone", ""))
    with pytest.raises(Unhealthy, match="Work is Failed: the subnet is gone"):
        verify(make.bundle(triggered(), url=False, main="Work"), functions, None)


def test_a_queue_handler_that_fails_comes_with_its_log(make: Maker) -> None:
    failing = Answer("KeyError", "'COLOR'", log=TRACEBACK)
    with pytest.raises(Unhealthy, match="does not start") as caught:
        verify(make.bundle(triggered(Queue=QUEUE), url=False, main="Work"), Lambda(failing), None)
    assert caught.value.function_log == TRACEBACK.rstrip()
