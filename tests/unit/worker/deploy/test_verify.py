from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from drafts import Maker, function, permission, resource, rest_template, role

from auto_lambda.aws.lambda_ import Answer, Functions, State
from worker.deploy.verify import HttpAnswer, Unhealthy, Verifier, get
from worker.model import Bundle

URL = "https://a1.execute-api.us-east-1.amazonaws.com/api/"


class Lambda(Functions):
    """Plays Lambda, and writes down how it was used."""

    def __init__(self, answer: Answer | None = None, state: State | None = None) -> None:
        self.answer = answer or Answer(None, "null")
        self.found = state or State("Active", "Successful", "", "")
        self.called: list[tuple[str, Any]] = []

    def invoke(self, function: str, event: Any) -> Answer:
        self.called.append((function, event))
        return self.answer

    def may_be_invoked(self, function: str) -> None:
        self.called.append((function, "dry run"))

    def state(self, function: str) -> State | None:
        return self.found


class Web:
    """Answers in turn; an exception is raised."""

    def __init__(self, *answers: HttpAnswer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, url: str) -> HttpAnswer:
        self.asked.append(url)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def verify(bundle: Bundle, web: Web, functions: Functions | None = None, url: str | None = URL) -> list[str]:
    said: list[str] = []
    resources = bundle.template["Resources"]
    names = [name for name, one in resources.items() if one["Type"] == "AWS::Lambda::Function"]
    outputs = {f"AutoLambdaAlias{name}": f"arn:{name}:live" for name in names}
    verifier = Verifier(functions or Lambda(), fetch=web, sleep=lambda _: None)
    verifier.verify(bundle, {**outputs, **({"AutoLambdaUrl": url} if url else {})}, said.append)
    return said


@pytest.mark.parametrize("status", [200, 302, 401, 404])
def test_any_answer_below_500_is_well(make: Maker, status: int) -> None:
    web = Web(HttpAnswer(status, ""))
    assert verify(make.bundle(), web) == [f"GET {URL}: {status}"]


def test_a_cold_start_is_waited_for(make: Maker) -> None:
    web = Web(OSError("connection refused"), HttpAnswer(502, ""), HttpAnswer(200, ""))
    verify(make.bundle(), web)
    assert len(web.asked) == 3


def test_an_answer_above_is_not_well(make: Maker) -> None:
    with pytest.raises(Unhealthy, match="was answered 500: out of ideas"):
        verify(make.bundle(), Web(HttpAnswer(500, "out of\n ideas")))


FAILED = Answer("KeyError", "'TABLE'")
DENIED = Answer("AccessDeniedException", "User is not authorized to perform dynamodb:GetItem")


def test_an_error_of_the_function_itself_is_final_at_once_and_told(make: Maker) -> None:
    web, functions = Web(HttpAnswer(502, "Internal server error")), Lambda(FAILED)
    with pytest.raises(Unhealthy, match=r"was answered 502: Internal server error \(Api failed: KeyError: 'TABLE'\)"):
        verify(make.bundle(), web, functions)
    assert len(web.asked) == 1
    ((function, event),) = functions.called
    assert function == "arn:Api:live"
    assert (event["httpMethod"], event["path"], event["requestContext"]["stage"]) == ("GET", "/", "api")


def test_rights_that_are_on_their_way_are_waited_for(make: Maker) -> None:
    web = Web(HttpAnswer(502, ""), HttpAnswer(200, ""))
    verify(make.bundle(), web, Lambda(DENIED))
    assert len(web.asked) == 2


def test_a_route_that_fails_before_a_function_which_does_not_is_waited_for(make: Maker) -> None:
    web = Web(HttpAnswer(500, ""), HttpAnswer(500, ""), HttpAnswer(200, ""))
    verify(make.bundle(), web)
    assert len(web.asked) == 3


def test_no_answer_at_all(make: Maker) -> None:
    with pytest.raises(Unhealthy, match="got no answer"):
        verify(make.bundle(), Web(TimeoutError()))


def test_a_websocket_has_no_page_to_get(make: Maker) -> None:
    (said,) = verify(make.bundle(), Web(AssertionError()), url="wss://a1.execute-api.us-east-1.amazonaws.com/api/")
    assert said.startswith("Api is ready")


def test_a_private_api_is_not_asked(make: Maker) -> None:
    template = rest_template()
    template["Resources"]["Rest"]["Properties"]["EndpointConfiguration"] = {"Types": ["PRIVATE"]}
    (said,) = verify(make.bundle(template), Web(AssertionError()))
    assert said.startswith("Api is ready")


def triggered(**triggers: dict[str, Any]) -> dict[str, Any]:
    return {"Resources": {"Work": function(), "Tick": function(), "Role": role(), **triggers}}


QUEUE = resource("Lambda::EventSourceMapping", FunctionName={"Ref": "Work"}, EventSourceArn="arn:aws:sqs:r:1:q")
RULE = resource("Events::Rule", Targets=[{"Id": "x", "Arn": {"Fn::GetAtt": ["Work", "Arn"]}}])


def test_another_function_is_tried_where_the_main_one_would_work(make: Maker) -> None:
    functions = Lambda()
    verify(make.bundle(triggered(Queue=QUEUE), url=False, main="Tick"), Web(AssertionError()), functions, None)
    assert functions.called == [("arn:Work:live", {"Records": []})]


def test_a_function_with_a_schedule_too_is_not_called(make: Maker) -> None:
    functions = Lambda()
    rights = permission("Work", "events", {"Fn::GetAtt": ["Rule", "Arn"]})
    template = triggered(Queue=QUEUE, Rule=RULE, Rights=rights)
    verify(make.bundle(template, url=False, main="Work"), Web(AssertionError()), functions, None)
    assert functions.called == [("arn:Work:live", "dry run")]


def test_a_function_that_does_not_start(make: Maker) -> None:
    functions = Lambda(Answer("Runtime.ImportModuleError", "No module named 'numpy'"))
    with pytest.raises(Unhealthy, match=r"Work does not start: Runtime.ImportModuleError: No module named 'numpy'"):
        verify(make.bundle(triggered(Queue=QUEUE), url=False, main="Work"), Web(), functions, None)
    assert len(functions.called) == 1


def test_a_function_that_is_not_ready(make: Maker) -> None:
    functions = Lambda(state=State("Failed", "Failed", "the subnet is gone", ""))
    with pytest.raises(Unhealthy, match="Work is Failed: the subnet is gone"):
        verify(make.bundle(triggered(), url=False, main="Work"), Web(), functions, None)


class Site(http.server.BaseHTTPRequestHandler):
    """``/`` leads elsewhere, anything else gives much."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(302 if self.path == "/" else 200)
        self.send_header("Location", "/secret")
        self.end_headers()
        self.wfile.write(b"x" * 100_000)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def site() -> Iterator[str]:
    Site.asked.clear()
    with http.server.HTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_get_follows_no_redirect(site: str) -> None:
    assert get(site).status == 302
    assert Site.asked == ["/"]


def test_get_reads_the_beginning_only(site: str) -> None:
    answer = get(f"{site}/big?x=1")
    assert answer.status == 200
    assert 0 < len(answer.text) <= 300
    assert Site.asked == ["/big?x=1"]


def test_get_of_nobody() -> None:
    with pytest.raises(OSError, match="refused"):
        get("http://127.0.0.1:1/")
