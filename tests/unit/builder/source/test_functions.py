from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code
from builder.function_options import BucketTrigger, FunctionOptions
from builder.source.functions import SETTINGS, logical_id, read_functions

EVERYTHING = """
[functions.api]
handler = "api/orders.handler"
memory = 1024
timeout = 20
disk = 2048
url = true
provisioned = 2
policy = "policies/api.json"

[functions.work]
handler = "work.run"
schedule = ["rate(5 minutes)", "cron(0 12 * * ? *)"]
queue = "jobs"
topic = ["news", "arn:aws:sns:us-east-1:123456789012:other"]
bucket = ["pictures", { name = "sheets", prefix = "in/", suffix = ".csv", events = "s3:ObjectRemoved:*" }]
batch_size = 50
partial_batches = true
dead_letter_queue = "arn:aws:sqs:us-east-1:123456789012:lost"
retries = 0
max_age = 3600
snap_start = true
"""


def read(text: str) -> dict[str, FunctionOptions]:
    found, error = read_functions("auto-lambda.toml", tomllib.loads(text)["functions"])
    if error:
        raise error
    return dict(found)


def refused(text: str) -> str:
    with pytest.raises(AppError) as caught:
        read(text)
    assert caught.value.code is Code.BAD_CONFIG
    assert all(name in caught.value.hint for name in SETTINGS)
    return caught.value.message


def test_everything_that_can_be_said() -> None:
    assert read(EVERYTHING) == {
        "api": FunctionOptions(
            handler="api/orders.handler", memory=1024, timeout=20, disk=2048, url="public", provisioned=2,
            policy="policies/api.json",
        ),
        "work": FunctionOptions(
            handler="work.run",
            schedule=("rate(5 minutes)", "cron(0 12 * * ? *)"),
            queue=("jobs",),
            topic=("news", "arn:aws:sns:us-east-1:123456789012:other"),
            bucket=(
                BucketTrigger(name="pictures"),
                BucketTrigger(name="sheets", prefix="in/", suffix=".csv", events=("s3:ObjectRemoved:*",)),
            ),
            batch_size=50, partial_batches=True, dead_letter_queue="arn:aws:sqs:us-east-1:123456789012:lost",
            retries=0, max_age=3600, snap_start=True,
        ),
    }  # fmt: skip


@pytest.mark.parametrize(("written", "url"), [("true", "public"), ('"signed"', "signed"), ("false", None)])
def test_who_may_call_a_url(written: str, url: str | None) -> None:
    assert read(f"[functions.web]\nurl = {written}")["web"].url == url


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('handler = "orders"', "handler is 'orders', but has to be module.function, as in 'orders.handler'"),
        ('handler = "../orders.handler"', "handler is '../orders.handler', but has to be"),
        ("memory = 64", "memory is 64, but has to be a number of MB, 128 to 10240"),
        ('memory = "512"', "memory is '512', but has to be"),
        ("timeout = 901", "timeout is 901, but has to be a number of seconds, 1 to 900"),
        ("disk = 500", "disk is 500, but has to be"),
        ('schedule = "rate(1 minutes)"', "schedule: 'rate(1 minutes)' is not a schedule: it is rate(1 minute)"),
        ('url = "everybody"', "url is 'everybody', but has to be true for everybody, or 'signed'"),
        ("retries = 3", "retries is 3, but has to be 0, 1 or 2"),
        ("retries = true", "retries is True, but has to be"),
        ("max_age = 59", "max_age is 59, but has to be"),
        ("provisioned = 0", "provisioned is 0, but has to be"),
        ('queue = "arn:aws:sns:us-east-1:123456789012:news"', "but has to be the name or the ARN of a queue"),
        ('queue = ["jobs", "${x}"]', "queue.1 is '${x}', but has to be the name or the ARN of a queue"),
        ('topic = "a b"', "topic.0 is 'a b', but has to be the name or the ARN of a topic"),
        ('bucket = { name = "pictures", prefx = "in/" }', "bucket.0.prefx is no setting"),
        ('bucket = "Pictures"', "bucket.0.name is 'Pictures', but has to be a bucket's name"),
        ('dead_letters = "lost"', "dead_letters is no setting"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_taken(line: str, told: str) -> None:
    said = refused(f"[functions.work]\n{line}")
    assert said.startswith("auto-lambda.toml: functions.work.")
    assert told in said


def test_everything_that_is_wrong_is_told_at_once() -> None:
    said = refused("[functions.a]\nmemory = 1\ntimeout = 0\n[functions.b]\nretries = 9\n[functions.'c d']\n")
    for part in ("functions.a.memory", "functions.a.timeout", "functions.b.retries", "'c d' can't be the name"):
        assert part in said


def test_what_is_no_table_is_refused() -> None:
    assert "functions.a is no table of settings" in refused("[functions]\na = 3")


def test_names_that_would_be_one_resource_are_refused() -> None:
    assert "functions.a-b and functions.aB are too alike" in refused("[functions.a-b]\n[functions.aB]\n")


def test_a_function_may_not_both_be_snapped_and_kept_started() -> None:
    assert "snap_start can't be had together with provisioned" in refused(
        "[functions.a]\nsnap_start = true\nprovisioned = 1"
    )


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("batch_size = 5", "no queue is named"),
        ('queue = ["jobs", "jobs.fifo"]\nbatch_size = 11', "can't be more than 10"),
        ('dead_letter_queue = "lost.fifo"', "dead_letter_queue can't be one that keeps the order"),
        ('topic = "news.fifo"', "it calls no functions"),
    ],
)
def test_what_aws_does_not_take_together(lines: str, told: str) -> None:
    assert told in refused(f"[functions.work]\n{lines}")
    assert read('[functions.work]\nqueue = "jobs.fifo"\nbatch_size = 10')


def test_more_functions_than_an_app_may_have_are_refused() -> None:
    tables = "".join(f"[functions.f{number}]\n" for number in range(51))
    with pytest.raises(AppError, match="more than 50"):
        read(tables)


@given(st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,39}", fullmatch=True))
def test_a_name_becomes_a_logical_id(name: str) -> None:
    assert logical_id(name).isalnum()
    assert logical_id(name).lower() == name.replace("-", "").replace("_", "").lower()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
TABLE = st.dictionaries(st.sampled_from(SETTINGS) | st.text(max_size=8), ANYTHING, max_size=4)


@given(st.dictionaries(st.sampled_from(["a", "b-c"]) | st.text(max_size=8), TABLE | ANYTHING, max_size=3))
def test_whatever_is_written_is_read_or_refused(tables: dict[str, Any]) -> None:
    found, error = read_functions("auto-lambda.toml", tables)
    assert error or set(found) == set(tables)


def test_what_is_right_of_a_function_is_read_all_the_same() -> None:
    tables = {"work": {"handler": "work.run", "memory": 64, "colour": "red", "policy": "p.json"}, "b": {"handler": "x"}}
    found, error = read_functions("auto-lambda.toml", tables)
    assert found == {"work": FunctionOptions(handler="work.run", policy="p.json")}
    assert error
    assert all(word in error.message for word in ("work.memory is 64", "work.colour is no setting", "b.handler is 'x'"))
