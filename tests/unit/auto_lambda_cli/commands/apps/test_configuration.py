"""``auto-lambda config``: values in Parameter Store, and what is live dropped again."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from commands import BUCKET, run
from seen_pipeline import SHOP, SeenPipeline
from typer.testing import CliRunner

from auto_lambda.keys import ROLLBACK
from auto_lambda_cli.app import app

PATH = "/auto-lambda/dev/shop/config"


@pytest.fixture
def live(pipeline: SeenPipeline) -> str:
    version = pipeline.drop()
    pipeline.go_live(version)
    return version


def stored() -> dict[str, tuple[str, str]]:
    client: Any = boto3.client("ssm")
    found = client.get_parameters_by_path(Path=PATH, WithDecryption=True)["Parameters"]
    return {it["Name"].rpartition("/")[2]: (it["Type"], it["Value"]) for it in found}


def asks_again(pipeline: SeenPipeline) -> str | None:
    """The release that the newest zip asks for."""
    head = pipeline.s3.head_object(Bucket=BUCKET, Key=SHOP.key)
    return str(head["Metadata"][ROLLBACK]) if ROLLBACK in head["Metadata"] else None


def test_what_is_set_is_stored_and_the_live_release_dropped_again(pipeline: SeenPipeline, live: str) -> None:
    done = run("config", "shop", "set", "GREETING=a=b", "TABLE=orders", "--no-wait")
    assert done.exit_code == 0, done.stderr
    assert stored() == {"GREETING": ("String", "a=b"), "TABLE": ("String", "orders")}
    assert asks_again(pipeline) == live


def test_a_secret_is_encrypted_stays_so_and_is_not_shown(pipeline: SeenPipeline, live: str) -> None:
    told = CliRunner().invoke(app, ["config", "shop", "set", "KEY", "--secret", "--no-wait"], input="s3cret\n")
    assert told.exit_code == 0, told.stderr
    assert "s3cret" not in told.output
    assert stored() == {"KEY": ("SecureString", "s3cret")}
    pipeline.go_live(str(pipeline.s3.head_object(Bucket=BUCKET, Key=SHOP.key)["VersionId"]))
    assert run("config", "shop", "set", "KEY=new", "PLAIN=x", "--no-wait").exit_code == 0
    assert stored()["KEY"] == ("SecureString", "new")
    listed = run("config", "shop")
    assert listed.stdout == "KEY=(secret)\nPLAIN=x\n"
    assert json.loads(run("config", "shop", "list", "--json").stdout)[0] == {
        "key": "KEY", "value": None, "secret": True,
    }  # fmt: skip


def test_a_plain_value_becomes_a_secret(pipeline: SeenPipeline, live: str) -> None:
    run("config", "shop", "set", "KEY=x", "--no-wait")
    pipeline.go_live(str(pipeline.s3.head_object(Bucket=BUCKET, Key=SHOP.key)["VersionId"]))
    assert run("config", "shop", "set", "KEY=y", "--secret", "--no-wait").exit_code == 0
    assert stored() == {"KEY": ("SecureString", "y")}


def test_what_is_unset_is_gone(pipeline: SeenPipeline) -> None:
    run("config", "shop", "set", "A=1", "B=2")
    done = run("config", "shop", "unset", "A")
    assert done.exit_code == 0
    assert "nothing is live, so this counts from the next drop on" in done.stderr
    assert set(stored()) == {"B"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["set"], "set what?"),
        (["list", "A"], "list takes no keys"),
        (["set", "1A=x"], "no name for a variable"),
        (["set", "A="], "unset it"),
        (["set", "AWS_REGION=x"], "Lambda's or Python's own"),
        (["set", "path=x"], "Lambda's or Python's own"),
        (["set", f"A={'x' * 5000}"], "Put it into a bucket"),
        (["unset", "NOTHERE"], "has no NOTHERE"),
        (["unset", "A=1"], "without values"),
        (["unset", "A", "--secret"], "--secret is for set"),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    pipeline: SeenPipeline, live: str, arguments: list[str], told: str
) -> None:
    done = run("config", "shop", *arguments)
    assert (done.exit_code, stored(), asks_again(pipeline)) == (2, {}, None)
    assert told in done.stderr


def test_a_deployment_that_is_under_way_is_not_superseded(pipeline: SeenPipeline, live: str) -> None:
    pipeline.drop(body=b"a colleague's")
    done = run("config", "shop", "set", "A=1")
    assert (done.exit_code, stored(), asks_again(pipeline)) == (2, {}, None)
    assert "is being deployed (queued)" in done.stderr
