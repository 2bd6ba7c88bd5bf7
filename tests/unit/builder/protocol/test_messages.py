from __future__ import annotations

import json
from typing import Any

import pytest
from builders import PROOF, REQUEST, built
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_lambda.errors import Code
from builder.protocol.channel import BadMessage
from builder.protocol.flex import FlexMessage
from builder.protocol.messages import (
    Action,
    AppRequest,
    BuildRequest,
    ProblemMessage,
    Reply,
    Toolchain,
    read_as,
    read_event,
)
from builder.protocol.traffic import TrafficMessage

SHA = "0123456789abcdef" * 4
FILE = {"name": "code.zip", "size": 1, "sha256": SHA}
NOTIFICATION = {
    "bucket": "b",
    "function": "Main",
    "events": ["s3:ObjectCreated:*"],
    "prefix": "p",
    "suffix": "s",
    "called": ["a.b"],
}
DOMAIN = {"name": "shop.example.com", "certificate_arn": None, "base_path": "v1", "sockets": False}
TRAFFIC = TrafficMessage(kind="canary", percent=10, interval=600, stages=["prod"]).model_dump()
FLEX = FlexMessage(measure="concurrency", above=1.0, below=0.5, domain="shop.example.com").model_dump()
ACTION = {"kind": "resolve", "inputs": {"python": "3.12"}}
EVENTS: dict[str, dict[str, Any]] = {
    "step": {"event": "step", "step": "unpack"},
    "log": {"event": "log", "text": "line"},
    "warning": {"event": "warning", "text": "careful"},
    "recognised": {"event": "recognised", "framework": "zappa", "python": "3.12", "architecture": "arm64"},
    "guessed": {"event": "guessed", "file": "shop/zappa_settings.json", "text": "{}"},
    "ask": {"event": "ask", "ask": 1, "action": ACTION},
    "tool": {"event": "tool", "ask": 1, "name": "compiler", "python": "3.12"},
    "built": built(
        files=[FILE],
        notifications=[NOTIFICATION],
        retain=3,
        log_days=30,
        flex=FLEX,
        domains=[DOMAIN],
        serves="wsgi",
        release={"manage": "migrate"},
        traffic=TRAFFIC,
    ),
    "done": {"event": "done", "files": [FILE], "on_base": False},
    "failed": {"event": "failed", "problem": {"code": "bad-config", "message": "m", "hint": "h"}},
    "netted": {"event": "netted", "text": "Traceback"},
    "trouble": {"event": "trouble", "text": "oh"},
}
TOOLCHAIN = {"interpreters": {}, "tools": [], "sandbox": "off", "region": "eu-west-1"}
NESTED: Any = [[]]
for _ in range(90):  # as deep as a channel lets through
    NESTED = [NESTED]


def changed(event: str, *path: str | int, to: Any) -> dict[str, Any]:
    """The event with one value put in another's place."""
    content: Any = json.loads(json.dumps(EVENTS[event]))
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return dict(content)


def values(content: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all values."""
    if isinstance(content, dict):
        inner: list[tuple[str | int, Any]] = list(content.items())
    elif isinstance(content, list):
        inner = list(enumerate(content))
    else:
        return [path]
    return [path, *(one for key, value in inner for one in values(value, (*path, key)))]


PLACES = [(event, path) for event, content in EVENTS.items() for path in values(content) if path]
ANYTHING = {("built", "template"), ("built", "url"), ("ask", "action", "inputs"), ("ask", "action", "inputs", "python")}

FLAGS = ("asked", "sockets", "on_base")
FRACTIONS = {("flex", "above"), ("traffic", "errors"), ("traffic", "slower")}
OPTIONAL = {"on_base", "url", "retain", "log_days", "asked", "flex", "domains", "serves", "release", "traffic"}


@pytest.mark.parametrize("event", EVENTS)
def test_each_event_comes_as_it_was_sent(event: str) -> None:
    assert read_event(EVENTS[event]).model_dump(mode="json") == EVENTS[event]


@pytest.mark.parametrize(("event", "path"), PLACES, ids=str)
def test_a_value_of_another_type_or_none_is_refused(event: str, path: tuple[str | int, ...]) -> None:
    free = (event, *path) in ANYTHING
    for wrong in (object(), 1.5, float("nan"), b"x", "\ud800", NESTED, {"x": NESTED}, [None], True, -1):
        same = free or (path[-1] in ("ask",) and wrong == -1 and wrong is not True)
        same = same or (path[-1] in FLAGS and wrong is True) or (path in FRACTIONS and wrong == 1.5)
        if not same:
            with pytest.raises(BadMessage):
                read_event(changed(event, *path, to=wrong))


@pytest.mark.parametrize("event", EVENTS)
def test_unknown_fields_are_refused(event: str) -> None:
    with pytest.raises(BadMessage, match="Extra inputs"):
        read_event({**EVENTS[event], "more": 1})


@pytest.mark.parametrize("event", EVENTS)
def test_fields_that_miss_are_refused(event: str) -> None:
    for name in EVENTS[event].keys() - OPTIONAL:
        with pytest.raises(BadMessage):
            read_event({key: value for key, value in EVENTS[event].items() if key != name})


@pytest.mark.parametrize(
    "content", [{}, {"event": "other"}, {"event": None}, {"event": ["log"]}, {"event": "answer"}, {"text": "x"}]
)
def test_what_is_no_event(content: dict[str, Any]) -> None:
    with pytest.raises(BadMessage, match="an event of another shape"):
        read_event(content)


LIMITS: list[tuple[str, tuple[str | int, ...], int]] = [
    ("log", ("text",), 100_000),
    ("warning", ("text",), 100_000),
    ("trouble", ("text",), 100_000),
    ("failed", ("problem", "message"), 100_000),
    ("failed", ("problem", "hint"), 100_000),
    ("built", ("main",), 4_000),
    ("built", ("health_path",), 4_000),
    ("built", ("lock",), 4_000_000),
    ("built", ("notifications", 0, "bucket"), 4_000),
    ("built", ("notifications", 0, "function"), 4_000),
    ("built", ("notifications", 0, "prefix"), 4_000),
    ("built", ("notifications", 0, "suffix"), 4_000),
    ("built", ("notifications", 0, "events", 0), 4_000),
    ("done", ("files", 0, "name"), 201),
]


@pytest.mark.parametrize(("event", "path", "limit"), LIMITS, ids=str)
def test_texts_have_their_bounds(event: str, path: tuple[str | int, ...], limit: int) -> None:
    read_event(changed(event, *path, to="x" * limit))
    with pytest.raises(BadMessage):
        read_event(changed(event, *path, to="x" * (limit + 1)))


BAD_NAMES = ["", ".", "..", ".x", "-x", "a/b", "/a", "a\\b", "a\0", "a\n", "a b", "é", "code.zip\n", "x" * 202]
BAD_HASHES = ["", SHA[:-1], SHA + "0", SHA.upper(), SHA + "\n", "g" * 64, "\u0660" * 64]
BAD_MINORS = ["", "3", "3.", "3.123", "2.7", "3.12\n", " 3.12", "3.12.1", "3.x", "3.1/2", "3.\u0661\u0662"]
BAD_KEYS = ["", "0" * 39, "0" * 41, "A" * 40, SHA, "../" * 13 + "x"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_more_than_a_name(name: str) -> None:
    with pytest.raises(BadMessage):
        read_event(changed("done", "files", 0, "name", to=name))


@pytest.mark.parametrize("name", ["a", "_", "layer.zip", "six-1.16.0+local.1-py2.py3-none-any.whl", "x" * 201])
def test_names_that_are_taken(name: str) -> None:
    read_event(changed("done", "files", 0, "name", to=name))


@pytest.mark.parametrize("value", BAD_HASHES)
def test_what_is_no_hash(value: str) -> None:
    with pytest.raises(BadMessage):
        read_event(changed("done", "files", 0, "sha256", to=value))


@pytest.mark.parametrize("value", BAD_MINORS)
@pytest.mark.parametrize("event", ["recognised", "tool", "built"])
def test_what_is_no_minor(event: str, value: str) -> None:
    with pytest.raises(BadMessage):
        read_event(changed(event, "python", to=value))


@pytest.mark.parametrize("value", BAD_KEYS)
def test_what_is_no_key_of_a_layer(value: str) -> None:
    with pytest.raises(BadMessage):
        read_event(changed("built", "shared_layer", to=value))


@pytest.mark.parametrize(
    ("event", "path", "value"),
    [
        ("done", ("files", 0, "size"), -1), ("built", ("proof", "init_ms"), -1),
        ("built", ("proof", "package_bytes"), -1), ("built", ("proof", "package_zip_bytes"), -1),
        ("step", ("step",), "deploy"), ("tool", ("name",), "../farm"), ("tool", ("name",), "policy"),
        ("ask", ("action", "kind"), "deploy"), ("failed", ("problem", "code"), "no-such-code"),
        ("recognised", ("framework",), "flask"), ("recognised", ("architecture",), "ppc"),
    ],
)  # fmt: skip
def test_values_that_do_not_exist(event: str, path: tuple[str | int, ...], value: Any) -> None:
    with pytest.raises(BadMessage):
        read_event(changed(event, *path, to=value))


def test_huge_numbers_are_numbers() -> None:
    read_event(changed("done", "files", 0, "size", to=10**4000))
    read_event(changed("built", "proof", "init_ms", to=None))


@given(st.dictionaries(st.text(max_size=10), st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8), max_size=5),
    st.sampled_from(sorted(EVENTS)))  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_whatever_comes_is_an_event_or_refused(content: dict[str, Any], event: str) -> None:
    for sent in (content, {**content, "event": event}, {**EVENTS[event], **content}):
        said = ""
        try:
            assert read_event(sent).event in EVENTS
        except BadMessage as error:
            said = str(error)
        assert len(said) < 500


def test_what_is_said_of_a_bad_event_does_not_repeat_it() -> None:
    with pytest.raises(BadMessage) as raised:
        read_event({"event": "log", "text": 1, "secret" * 10_000: "secret"})
    assert len(str(raised.value)) < 500


# ------------------------------------------------------------ what a builder takes


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 2}, {"version": "1"}, {"more": 1}, {"toolchain": None}, {"toolchain": {**TOOLCHAIN, "more": 1}},
        {"toolchain": {**TOOLCHAIN, "sandbox": "none"}}, {"app": {"name": "x"}}, {"app": []},
        {"action": {"kind": "deploy", "inputs": {}}}, {"action": {"kind": "check", "inputs": []}},
    ],
)  # fmt: skip
def test_a_request_of_another_shape(wrong: dict[str, Any]) -> None:
    request = {"version": 1, "toolchain": TOOLCHAIN, "app": REQUEST.model_dump()}
    read_as(BuildRequest, request)
    with pytest.raises(BadMessage, match="no BuildRequest"):
        read_as(BuildRequest, {**request, **wrong})


def test_requests_and_answers_come_as_they_were_sent() -> None:
    toolchain = Toolchain.model_validate(TOOLCHAIN)
    for request in (
        BuildRequest(toolchain=toolchain, app=REQUEST),
        BuildRequest(toolchain=toolchain, action=Action(kind="check", inputs={"x": [1]})),
    ):
        assert read_as(BuildRequest, json.loads(json.dumps(request.model_dump(mode="json")))) == request
    problem = ProblemMessage(code=Code.BAD_CONFIG, message="m", hint="h")
    for answer in (Reply(answer=1, folder="/x", key="y"), Reply(answer=2, problem=problem), Reply(answer=3)):
        assert read_as(Reply, json.loads(json.dumps(answer.model_dump(mode="json")))) == answer


@pytest.mark.parametrize("python", BAD_MINORS)
def test_a_request_for_what_is_no_minor(python: str) -> None:
    with pytest.raises(BadMessage):
        read_as(AppRequest, {**REQUEST.model_dump(), "python": python})


def test_a_key_follows_from_kind_and_inputs_and_not_from_their_order() -> None:
    one = Action(kind="layer", inputs={"a": 1, "b": [2]})
    assert one.key == Action(kind="layer", inputs={"b": [2], "a": 1}).key
    others = [("layer", {"a": 1, "b": [3]}), ("resolve", {"a": 1, "b": [2]}), ("layer", {"a": "1", "b": [2]})]
    assert len({one.key, *(Action(kind=kind, inputs=inputs).key for kind, inputs in others)}) == 4  # type: ignore[arg-type]


def test_a_proof_is_taken_whole() -> None:
    read_event(built(files=[], proof=PROOF))
    with pytest.raises(BadMessage):
        read_event(built(files=[], proof={**PROOF, "warnings": []}))


@pytest.mark.parametrize("path", ["/é", "/a b", "/a\r\nHost: x", "/\0", "/a\\b", "/a\n"])
def test_a_path_that_no_request_can_have_is_refused(path: str) -> None:
    with pytest.raises(BadMessage):
        read_event(changed("built", "health_path", to=path))
