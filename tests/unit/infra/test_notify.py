"""The templates that tell people of events: which events they take, and what their functions make of each."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load as load_template
from event_bus import checked
from moto.events.models import EventPattern

from auto_lambda.attempts import Attempt, OutcomeName
from auto_lambda.model import Commit, Dropper
from auto_lambda.receipts import Receipt, ReceiptError
from worker.records.event import DETAIL_TYPES, SOURCE, event_of

FOLDER = Path(__file__).parents[3] / "infra/notify"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SHA = "9f2c1a7b" * 5
LIVE = Receipt(
    "apps/prod/shop.zip", "w", "shop", "prod", "live", "verify", "v1", url="https://shop.example/",
    function="shop-prod", version="3", by=Dropper("AWS:AROA1:ana", "192.0.2.7"), commit=Commit(SHA, "acme/shop"),
)  # fmt: skip
FAILED = replace(
    LIVE, status="failed", url=None, function=None, version=None,
    error=ReceiptError("no-framework", "no app\nin <!channel> & co", "add one"),
)  # fmt: skip
RECEIPTS: dict[str, tuple[OutcomeName, Receipt]] = {
    "live": ("live", LIVE),
    "rolled-back": ("live", replace(LIVE, rollback="v0")),
    "failed": ("failed", FAILED),
    "needs-approval": ("failed", replace(FAILED, error=ReceiptError("needs-approval", "more rights", "ask"))),
    "superseded": ("superseded", replace(LIVE, status="superseded", url=None)),
    "undeployed": ("undeployed", replace(LIVE, status="superseded", url=None, commit=None)),
}


def event(outcome: str, **changes: Any) -> dict[str, Any]:
    """The event as EventBridge hands it to a target."""
    name, receipt = RECEIPTS[outcome]
    attempt = Attempt(receipt.key, "v1", "w", 1, NOON, NOON, NOON, name)
    sent = event_of(replace(receipt, **changes), "uploads", name, attempt, 7)
    return {"source": SOURCE, "detail-type": sent.detail_type, "detail": checked(sent.detail)}


def resources(name: str) -> dict[str, Any]:
    template: dict[str, Any] = json.loads(json.dumps(load_template(str(FOLDER / f"{name}.yaml"))))
    return template["Resources"]  # type: ignore[no-any-return]


def resolved(name: str, node: Any, chosen: dict[str, Any]) -> Any:
    """A node of a template with the parameters and conditions that its rules use."""
    template: dict[str, Any] = json.loads(json.dumps(load_template(str(FOLDER / f"{name}.yaml"))))
    if isinstance(node, list):
        return [resolved(name, one, chosen) for one in node]
    if not isinstance(node, dict):
        return node
    if "Ref" in node:
        declared = template["Parameters"][node["Ref"]]
        value = chosen.get(node["Ref"], declared.get("Default"))
        return value.split(",") if declared["Type"] == "CommaDelimitedList" else value
    if "Fn::If" in node:
        _, wanted, _ = node["Fn::If"]
        return resolved(name, wanted, chosen) if chosen.get("Stage") else None
    pairs = {key: resolved(name, value, chosen) for key, value in node.items()}
    return {key: value for key, value in pairs.items() if value is not None}


def taken(name: str, **chosen: str) -> set[str]:
    """The outcomes whose events a template's rule takes."""
    pattern = EventPattern.load(
        json.dumps(resolved(name, resources(name)["Rule"]["Properties"]["EventPattern"], chosen))
    )
    return {outcome for outcome in RECEIPTS if pattern.matches_event(event(outcome))}  # type: ignore[arg-type]


def test_mail_goes_out_for_what_needs_somebody() -> None:
    assert taken("mail") == {"failed", "needs-approval"}
    assert taken("mail", Stage="prod") == {"failed", "needs-approval"}
    assert taken("mail", Stage="dev") == set()
    assert taken("mail", DetailTypes="App Live") == {"live"}


def test_the_channel_gets_all_but_what_was_replaced() -> None:
    assert taken("slack") == set(DETAIL_TYPES) - {"superseded"}
    assert taken("slack", Stage="dev") == set()


def test_statuses_are_for_commits_of_these_repositories() -> None:
    assert taken("commit-status", Repositories="acme/shop,acme/web") == set(DETAIL_TYPES) - {"undeployed"}
    assert taken("commit-status", Repositories="acme/web") == set()


def test_mail_names_only_fields_that_there_are() -> None:
    transformer = resources("mail")["Rule"]["Properties"]["Targets"][0]["InputTransformer"]
    paths = transformer["InputPathsMap"]
    assert set(re.findall(r"<(\w+)>", transformer["InputTemplate"])) == set(paths)
    for path in paths.values():
        value: Any = event("failed")
        for name in path.removeprefix("$.").split("."):
            value = value[name]
        assert '"' not in value
        assert "\n" not in value
    assert all(re.fullmatch(r'"[^"]*"', line) for line in transformer["InputTemplate"].splitlines())


class Caller:
    """Runs the function of a template, with Secrets Manager and the network replaced."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch, **environ: str) -> None:
        self.requests: list[Any] = []

        def secret(**asked: str) -> dict[str, str]:
            return {"SecretString": f"https://hook.example/{asked['SecretId']}\n"}

        secrets = SimpleNamespace(get_secret_value=secret)
        monkeypatch.setitem(sys.modules, "boto3", SimpleNamespace(client=lambda _: secrets))
        monkeypatch.setattr("urllib.request.urlopen", self._open)
        for key, value in {"SECRET": "token", **environ}.items():
            monkeypatch.setenv(key, value)
        code = resources(name)["Function"]["Properties"]["Code"]["ZipFile"]
        assert len(code) <= 4096
        self._names: dict[str, Any] = {}
        exec(compile(code, f"{name}.yaml", "exec"), self._names)

    def _open(self, request: Any, timeout: float) -> io.BytesIO:
        assert timeout < 20
        self.requests.append(request)
        return io.BytesIO()

    def __call__(self, told: dict[str, Any]) -> Any:
        """Call it, and return the body of the request that it made, None if it made none."""
        before = len(self.requests)
        self._names["handler"](told, None)
        return json.loads(self.requests[-1].data) if len(self.requests) > before else None


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Caller:
    return Caller("slack", monkeypatch)


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Caller:
    return Caller("commit-status", monkeypatch, API="https://api.github.com", REPOSITORIES="acme/shop,acme/web")


@pytest.mark.parametrize("outcome", RECEIPTS)
def test_the_channel_is_told_app_outcome_and_who(slack: Caller, outcome: str) -> None:
    text = slack(event(outcome))["text"]
    assert f"*prod/shop*: {DETAIL_TYPES[outcome]}" in text  # type: ignore[index]
    assert "AWS:AROA1:ana" in text
    assert slack.requests[-1].full_url == "https://hook.example/token"


def test_an_uploader_calls_nobody_in_the_channel(slack: Caller) -> None:
    text = slack(event("failed"))["text"]
    assert "`no-framework` no app\nin &lt;!channel&gt; &amp; co" in text


def test_what_is_not_known_is_left_out(slack: Caller) -> None:
    told = event("failed", app=None, stage=None, by=None, commit=None)
    assert slack(told)["text"].startswith(":warning: *apps/prod/shop.zip*: App Failed")


@pytest.mark.parametrize(
    ("outcome", "state", "description"),
    [
        ("live", "success", "live"),
        ("rolled-back", "success", "rolled back to this one"),
        ("failed", "failure", "no-framework: no app in <!channel> & co"),
        ("needs-approval", "pending", "needs-approval: more rights"),
        ("superseded", "error", "a newer zip replaced this one"),
    ],
)
def test_each_outcome_becomes_the_status_of_its_commit(
    github: Caller, outcome: str, state: str, description: str
) -> None:
    told = github(event(outcome))
    assert (told["state"], told["description"], told["context"]) == (state, description, "auto-lambda/prod/shop")
    assert ("target_url" in told) == (state == "success")
    (request,) = github.requests
    assert request.full_url == f"https://api.github.com/repos/acme/shop/statuses/{SHA}"
    assert request.get_header("Authorization") == "Bearer https://hook.example/token"


def test_a_description_fits(github: Caller) -> None:
    told = github(event("failed", error=ReceiptError("no-framework", "x" * 900, "add one")))
    assert len(told["description"]) == 140


@pytest.mark.parametrize(
    "commit",
    [None, Commit(SHA, "acme/secret"), Commit(SHA, None), Commit("9f2c1a7", "acme/shop"), Commit(None, "acme/shop")],
)
def test_other_commits_get_none_whatever_the_rule_let_through(github: Caller, commit: Commit | None) -> None:
    assert github(event("live", commit=commit)) is None


def test_an_app_that_was_removed_has_no_status(github: Caller) -> None:
    assert github(event("undeployed", commit=Commit(SHA, "acme/shop"))) is None


@pytest.mark.parametrize("name", ["slack", "commit-status"])
def test_the_functions_may_read_their_secret_and_keep_what_was_not_delivered(name: str) -> None:
    (policy,) = resources(name)["Role"]["Properties"]["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    assert [it["Action"] for it in statements] == ["secretsmanager:GetSecretValue", "sqs:SendMessage"]
    assert all(it["Resource"] != "*" for it in statements)
