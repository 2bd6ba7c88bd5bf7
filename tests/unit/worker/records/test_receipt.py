"""What is written beside the zip, and when."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import Commit, Dropper, GuessedSettings, Proof
from auto_lambda.receipts import Cost, StandingCosts, Status, Step
from auto_lambda.redact import Redactor
from worker.model import Deployment, Upload
from worker.records.receipt import Report, receipt_of

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
UPLOAD = Upload(
    App("prod", "shop"),
    "drops",
    "apps/prod/shop.zip",
    "v1",
    "00",
    7,
    by=Dropper("AWS:AIDA1"),
    commit=Commit("9f2c1a7b", "acme/shop"),
)
DEPLOYMENT = Deployment("al-shop-prod", "shop-prod", "3", "live", "https://shop.example/", "bundles/1.json", True)
RECEIPT, LOG = "apps/prod/shop.receipt.json", "apps/prod/shop.log"
SCHEMA_1 = {
    "schema", "app", "stage", "status", "step", "upload", "rollback", "framework", "python", "architecture", "sandbox",
    "timings", "init_ms", "package_bytes", "package_zip_bytes", "url",
    "function", "version", "alias", "serving", "error", "warnings", "log", "worker", "updated", "by",
    "permissions", "retry_at", "commit", "repository", "costs", "function_log", "settings",
    "traffic", "step_began", "held_until",
}  # fmt: skip


class Bucket:
    """Keeps every body that was put, by key."""

    def __init__(self) -> None:
        self.puts: list[tuple[str, bytes]] = []
        self.changed = threading.Condition()
        self.fails = False

    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        assert bucket == "drops"
        if self.fails:
            raise OSError("S3 is away")
        with self.changed:
            self.puts.append((key, body))
            self.changed.notify_all()

    def last(self, key: str) -> bytes:
        return [body for name, body in self.puts if name == key][-1]

    @property
    def receipt(self) -> Any:
        return json.loads(self.last(RECEIPT))

    @property
    def log(self) -> str:
        return self.last(LOG).decode()

    def await_receipt(self, wanted: Callable[[Any], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.puts and wanted(self.receipt), 10)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def report(bucket: Bucket) -> Report:
    ticks = iter(range(1000))
    return Report(
        receipt_of(UPLOAD, "worker-1"), "drops", bucket, Redactor(["hunter2hunter2"]),
        now=lambda: NOON, clock=lambda: next(ticks),
    )  # fmt: skip


def test_each_step_is_told_of_when_it_begins(bucket: Bucket) -> None:
    told: list[tuple[str, str]] = []
    report = Report(
        receipt_of(UPLOAD, "w"), "drops", bucket, Redactor([]), began=lambda key, step: told.append((key, step))
    )
    with report.step("deploy"):
        assert told == [("apps/prod/shop.zip", "deploy")]
        with report.step("verify"):
            assert told[1:] == [("apps/prod/shop.zip", "verify")]


def test_a_live_receipt_has_every_field_of_the_schema(report: Report, bucket: Bucket) -> None:
    with report:
        with report.step("fetch"):
            report.fetched(UPLOAD, "ab" * 32, 7)
            report.recognised("chalice", "3.12", "arm64")
            report.guessed(GuessedSettings("zappa_settings.json", '{"dev": {}}'))
        with report.step("deploy"):
            report.warn("slow")
        report.proved(Proof(312, 7000, 5000))
        report.priced(StandingCosts("us-east-1, 2026-11", (Cost("App", "keep_warm", 0.0113, "10 calls"),)))
        report.live(DEPLOYMENT, previous_version="v0")
    told = bucket.receipt
    assert set(told) == SCHEMA_1
    assert told["timings"].keys() == {"fetch", "deploy"}
    assert {name: value for name, value in told.items() if name != "timings"} == {
        "schema": 1, "app": "shop", "stage": "prod", "status": "live", "step": "deploy",
        "upload": {"key": "apps/prod/shop.zip", "version": "v1", "sha256": "ab" * 32, "size": 7},
        "framework": "chalice", "python": "3.12", "architecture": "arm64", "sandbox": None, "url": "https://shop.example/",
        "init_ms": 312, "package_bytes": 7000, "package_zip_bytes": 5000,
        "function": "shop-prod", "version": "3", "alias": "live", "error": None, "warnings": ["slow"], "log": LOG,
        "function_log": None, "settings": {"file": "zappa_settings.json", "text": '{"dev": {}}'},
        "serving": {
            "url": "https://shop.example/", "function": "shop-prod", "version": "3", "upload": "v1", "before": "v0",
        },
        "rollback": None, "by": {"principal": "AWS:AIDA1", "address": None}, "permissions": None,
        "retry_at": None, "traffic": None, "step_began": None, "held_until": None,
        "commit": "9f2c1a7b", "repository": "acme/shop",
        "costs": {
            "usd_per_month": 0.0113, "prices": "us-east-1, 2026-11",
            "items": [{"function": "App", "what": "keep_warm", "usd": 0.0113, "how": "10 calls"}],
        },
        "worker": "worker-1", "updated": "2026-01-02T12:00:00.000+00:00",
    }  # fmt: skip


def test_a_failed_receipt_has_every_field_too_null_where_unknown(report: Report, bucket: Bucket) -> None:
    with report, pytest.raises(AppError), report.step("inspect"):
        raise AppError(Code.NO_FRAMEWORK, "no app in it", hint="add one")
    report.failed(AppError(Code.NO_FRAMEWORK, "no app in it", hint="add one"))
    told = bucket.receipt
    assert set(told) == SCHEMA_1
    assert told["error"] == {"code": "no-framework", "message": "no app in it", "hint": "add one"}
    assert (told["status"], told["step"], told["url"], told["version"]) == ("failed", "inspect", None, None)
    assert "no app in it" in bucket.log
    assert "add one" in bucket.log


def test_what_the_function_logged_is_in_receipt_and_log_without_its_secrets(report: Report, bucket: Bucket) -> None:
    report.hide(["of-the-function"])
    logged = (
        "asking\x1b[31m with of-the-function\nTraceback (most recent call last):\n"
        '  File "/var/task/app.py", line 7, in i\n    return charge(token="a1b2c3d4e5f6")\n'
        "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END PRIVATE KEY-----\nKeyError: 'COLOR'\n"
    )
    report.failed(AppError(Code.UNHEALTHY, "500", hint="mend it", function_log=logged))
    told = bucket.receipt["function_log"]
    assert told[0] == "asking with ***"
    assert told[2] == '  File "/var/task/app.py", line 7, in i'
    assert told[-1] == "KeyError: 'COLOR'"
    for text in ("\n".join(told), bucket.log):
        assert "KeyError: 'COLOR'" in text
        for secret in ("of-the-function", "a1b2c3d4e5f6", "MIIE", "\x1b"):
            assert secret not in text


def test_of_a_long_log_the_end_is_told(report: Report, bucket: Bucket) -> None:
    logged = "\n".join(f"line {number}" for number in range(1_000))
    report.failed(AppError(Code.UNHEALTHY, "500", hint="mend it", function_log=logged))
    assert bucket.receipt["function_log"][-1] == "line 999"
    assert len(bucket.receipt["function_log"]) < 200


def test_an_error_without_a_functions_log_has_none(report: Report, bucket: Bucket) -> None:
    report.failed(AppError(Code.NO_FRAMEWORK, "no app in it", hint="add one"))
    assert bucket.receipt["function_log"] is None
    assert "the function logged" not in bucket.log


def test_a_step_inside_a_step_has_its_seconds_to_itself(bucket: Bucket) -> None:
    seconds = [0.0]
    report = Report(receipt_of(UPLOAD, "w"), "drops", bucket, Redactor(), clock=lambda: seconds[0])
    with report.step("deploy"):
        seconds[0] += 2
        with report.step("verify"):
            seconds[0] += 3
        seconds[0] += 1
    assert report.receipt.timings == {"deploy": 3, "verify": 3}


def test_the_seconds_of_a_step_that_is_done_twice_are_added_up(bucket: Bucket) -> None:
    seconds = [0.0]
    report = Report(receipt_of(UPLOAD, "w"), "drops", bucket, Redactor(), clock=lambda: seconds[0])
    with report.step("deploy"):
        for took in (3, 4):
            with report.step("verify"):
                seconds[0] += took
    assert report.receipt.timings == {"deploy": 0, "verify": 7}


def test_a_receipt_is_written_while_the_step_goes_on(report: Report, bucket: Bucket) -> None:
    with report:
        with report.step("build"):
            bucket.await_receipt(lambda told: told["step"] == "build" and told["status"] == "building")
        with report.step("deploy"):
            bucket.await_receipt(lambda told: told["status"] == "deploying" and "build" in told["timings"])


def test_a_receipt_says_since_when_its_step_runs_and_at_each_heartbeat_whose_it_is(
    report: Report, bucket: Bucket
) -> None:
    with report:
        with report.step("build"):
            bucket.await_receipt(lambda told: told["step_began"] == "2026-01-02T12:00:00.000+00:00")
            report.held(NOON.timestamp() + 130)
            bucket.await_receipt(lambda told: told["held_until"] == "2026-01-02T12:02:10.000+00:00")
        report.live(DEPLOYMENT)
    assert (bucket.receipt["step_began"], bucket.receipt["held_until"]) == (None, None)


@pytest.mark.parametrize("end", [lambda it: it.live(DEPLOYMENT), lambda it: it.goes_on(), lambda it: it.superseded()])
def test_a_heartbeat_after_the_end_says_nothing(report: Report, end: Callable[[Report], None]) -> None:
    with report:
        report.held(NOON.timestamp() + 130)
        end(report)
        report.held(NOON.timestamp() + 140)
        assert report.receipt.held_until is None


def test_a_heartbeat_does_not_write_a_log_again_that_is_written(report: Report, bucket: Bucket) -> None:
    with report, report.step("build"):
        bucket.await_receipt(lambda told: told["step"] == "build")
        report.held(NOON.timestamp() + 130)
        bucket.await_receipt(lambda told: told["held_until"] is not None)
    logs = [body for key, body in bucket.puts if key == LOG]
    assert len(logs) == len(set(logs))


def test_the_final_receipt_is_the_last_one_and_its_log_is_there_first(report: Report, bucket: Bucket) -> None:
    with report:
        for step in ("fetch", "unpack", "build"):
            with report.step(step):
                report.say("working")
        report.live(DEPLOYMENT)
        written = len(bucket.puts)
    assert [key for key, _ in bucket.puts[-2:]] == [LOG, RECEIPT]
    assert bucket.receipt["status"] == "live"
    assert len(bucket.puts) == written


def test_intermediate_states_may_get_lost_but_the_final_one_may_not(report: Report, bucket: Bucket) -> None:
    bucket.fails = True
    with report:
        with report.step("fetch"):
            report.say("working")
        with pytest.raises(OSError, match="away"):
            report.live(DEPLOYMENT)
        bucket.fails = False
        report.delayed(OSError("S3 was away"))
    assert bucket.receipt["status"] == "delayed"
    assert bucket.receipt["error"]["code"] == Code.OUR_SIDE
    assert "OSError: S3 was away" in bucket.receipt["error"]["message"]


def test_a_superseded_upload_says_so(report: Report, bucket: Bucket) -> None:
    with report:
        report.superseded()
    assert bucket.receipt["status"] == "superseded"


def test_neither_secrets_nor_control_characters_reach_log_or_receipt(report: Report, bucket: Bucket) -> None:
    nasty = "\x1b[31mred\x1b[0m hunter2hunter2 https://me:pass@index.example/ AKIAABCDEFGHIJKLMNOP \x07"
    with report:
        report.say(nasty)
        report.warn(nasty)
        report.failed(AppError(Code.COMPILE_FAILED, nasty, hint=nasty))
    for text in (bucket.log, json.dumps(bucket.receipt)):
        assert "red" in text
        for secret in ("hunter2", "me:pass", "AKIA", "\x1b", "\x07", "\\u001b", "\\u0007"):
            assert secret not in text


def test_the_same_warning_is_told_once(report: Report, bucket: Bucket) -> None:
    with report:
        report.warn("old Python")
        report.warn("old Python")
        report.live(DEPLOYMENT)
    assert bucket.receipt["warnings"] == ["old Python"]
    assert bucket.log.count("old Python") == 1


def test_a_log_without_end_is_cut_with_a_note(report: Report, bucket: Bucket) -> None:
    with report:
        for _ in range(6):
            report.say("x" * 1_000_000)
        report.live(DEPLOYMENT)
    assert len(bucket.log) < 4.3e6
    assert bucket.log.count("too long") == 1


def test_the_reference_tells_every_field_status_and_step() -> None:
    page = (Path(__file__).parents[4] / "docs/reference/receipt.md").read_text()
    fields = SCHEMA_1 | {"key", "sha256", "size", "code", "message", "hint"}
    for word in fields | set(get_args(Status)) | set(get_args(Step)):
        assert f"`{word}`" in page


def test_a_private_key_told_line_by_line_is_hidden_whole(report: Report, bucket: Bucket) -> None:
    for line in ("-----BEGIN RSA PRIVATE KEY-----", *["MIIEpAIBAAKCAQEA" * 4] * 20, "-----END RSA PRIVATE KEY-----"):
        report.say(line)
    report.failed(AppError(Code.COMPILE_FAILED, "no", hint="none"))
    assert "MIIE" not in bucket.log


def test_values_that_become_known_later_are_hidden_from_then_on(report: Report, bucket: Bucket) -> None:
    report.hide(["of-the-function"])
    report.failed(AppError(Code.UNHEALTHY, "KeyError: of-the-function", hint="of-the-function"))
    assert "of-the-function" not in bucket.log + json.dumps(bucket.receipt)
    assert "of-the-function" not in report.hidden("KeyError: of-the-function")
