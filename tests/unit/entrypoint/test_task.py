"""The description of a task: what the worker writes, the entrypoint reads again; anything else is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.task import LONGEST_DRAIN, MOST_CHARACTERS, PORT, Artefact, BadTask, TaskDescription, describe, parse

DIGEST = "a" * 64
GOOD = TaskDescription(
    bucket="artifacts",
    code=Artefact("bundles/code.zip", DIGEST),
    layers=(Artefact("layers/layer.zip", "b" * 64),),
    handler="handler.lambda_handler",
    kind="asgi",
    application="app:app",
    health_path="/",
    drain_seconds=60,
    function_name="al-shop-dev",
    function_version="7",
    memory=512,
    timeout=30,
    processes=2,
)
numbers = st.integers
texts = st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"], exclude_characters=".:"), min_size=1, max_size=20)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
artefacts = st.builds(Artefact, texts, digests)
tasks = st.builds(
    TaskDescription,
    bucket=texts,
    code=artefacts,
    layers=st.lists(artefacts, max_size=5).map(tuple),
    handler=st.builds("{}.{}".format, texts, texts),
    kind=st.sampled_from(["asgi", "wsgi"]),
    application=st.none() | st.builds("{}:{}".format, texts, texts),
    health_path=texts.map("/{}".format),
    drain_seconds=numbers(1, LONGEST_DRAIN),
    function_name=texts,
    function_version=texts,
    memory=numbers(128, 10240),
    timeout=numbers(1, 900),
    processes=numbers(1, 16),
    port=numbers(0, 65535),
    payload=st.just("1.0"),
    front=st.none() | st.dictionaries(texts, texts, max_size=3),
)


@given(tasks)
def test_a_task_survives_its_description(task: TaskDescription) -> None:
    assert parse(describe(task)) == task


def test_equal_tasks_have_the_same_description() -> None:
    assert describe(GOOD) == describe(replace(GOOD))


def test_what_most_tasks_do_not_say_has_a_default() -> None:
    given = {name: value for name, value in as_json().items() if name not in ("port", "payload", "front")}
    task = parse(json.dumps(given))
    assert (task.port, task.payload, task.front) == (PORT, "2.0", None)


def as_json() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(describe(GOOD))
    return described


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bucket": ""}, "bucket has to be text"),
        ({"bucket": None}, "bucket has to be text"),
        ({"code": "key"}, "code has to be an object"),
        ({"code": {"key": "k"}}, "code.sha256 is missing"),
        ({"code": {"key": "k", "sha256": "A" * 64}}, "code.sha256 has to be"),
        ({"code": {"key": "k", "sha256": DIGEST, "size": 3}}, "code.size is not known"),
        ({"layers": {}}, "layers has to be a list"),
        ({"layers": [{"key": "", "sha256": DIGEST}]}, r"layers\[0\].key has to be text"),
        ({"handler": "handler"}, "handler has to be text"),
        ({"kind": "cgi"}, "kind has to be one of asgi, wsgi, lambda, and is 'cgi'"),
        ({"kind": ["asgi"]}, "kind has to be one of"),
        ({"application": "app.app"}, "application has to be text"),
        ({"kind": "lambda"}, "application has to be null"),
        ({"health_path": "health"}, "health_path has to be a path"),
        ({"drain_seconds": 0}, "drain_seconds has to be a whole number from 1 to 120, and is 0"),
        ({"drain_seconds": 121}, "drain_seconds has to be a whole number"),
        ({"processes": True}, "processes has to be a whole number"),
        ({"memory": "512"}, "memory has to be a whole number"),
        ({"port": 65536}, "port has to be a whole number"),
        ({"payload": "3.0"}, "payload has to be one of"),
        ({"front": []}, "front has to be an object"),
        ({"payload": "2.0", "front": {}}, "front describes a REST API"),
        ({"prot": 8080}, "prot is not known"),
    ],
)  # fmt: skip
def test_what_no_worker_writes_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BadTask, match=said):
        parse(json.dumps({**as_json(), **change}))


@pytest.mark.parametrize("name", sorted({*as_json()} - {"port", "payload", "front"}))
def test_nothing_else_may_be_missing(name: str) -> None:
    given = as_json()
    del given[name]
    with pytest.raises(BadTask, match=f"^{name} is missing"):
        parse(json.dumps(given))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"text"', "[" * 20_000])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(BadTask, match="AUTO_LAMBDA_TASK"):
        parse(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(
    st.sampled_from(sorted(as_json())), one)))  # fmt: skip
def test_no_json_does_anything_but_be_refused(value: Any) -> None:
    with pytest.raises(BadTask):
        parse(json.dumps(value))


def test_what_no_task_definition_could_hold_is_refused_by_the_one_who_writes_it() -> None:
    with pytest.raises(BadTask, match="characters"):
        describe(replace(GOOD, payload="1.0", front={"routes": "x" * MOST_CHARACTERS}))


def test_a_value_is_shown_in_part_if_it_is_long() -> None:
    with pytest.raises(BadTask) as caught:
        parse(json.dumps({**as_json(), "kind": "x" * 1000}))
    assert len(str(caught.value)) < 200
