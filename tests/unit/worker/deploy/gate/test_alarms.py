"""An alarm may send an app's traffic back if it is the app's own, or granted; nobody else's state is told."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from drafts import ACCOUNT, APP, SURROUNDINGS, Maker, rest_template

from auto_lambda.errors import AppError, Code
from auto_lambda.grants import Grants
from builder.protocol.traffic import TrafficMessage
from worker.deploy.gate.access import AppAccess, Rights
from worker.deploy.gate.gate import pass_gate

with tempfile.TemporaryDirectory() as folder:
    GOOD = Maker(Path(folder)).bundle(rest_template())
ALARM = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:"
OTHERS = f"{ALARM}company-5xx"


def refusal(alarm: str, rights: Rights, *granted: str) -> str:
    """What the gate says of an alarm, empty if nothing."""
    plan = TrafficMessage(kind="canary", percent=10, interval=60, alarms=[alarm])
    try:
        pass_gate(replace(GOOD, traffic=plan), SURROUNDINGS, AppAccess(APP, Grants(alarms=granted), rights))
    except AppError as error:
        return error.message if error.code is Code.TEMPLATE_REFUSED else ""
    return ""


@pytest.mark.parametrize("name", ["shop-dev", "shop-dev/5xx", "shop-dev_5xx", "al-shop-dev"])
def test_its_own_need_no_grant(name: str) -> None:
    assert not refusal(ALARM + name, "granted")


def test_those_of_the_account_need_a_grant_unless_the_pipeline_is_open() -> None:
    assert "which is neither in this template nor named after the app" in refusal(OTHERS, "granted")
    assert "ask the platform team for grants: alarms" in refusal(OTHERS, "granted")
    assert not refusal(OTHERS, "granted", f"{ALARM}company-*")
    assert not refusal(OTHERS, "account")


def test_another_apps_are_never_open() -> None:
    assert "which belongs to another app" in refusal(f"{ALARM}al-bank-prod", "account")


@pytest.mark.parametrize("alarm", [OTHERS.replace("us-east-1", "eu-west-1"), OTHERS.replace(ACCOUNT, "2" * 12)])
def test_what_the_worker_cannot_read_is_refused_whoever_grants_it(alarm: str) -> None:
    assert "is in another region or account" in refusal(alarm, "granted", "*")
