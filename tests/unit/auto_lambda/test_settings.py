"""Settings come from the environment, and every problem is told at once."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from auto_lambda.settings import CheckerSettings, SettingsError, WorkerSettings, default_slots, load

ROOT = Path(__file__).parents[3]
WORKER = {
    "AWS_REGION": "eu-west-1",
    "AUTO_LAMBDA_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/drops",
    "AUTO_LAMBDA_UPLOADS_BUCKET": "my-uploads",
    "AUTO_LAMBDA_ARTIFACTS_BUCKET": "my-artifacts",
    "AUTO_LAMBDA_TABLE": "ledger",
    "AUTO_LAMBDA_BOUNDARY_ARN": "arn:aws:iam::123456789012:policy/boundary",
}
CHECKER = {name: WORKER[name] for name in ("AWS_REGION", "AUTO_LAMBDA_QUEUE_URL")}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AUTO_LAMBDA_") or name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            monkeypatch.delenv(name)


def set_all(monkeypatch: pytest.MonkeyPatch, *groups: dict[str, str]) -> None:
    for group in groups:
        for name, value in group.items():
            monkeypatch.setenv(name, value)


def test_the_required_settings_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, WORKER)
    chosen = load(WorkerSettings)
    assert (chosen.region, chosen.table) == ("eu-west-1", "ledger")
    assert chosen.slots == default_slots() >= 1
    assert chosen.dead_letter_queue_url is None
    set_all(monkeypatch, CHECKER)
    assert load(CheckerSettings).metrics_namespace == "AutoLambda"


def test_the_default_region_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {**CHECKER, "AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"})
    assert load(CheckerSettings).region == "us-east-1"


def test_a_queue_of_an_emulator_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, CHECKER, {"AUTO_LAMBDA_QUEUE_URL": "http://127.0.0.1:4566/123456789012/drops"})
    load(CheckerSettings)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, WORKER, {"AUTO_LAMBDA_SLOTS": "", "AUTO_LAMBDA_DEAD_LETTER_QUEUE_URL": ""})
    assert load(WorkerSettings).slots == default_slots()


def test_everything_that_is_missing_is_told_at_once_by_its_variable() -> None:
    with pytest.raises(SettingsError) as caught:
        load(WorkerSettings)
    assert len(caught.value.problems) == len(WORKER)
    for name in WORKER:
        assert any(name in problem and "is not set" in problem for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTO_LAMBDA_QUEUE_URL", "drops"),
        ("AUTO_LAMBDA_QUEUE_URL", "arn:aws:sqs:eu-west-1:123456789012:drops"),
        ("AUTO_LAMBDA_UPLOADS_BUCKET", "My_Bucket"),
        ("AUTO_LAMBDA_BOUNDARY_ARN", "boundary"),
        ("AUTO_LAMBDA_SLOTS", "0"),
        ("AUTO_LAMBDA_SLOTS", "many"),
        ("AUTO_LAMBDA_PYTHON", "3"),
        ("AUTO_LAMBDA_PYTHON", "2.7"),
        ("AUTO_LAMBDA_VISIBILITY_SECONDS", "0"),
        ("AUTO_LAMBDA_DRAIN_SECONDS", "-1"),
        ("AUTO_LAMBDA_POLL_SECONDS", "21"),
        ("AUTO_LAMBDA_REFUSE_RETIRED_PYTHONS", "prod; dev"),
        ("AUTO_LAMBDA_SANDBOX", "docker"),
        ("AUTO_LAMBDA_LOG_LEVEL", "loud"),
    ],
)
def test_nonsense_is_told_with_the_variable_the_value_and_the_meaning(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_all(monkeypatch, WORKER, {name: value})
    with pytest.raises(SettingsError) as caught:
        load(WorkerSettings)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name} is {value!r}")
    assert "^" not in problem  # no regular expression for a person


@pytest.mark.parametrize(("name", "value"), [("CHECK_SECONDS", "0"), ("CHECK_SECONDS", "x"), ("METRICS_NAMESPACE", "")])
def test_nonsense_of_the_checker(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, CHECKER, {f"AUTO_LAMBDA_{name}": value or "a b"})
    with pytest.raises(SettingsError):
        load(CheckerSettings)


def test_one_bucket_for_both_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, WORKER, {"AUTO_LAMBDA_ARTIFACTS_BUCKET": "my-uploads"})
    with pytest.raises(SettingsError, match="different buckets"):
        load(WorkerSettings)


def test_levels_are_taken_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, CHECKER, {"AUTO_LAMBDA_LOG_LEVEL": "DEBUG"})
    assert load(CheckerSettings).log_level == "debug"


def test_the_reference_lists_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(AUTO_LAMBDA_\w+)` \| (.+?) \|", _page(), re.MULTILINE))
    for kind in (WorkerSettings, CheckerSettings):
        for name, field in kind.model_fields.items():
            if name == "region":
                continue
            told = rows[f"AUTO_LAMBDA_{name.upper()}"]
            if field.is_required():
                assert told == "required"
            elif field.default_factory is None and field.default is not None:
                assert told == f"`{field.default:g}`" if isinstance(field.default, float) else f"`{field.default}`"


def test_the_reference_lists_every_variable_that_the_code_mentions_and_no_other() -> None:
    mentioned = {
        f"AUTO_LAMBDA_{name.upper()}" for kind in (WorkerSettings, CheckerSettings) for name in kind.model_fields
    } - {"AUTO_LAMBDA_REGION"}
    files = [*ROOT.glob("auto_lambda/**/*.py"), *ROOT.glob("worker/**/*.py"), *ROOT.glob("checker/**/*.py")]
    for file in [*files, *(path for path in ROOT.glob("scripts/*") if path.is_file())]:
        mentioned |= set(re.findall(r"AUTO_LAMBDA_[A-Z][A-Z_]*[A-Z](?![A-Z]|_\{)", file.read_text()))
    assert set(re.findall(r"`(AUTO_LAMBDA_[A-Z_]+)`", _page())) == mentioned


def _page() -> str:
    return (ROOT / "docs/reference/settings.md").read_text()
