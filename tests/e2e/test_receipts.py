"""Receipts and logs keep their contract, for every app that went live."""

from __future__ import annotations

import json
import unicodedata
from datetime import datetime

import pytest
from e2e_apps import APPS
from e2e_stack import Drop, Stack

FIELDS = {
    "schema", "app", "stage", "status", "step", "upload", "framework", "python", "architecture", "sandbox",
    "timings", "init_ms", "package_bytes", "package_zip_bytes", "url", "settings",
    "function", "version", "alias", "serving", "error", "log", "worker", "updated",
}  # fmt: skip
WITHOUT_URL = {"events", "template-s3", "template-functions"}
CHALICE = {app.name for app in APPS if app.name.startswith("template-")} | {"events", "thumbnails", "every-chalice"}
ZIPS_OWN = 1024  # bytes that a zip of one small file adds, at most
PLAIN = {"every-plain", "orders"}


@pytest.mark.parametrize("name", [app.name for app in APPS])
def test_the_receipt_tells_everything(stack: Stack, drops: dict[str, Drop], name: str) -> None:
    drop = drops[name]
    receipt = stack.live(drop)
    head = stack.s3.head_object(Bucket=stack.bucket, Key=drop.key, VersionId=drop.version)

    assert set(receipt) >= FIELDS
    assert (receipt["schema"], receipt["app"], receipt["stage"]) == (1, name, "dev")
    assert (receipt["alias"], receipt["error"], receipt["log"]) == ("live", None, drop.log_key)
    assert (receipt["upload"]["key"], receipt["upload"]["size"]) == (drop.key, head["ContentLength"])
    assert len(receipt["upload"]["sha256"]) == 64
    assert receipt["framework"] == ("chalice" if name in CHALICE else "plain" if name in PLAIN else "zappa")
    assert receipt["architecture"] == "x86_64"
    assert (receipt["url"] is None) == (name in WITHOUT_URL)
    assert receipt["version"] == stack.alias_version(receipt["function"])
    assert 0 < receipt["init_ms"] < 10_000
    assert 0 < receipt["package_zip_bytes"] < receipt["package_bytes"] + ZIPS_OWN
    assert {"fetch", "unpack", "inspect", "build", "compile", "prove", "deploy"} <= set(receipt["timings"])
    assert datetime.fromisoformat(receipt["updated"]).tzinfo
    assert receipt["worker"]


@pytest.mark.parametrize("name", ["statistics", "thumbnails"])
def test_the_log_can_be_read(stack: Stack, drops: dict[str, Drop], name: str) -> None:
    stack.live(drops[name])
    log = stack.log(drops[name])
    library = {"statistics": "pandas", "thumbnails": "pillow"}[name]
    assert library in log.lower()
    assert "live" in log
    assert not [character for character in log if unicodedata.category(character) == "Cc" and character not in "\n\t"]
    assert stack.s3.head_object(Bucket=stack.bucket, Key=drops[name].log_key)["ContentType"].startswith("text/plain")


def test_zappa_functions_have_the_name_that_zappa_looks_for(stack: Stack, drops: dict[str, Drop]) -> None:
    assert stack.live(drops["quotes"])["function"] == "quotes-dev"


def test_the_stack_is_named_after_the_app(stack: Stack, drops: dict[str, Drop]) -> None:
    stack.live(drops["quotes"])
    (found,) = stack.client("cloudformation").describe_stacks(StackName="al-quotes-dev")["Stacks"]
    assert found["StackStatus"] == "UPDATE_COMPLETE"  # first what nobody calls yet, then what leads to it


@pytest.mark.parametrize("name", ["quotes", "events"])
def test_roles_are_bounded(stack: Stack, drops: dict[str, Drop], name: str) -> None:
    function = stack.live(drops[name])["function"]
    role = stack.lambda_.get_function_configuration(FunctionName=function)["Role"]
    assert ":role/auto-lambda/" in role
    # The embedded AWS forgets the boundaries of roles that CloudFormation makes: what was asked for is in the template.
    template = stack.client("cloudformation").get_template(StackName=f"al-{name}-dev")["TemplateBody"]
    resources = (template if isinstance(template, dict) else json.loads(template))["Resources"].values()
    roles = [resource for resource in resources if resource["Type"] == "AWS::IAM::Role"]
    assert roles
    assert {role["Properties"]["PermissionsBoundary"] for role in roles} == {stack.ready["boundary"]}
