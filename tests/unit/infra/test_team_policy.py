"""The policy of docs/how-to/iam-for-app-teams.md lets a team deploy its own apps, and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from iam.direct import CALLS, Who, actions
from iam.evaluate import Principal, Request, allowed
from iam.template import ACCOUNT, REGION, PipelineStack
from pipeline_template import REPOSITORY

from auto_lambda import keys
from auto_lambda.namespace import configuration_path

PAGE = (REPOSITORY / "docs/how-to/iam-for-app-teams.md").read_text()
(POLICY,) = (json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
BUCKET = PipelineStack().arn("UploadsBucket")
TEAM = Principal(f"arn:aws:iam::{ACCOUNT}:role/payments", (POLICY,))
OWN = ("apps/prod/payments-api", "apps/dev/payments-api")
FOREIGN = ("apps/prod/shop", "apps/dev/shop", "apps/staging/payments-api", "apps/prod/pay", "apps/shop")


def may(action: str, key: str = "") -> bool:
    return allowed(TEAM, Request(action, f"{BUCKET}/{key}" if key else BUCKET))


@pytest.mark.parametrize("app", OWN)
def test_a_team_drops_follows_and_rolls_back_its_own_apps(app: str) -> None:
    assert keys.parse(f"{app}.zip").key == f"{app}.zip"
    for operation in ("PutObject", "CopyObject", "HeadObject"):
        assert Who.PERSON in CALLS["s3", operation]
        assert all(may(action, f"{app}.zip") for action in actions(("s3", operation)))
    assert all(may("s3:GetObject", f"{app}{end}") for end in (".receipt.json", ".log"))
    assert may("s3:ListBucket")


@pytest.mark.parametrize("app", FOREIGN)
def test_it_neither_drops_nor_reads_the_zips_of_others(app: str) -> None:
    for action in ("s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:DeleteObject"):
        assert not may(action, f"{app}.zip")
    assert not may("s3:GetObject", f"{app}.log")
    assert may("s3:GetObject", f"{app}.receipt.json")


@pytest.mark.parametrize("app", [*OWN, *FOREIGN])
@pytest.mark.parametrize("end", [".receipt.json", ".log"])
def test_it_forges_no_receipt_and_no_log(app: str, end: str) -> None:
    assert not may("s3:PutObject", f"{app}{end}")


def test_it_reaches_no_grants_and_no_logs_of_others() -> None:
    groups = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda"
    assert allowed(TEAM, Request("logs:FilterLogEvents", f"{groups}/payments-api-prod:*"))
    assert not allowed(TEAM, Request("logs:FilterLogEvents", f"{groups}/shop-prod:*"))
    artifacts = PipelineStack().arn("ArtifactsBucket")
    for action in ("s3:PutObject", "s3:GetObject"):
        assert not allowed(TEAM, Request(action, f"{artifacts}/grants/prod/payments-api.json"))


def test_a_team_that_may_list_only_its_own_lists_them_by_their_prefix() -> None:
    condition = {"StringLike": {"s3:prefix": "apps/prod/payments-*"}}
    statement = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": BUCKET, "Condition": condition}
    limited = Principal(TEAM.arn, ({"Statement": [statement]},))
    (action,) = actions(("s3", "ListObjectsV2"))
    for prefix, listed in (("prod/payments-", True), ("prod/payments-api", True), ("", False), ("prod/pay", False)):
        asked = Request(action, BUCKET, {"s3:prefix": f"{keys.PREFIX}{prefix}"})
        assert allowed(limited, asked) == listed


def with_drop_on(pattern: str) -> Principal:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"{BUCKET}/{pattern}"}
    return Principal(TEAM.arn, ({"Statement": [statement]},))


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("apps/prod/payments-*", "apps/prod/payments-api.receipt.json"),
        ("apps/payments-*.zip", "apps/payments-x/shop.zip"),
        ("apps/*.zip", "apps/prod/shop.zip"),
        ("apps/prod/pay-*.zip", "apps/prod/pay-roll-api.zip"),
    ],
)
def test_the_patterns_that_the_page_warns_of_are_as_wide_as_it_says(pattern: str, key: str) -> None:
    assert allowed(with_drop_on(pattern), Request("s3:PutObject", f"{BUCKET}/{key}"))


HERE = f"{REGION}:{ACCOUNT}"


@pytest.mark.parametrize(
    ("action", "own", "foreign"),
    [
        (
            "lambda:InvokeFunction",
            f"arn:aws:lambda:{HERE}:function:payments-api-prod:live",
            f"arn:aws:lambda:{HERE}:function:shop-prod:live",
        ),
        (
            "lambda:InvokeFunction",
            f"arn:aws:lambda:{HERE}:function:al-payments-api-dev-SendMail-1A2B:live",
            f"arn:aws:lambda:{HERE}:function:payments-api-staging:live",
        ),
        (
            "cloudformation:DescribeStacks",
            f"arn:aws:cloudformation:{HERE}:stack/al-payments-api-prod/1",
            f"arn:aws:cloudformation:{HERE}:stack/al-shop-prod/1",
        ),
        *(
            (
                f"ssm:{action}",
                f"arn:aws:ssm:{HERE}:parameter{path}{below}",
                f"arn:aws:ssm:{HERE}:parameter/auto-lambda/prod/shop/config{below}",
            )
            for path in [configuration_path(keys.App("prod", "payments-api"))]
            for action, below in (("PutParameter", "/KEY"), ("DeleteParameters", "/KEY"), ("GetParametersByPath", ""))
        ),
    ],
)
def test_it_invokes_and_configures_its_own_apps_alone(action: str, own: str, foreign: str) -> None:
    assert allowed(TEAM, Request(action, own))
    assert not allowed(TEAM, Request(action, foreign))


def test_it_reads_no_secret_in_parameter_store() -> None:
    key = f"arn:aws:ssm:{HERE}:parameter/auto-lambda/prod/payments-api/config/KEY"
    assert not allowed(TEAM, Request("ssm:GetParameter", key))
