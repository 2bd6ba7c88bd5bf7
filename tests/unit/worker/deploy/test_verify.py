from __future__ import annotations

import contextlib
import json
from datetime import datetime
from http.client import BadStatusLine
from pathlib import Path
from typing import Any

import pytest
from drafts import Maker, rest_template

from auto_lambda.aws.lambda_ import Answer, Functions, State
from auto_lambda.aws.logs import LogGroups
from worker.deploy.function_log import TAIL_BYTES, FunctionLogs
from worker.deploy.http_get import HttpAnswer, NotPublic
from worker.deploy.unhealthy import Unhealthy
from worker.deploy.verify import Verifier
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


class Groups(LogGroups):
    """Has the events of every invocation."""

    def __init__(self, found: list[str] | None) -> None:
        self.found = found

    def of_request(self, group: str, request: str, since: datetime) -> list[str] | None:
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


def verify(
    bundle: Bundle,
    web: Web,
    functions: Functions | None = None,
    url: str | None = URL,
    endpoint: str | None = None,
    logs: list[str] | None = None,
) -> list[str]:
    said: list[str] = []
    resources = bundle.template["Resources"]
    names = [name for name, one in resources.items() if one["Type"] == "AWS::Lambda::Function"]
    outputs = {f"AutoLambdaAlias{name}": f"arn:{name}:live" for name in names}
    verifier = Verifier(
        functions or Lambda(), endpoint, fetch=web, sleep=lambda _: None, logs=FunctionLogs(Groups(logs))
    )
    verifier.verify(bundle, {**outputs, **({"AutoLambdaUrl": url} if url else {})}, {"Rest": "a1"}, said.append)
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


TRACEBACK = """Traceback (most recent call last):
  File "/var/task/app.py", line 7, in i
    return a.b
AttributeError: no b
"""


def test_a_page_that_hides_the_exception_is_explained_by_the_log(make: Maker) -> None:
    web, functions = Web(HttpAnswer(500, "<h1>Internal Server Error</h1>")), Lambda(Answer(None, "{}", log=TRACEBACK))
    with pytest.raises(Unhealthy, match=r"was answered 500: AttributeError: no b$"):
        verify(make.bundle(), web, functions)


@pytest.mark.parametrize("message", ['{"statusCode": 500, "body": ""}', "{}"])
def test_what_the_function_logged_about_a_failing_answer_is_told_whole(make: Maker, message: str) -> None:
    log = f"START RequestId: 1 Version: 7\nasking the warehouse\n{TRACEBACK}END RequestId: 1\n"
    with pytest.raises(Unhealthy) as caught:
        verify(make.bundle(), Web(HttpAnswer(500, "<h1>no</h1>")), Lambda(Answer(None, message, log=log)))
    assert caught.value.function_log == f"asking the warehouse\n{TRACEBACK}".rstrip()


def test_an_exception_before_the_last_4_kb_of_the_log_is_found_in_the_whole_of_it(make: Maker) -> None:
    noise = "one more line\n" * 400
    functions = Lambda(Answer(None, '{"statusCode": 500}', log=noise[-TAIL_BYTES:], request="r1"))
    with pytest.raises(Unhealthy, match=r"was answered 500: AttributeError: no b$") as caught:
        verify(make.bundle(), Web(HttpAnswer(500, "<h1>no</h1>")), functions, logs=[TRACEBACK, noise])
    assert caught.value.function_log.startswith("Traceback")


def test_the_log_of_a_call_that_went_well_is_not_told_of_one_that_did_not(make: Maker) -> None:
    well = Answer(None, '{"statusCode": 200}', log="all is well\n")
    with pytest.raises(Unhealthy) as caught:
        verify(make.bundle(), Web(HttpAnswer(502, "")), Lambda(well))
    assert caught.value.function_log == ""


def test_an_error_of_the_function_itself_comes_with_its_log(make: Maker) -> None:
    failing = Answer("KeyError", "'COLOR'", log=f"START RequestId: 1 Version: 7\n{TRACEBACK}")
    with pytest.raises(Unhealthy) as caught:
        verify(make.bundle(), Web(HttpAnswer(502, "")), Lambda(failing))
    assert caught.value.function_log == TRACEBACK.rstrip()


def test_the_function_is_asked_for_the_cause_under_the_host_that_was_asked(make: Maker) -> None:
    functions = Lambda(Answer(None, "{}"))
    with pytest.raises(Unhealthy):
        verify(make.bundle(), Web(HttpAnswer(500, "")), functions)
    _, event = functions.called[0]
    assert str(event["headers"].get("Host") or event["headers"]["host"]) == URL.split("/")[2]


def test_the_function_is_asked_for_the_cause_by_the_route_that_was_asked(make: Maker) -> None:
    template = rest_template()
    paths = template["Resources"]["Rest"]["Properties"]["Body"]["paths"]
    paths["/items/{id}"] = paths.pop("/{proxy+}")
    functions = Lambda(Answer(None, "{}"))
    with pytest.raises(Unhealthy):
        verify(make.bundle(template, health_path="/items/a%20b?full=1"), Web(HttpAnswer(500, "")), functions)
    _, event = functions.called[0]
    assert event["requestContext"]["resourcePath"] == event["resource"] == "/items/{id}"
    assert (event["path"], event["pathParameters"]) == ("/items/a%20b", {"id": "a b"})
    assert event["multiValueQueryStringParameters"] == {"full": ["1"]}


def test_an_answer_with_a_traceback_ends_in_the_exception(make: Maker) -> None:
    with pytest.raises(Unhealthy, match=r"was answered 500: AttributeError: no b$"):
        verify(make.bundle(), Web(HttpAnswer(500, "x" * 500 + TRACEBACK)))


def test_a_traceback_that_is_cut_off_is_read_from_the_functions_own_answer(make: Maker) -> None:
    whole = json.dumps({"statusCode": 500, "body": json.dumps(str({"traceback": TRACEBACK.splitlines(keepends=True)}))})
    with pytest.raises(Unhealthy, match=r"was answered 500: AttributeError: no b$"):
        verify(make.bundle(), Web(HttpAnswer(500, TRACEBACK[:60])), Lambda(Answer(None, whole)))


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


CALL = "An error occurred ({}) when calling the GetItem operation: "


@pytest.mark.parametrize(
    "answer",
    [
        DENIED,
        Answer("ClientError", CALL.format("AccessDeniedException") + "User is not authorized"),
        Answer("ClientError", CALL.format("Throttling") + "Rate exceeded"),
        Answer("Sandbox.Timedout", "RequestId: 1 Error: Task timed out after 3.00 seconds"),
        Answer("Unhandled", "2026-11-28T10:00:00.000Z 0f4c3a52-6c1b Task timed out after 3.00 seconds"),
        Answer("ConnectTimeoutError", 'Connect timeout on endpoint URL: "https://x"'),
    ],
)
def test_rights_that_are_on_their_way_are_waited_for(make: Maker, answer: Answer) -> None:
    web = Web(HttpAnswer(502, ""), HttpAnswer(200, ""))
    verify(make.bundle(), web, Lambda(answer))
    assert len(web.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer("RuntimeError", "rate exceeded"),
        Answer("RuntimeError", CALL.format("AccessDenied")),
        Answer("ValueError", "security token timed out, access denied"),
        Answer("ClientError", CALL.format("ValidationException") + "not authorized: throttling"),
        Answer("ClientError", "x " + CALL.format("AccessDenied")),
        Answer("Runtime.ImportModuleError", "No module named 'timeout'"),
        Answer("ThrottledTimeoutUnauthorizedError", ""),
    ],
)
def test_an_app_that_fails_is_broken_whatever_it_says(make: Maker, answer: Answer) -> None:
    web = Web(HttpAnswer(502, ""), HttpAnswer(200, ""))
    with pytest.raises(Unhealthy, match="Api failed"):
        verify(make.bundle(), web, Lambda(answer))
    assert len(web.asked) == 1


def test_a_route_that_fails_before_a_function_which_does_not_is_waited_for(make: Maker) -> None:
    web = Web(HttpAnswer(500, ""), HttpAnswer(500, ""), HttpAnswer(200, ""))
    verify(make.bundle(), web)
    assert len(web.asked) == 3


def test_no_answer_at_all(make: Maker) -> None:
    with pytest.raises(Unhealthy, match="got no answer"):
        verify(make.bundle(), Web(TimeoutError()))


def test_a_websocket_has_no_page_to_get(make: Maker) -> None:
    assert not verify(make.bundle(), Web(AssertionError()), url="wss://a1.execute-api.us-east-1.amazonaws.com/api/")


def test_a_private_api_is_not_asked(make: Maker) -> None:
    template = rest_template()
    template["Resources"]["Rest"]["Properties"]["EndpointConfiguration"] = {"Types": ["PRIVATE"]}
    assert not verify(make.bundle(template), Web(AssertionError()))


FOREIGN = (
    "http://127.0.0.1:8080/",
    "https://169.254.169.254/latest/meta-data/",
    "https://internal.example/",
    "https://other1.execute-api.us-east-1.amazonaws.com/api/",  # another stack's API
    "http://a1.execute-api.us-east-1.amazonaws.com/api/",
    "https://a1.execute-api.us-east-1.amazonaws.com:8443/api/",
    "https://a1.execute-api.us-east-1.amazonaws.com.evil.example/api/",
    "https://a1.execute-api.us-east-1.evil.example/api/",
    "https://user@a1.execute-api.us-east-1.amazonaws.com/api/",
    "https://127.0.0.1/a1.execute-api.us-east-1.amazonaws.com/",
    "https://a1.execute-api.us-east-1.amazonaws.com@127.0.0.1/",
    "https://x.lambda-url.us-east-1.on.aws.evil.example/",
    "https://x.lambda-url.us-east-1.on.aws:444/",
    "file:///etc/passwd",
)


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:4566"])
@pytest.mark.parametrize("url", FOREIGN)
def test_what_is_not_the_stacks_own_is_never_asked(make: Maker, url: str, endpoint: str | None) -> None:
    web = Web(HttpAnswer(200, ""))
    with contextlib.suppress(Unhealthy):
        verify(make.bundle(), web, url=url, endpoint=endpoint)
    assert all(asked.startswith(f"{endpoint}/_aws/") for asked in web.asked)
    assert endpoint or not web.asked


@pytest.mark.parametrize("url", FOREIGN)
def test_a_foreign_url_is_the_uploaders_fault_at_once(make: Maker, url: str) -> None:
    with pytest.raises(Unhealthy, match="no address of the stack's own"):
        verify(make.bundle(), Web(HttpAnswer(200, "")), url=url)


@pytest.mark.parametrize("answer", [HttpAnswer(503, "of another service"), BadStatusLine("of another service")])
@pytest.mark.parametrize("url", FOREIGN)
def test_neither_pages_nor_banners_of_another_service_are_told(
    make: Maker, url: str, answer: HttpAnswer | Exception
) -> None:
    with pytest.raises(Unhealthy) as caught:
        verify(make.bundle(), Web(answer), url=url)
    assert "of another service" not in str(caught.value)


def test_on_an_emulator_its_own_endpoint_is_asked(make: Maker) -> None:
    web = Web(HttpAnswer(200, ""))
    verify(make.bundle(), web, endpoint="http://127.0.0.1:4566")
    assert web.asked == ["http://127.0.0.1:4566/_aws/execute-api/a1/api/"]


def test_a_path_that_leads_upwards_is_not_asked_of_an_emulator(make: Maker) -> None:
    web = Web(HttpAnswer(200, ""))
    with pytest.raises(Unhealthy, match="no address of the stack's own"):
        verify(make.bundle(), web, url=f"{URL}../../secret", endpoint="http://127.0.0.1:4566")
    assert not web.asked


def test_an_api_with_private_addresses_is_not_asked(make: Maker) -> None:
    (said,) = verify(make.bundle(), Web(NotPublic("a1.execute-api.us-east-1.amazonaws.com has no public address")))
    assert said.endswith("has no public address: it is not asked from here")


def test_what_an_answer_says_is_shown_as_plain_text(make: Maker) -> None:
    with pytest.raises(Unhealthy, match=r"was answered 500: red text$"):
        verify(make.bundle(), Web(HttpAnswer(500, "\x1b[31mred\x07\x00 \x1b]0;title\x07text\u202e")))


def test_of_an_answer_only_the_beginning_is_shown(make: Maker) -> None:
    with pytest.raises(Unhealthy) as caught:
        verify(make.bundle(), Web(HttpAnswer(500, "x" * 100_000)))
    assert len(str(caught.value)) < 500
