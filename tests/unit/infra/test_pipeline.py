"""The template, read as a document; that it deploys is for tests/unit/auto_lambda/local/test_stack.py."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load

from auto_lambda.local.stack import template_path

FROM_CLOUDFORMATION = {"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    template = json.loads(json.dumps(load(str(template_path()))))
    found: dict[str, Any] = template["Resources"]
    return found


def statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def worker_statements(resources: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from statements(resources["WorkerDeploys"]["Properties"])
    for policy in resources["WorkerRole"]["Properties"]["Policies"]:
        yield from statements(policy)


def actions(statement: dict[str, Any]) -> set[str]:
    found = statement["Action"]
    return {found} if isinstance(found, str) else set(found)


def test_cfn_lint_finds_nothing_and_ignores_nothing() -> None:
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [cfn_lint, "--include-checks", "I", "--", str(template_path())], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0
    assert "cfn-lint" not in template_path().read_text()  # no directive that switches a rule off


def test_what_must_not_be_lost_outlives_the_stack(resources: dict[str, Any]) -> None:
    for name in ("UploadsBucket", "ArtifactsBucket", "LedgerTable"):
        assert resources[name]["DeletionPolicy"] == resources[name]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("bucket", ["UploadsBucket", "ArtifactsBucket"])
def test_buckets_are_private_encrypted_and_spoken_to_by_tls_only(resources: dict[str, Any], bucket: str) -> None:
    properties = resources[bucket]["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["BucketEncryption"]
    (deny,) = statements(resources[f"{bucket}Policy"]["Properties"])
    assert deny["Effect"] == "Deny"
    assert deny["Principal"] == "*"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": False}}


def test_only_zips_below_apps_are_announced(resources: dict[str, Any]) -> None:
    (rule,) = resources["UploadsBucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert rule["Event"] == "s3:ObjectCreated:*"
    assert rule["Filter"]["S3Key"]["Rules"] == [
        {"Name": "prefix", "Value": "apps/"},
        {"Name": "suffix", "Value": ".zip"},
    ]


def test_only_this_accounts_uploads_bucket_may_announce(resources: dict[str, Any]) -> None:
    allow = statements(resources["QueuePolicy"]["Properties"])[0]
    assert allow["Principal"] == {"Service": "s3.amazonaws.com"}
    source = allow["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"]
    assert source.endswith(resources["UploadsBucket"]["Properties"]["BucketName"]["Fn::Sub"])
    assert allow["Condition"]["StringEquals"]["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}


def test_the_worker_touches_iam_only_through_cloudformation_below_its_path(resources: dict[str, Any]) -> None:
    for statement in worker_statements(resources):
        if not any(action.startswith("iam:") for action in actions(statement)):
            continue
        assert statement["Resource"]["Fn::Sub"].endswith(":role/auto-lambda/*"), statement["Sid"]
        if statement["Sid"] != "RolesForFunctionsOnly":
            assert FROM_CLOUDFORMATION.items() <= statement["Condition"].items(), statement["Sid"]


def test_no_role_gets_rights_without_the_boundary(resources: dict[str, Any]) -> None:
    giving = {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"}
    for statement in worker_statements(resources):
        if actions(statement) & giving:
            assert statement["Condition"]["StringEquals"] == {"iam:PermissionsBoundary": {"Ref": "AppBoundary"}}
        assert "iam:DeleteRolePermissionsBoundary" not in actions(statement)
        assert not any(action in ("*", "iam:*") for action in actions(statement))


def test_whatever_the_worker_may_do_anywhere_it_may_do_only_through_cloudformation(resources: dict[str, Any]) -> None:
    for statement in worker_statements(resources):
        looks = all(action.startswith("autoscaling:Describe") for action in actions(statement))
        if statement["Effect"] == "Allow" and statement["Resource"] == "*" and not looks:
            assert FROM_CLOUDFORMATION.items() <= statement["Condition"].items(), statement["Sid"]


def test_apps_never_reach_the_pipeline_or_iam(resources: dict[str, Any]) -> None:
    allow, deny = statements(resources["AppBoundary"]["Properties"])
    assert not any(action.startswith(("iam:", "sts:", "cloudformation:", "*")) for action in actions(allow))
    assert deny["Effect"] == "Deny"
    own = ("UploadsBucket", "ArtifactsBucket", "Queue", "DeadLetterQueue", "LedgerTable")
    denied = [item["Fn::GetAtt"][0] for item in deny["Resource"] if "Fn::GetAtt" in item]
    assert sorted(denied) == sorted(own)


def test_policies_fit_into_what_iam_allows(resources: dict[str, Any]) -> None:
    names = {"AWS::Partition": "aws", "AWS::Region": "ap-southeast-2", "AWS::AccountId": "1" * 12}
    for name in ("AppBoundary", "WorkerDeploys"):
        text = json.dumps(resources[name]["Properties"]["PolicyDocument"], separators=(",", ":"))
        for key, value in names.items():
            text = text.replace(f"${{{key}}}", value)
        assert len(text) < 6144
