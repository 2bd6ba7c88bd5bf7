"""What the checks find: in an account of moto, and as AWS refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber
from moto import mock_aws

from auto_lambda import __version__
from auto_lambda_cli.pipeline.checks import Check, LaunchRefused, check, find_site, image_parameter
from auto_lambda_cli.pipeline.site import Clients, Site

REGION = "eu-west-1"


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        yield cache(partial(boto3.client, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="y"))


@pytest.fixture
def site(clients: Clients) -> Site:
    return find_site("auto-lambda", None, clients)


def found(site: Site, what: str, **chosen: str) -> list[Check]:
    return [one for one in check(site, chosen) if one.what == what]


def refusing(code: str) -> Clients:
    client = boto3.client("sts", REGION, aws_access_key_id="x", aws_secret_access_key="y")
    stub = Stubber(client)
    stub.add_client_error("get_caller_identity", code)
    stub.activate()
    return lambda _: client


def test_the_account_and_the_region_are_those_of_the_credentials(site: Site) -> None:
    assert (site.account, site.region) == ("123456789012", REGION)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ExpiredToken", "have expired: log in again"),
        ("ExpiredTokenException", "have expired: log in again"),
        ("InvalidClientTokenId", "does not accept these credentials"),
        ("SignatureDoesNotMatch", "does not accept these credentials"),
        ("ServiceUnavailable", "AWS says"),
    ],
)
def test_credentials_that_aws_refuses(code: str, told: str) -> None:
    with pytest.raises(LaunchRefused, match=told):
        find_site("auto-lambda", REGION, refusing(code))


def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    session = botocore.session.Session()
    with pytest.raises(NoCredentialsError):
        find_site("auto-lambda", REGION, lambda service: session.create_client(service, REGION))


def test_a_bad_name_asks_nothing_of_aws() -> None:
    with pytest.raises(LaunchRefused, match="those of apps"):
        find_site("al-shop", REGION, lambda _: pytest.fail("asked"))


def test_a_fresh_account_is_told_of_what_is_missing_only(site: Site) -> None:
    assert {one.what: one.state for one in check(site, {"WorkersMax": "2"})} == {
        "account": "ok", "names": "ok", "quotas": "warning", "image": "warning",
    }  # fmt: skip


def test_names_that_are_taken(site: Site, clients: Clients) -> None:
    clients("s3").create_bucket(
        Bucket=f"auto-lambda-uploads-123456789012-{REGION}", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    clients("logs").create_log_group(logGroupName="/auto-lambda/worker")
    clients("logs").create_log_group(logGroupName="/auto-lambda/other/worker")
    clients("iam").create_role(RoleName=f"auto-lambda-worker-{REGION}", AssumeRolePolicyDocument="{}")
    told = found(site, "names")
    assert {one.state for one in told} == {"wrong"}
    assert [one.text.split(" exists")[0] for one in told] == [
        f"bucket auto-lambda-uploads-123456789012-{REGION} (ours)",
        "log group /auto-lambda/worker",
        f"role auto-lambda-worker-{REGION}",
    ]


def test_a_bucket_of_another_account_is_taken_too(site: Site, clients: Clients) -> None:
    with Stubber(clients("s3")) as stub:
        stub.add_client_error("head_bucket", "403", http_status_code=403)
        stub.add_client_error("head_bucket", "404", http_status_code=404)
        (told,) = found(site, "names")
    assert (told.state, "another account's" in told.text) == ("wrong", True)


def test_names_that_the_pipelines_own_stacks_have_are_not_taken(site: Site, clients: Clients) -> None:
    bucket = f"auto-lambda-uploads-123456789012-{REGION}"
    resource = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}}
    body = json.dumps({"Resources": {"UploadsBucket": resource}})
    clients("cloudformation").create_stack(StackName="auto-lambda", TemplateBody=body)
    assert [one.state for one in found(site, "names")] == ["ok"]


@pytest.mark.parametrize(
    ("quota", "most", "state", "text"),
    [
        (5.0, "10", "warning", "of 10 workers, 2 can run at the same time. Ask for 20"),
        (20.0, "10", "ok", "20 Spot vCPUs for 10 workers"),
        (None, "10", "warning", "could not be read; 10 workers need 20"),
    ],
)
def test_the_quota_of_vcpus(
    site: Site, clients: Clients, quota: float | None, most: str, state: str, text: str
) -> None:
    with Stubber(clients("service-quotas")) as stub:
        stub.add_response("get_service_quota", {"Quota": {"Value": 5.0}})  # of VPCs
        if quota is None:
            stub.add_client_error("get_service_quota", "AccessDeniedException")
        else:
            stub.add_response("get_service_quota", {"Quota": {"Value": quota}})
        (told,) = found(site, "quotas", WorkersMax=most)
    assert told.state == state
    assert text in told.text


def test_no_workers_need_no_quota(site: Site) -> None:
    assert found(site, "quotas", WorkersMax="0") == []


def test_a_region_that_is_full_of_vpcs(site: Site, clients: Clients) -> None:
    with Stubber(clients("service-quotas")) as stub:
        for value in (1.0, 20.0):  # a region has one VPC from the beginning
            stub.add_response("get_service_quota", {"Quota": {"Value": value}})
        (told,) = found(site, "network", WorkersMax="10")
    assert (told.state, "give VpcId and SubnetIds" in told.text) == ("wrong", True)
    assert found(site, "network", VpcId="vpc-1", WorkersMax="0") == []


def test_the_image(site: Site, clients: Clients) -> None:
    assert image_parameter({}) == "/auto-lambda/image/x86_64"
    assert (
        image_parameter({"ImagePrefix": "/auto-lambda/image/b", "Architecture": "arm64"})
        == "/auto-lambda/image/b/arm64"
    )
    ec2 = clients("ec2")
    base = ec2.describe_images()["Images"][0]["ImageId"]
    clients("ssm").put_parameter(Name=image_parameter({}), Type="String", Value=base)
    (told,) = found(site, "image", WorkersMax="0")
    assert (told.state, "unknown version" in told.text) == ("ok", True)
    for version, state in ((__version__, "ok"), ("0.0.1", "warning")):
        ec2.create_tags(Resources=[base], Tags=[{"Key": "auto-lambda:version", "Value": version}])
        (told,) = found(site, "image", WorkersMax="0")
        assert told.state == state


def test_what_may_not_be_looked_at_is_a_warning(site: Site, clients: Clients) -> None:
    with Stubber(clients("ssm")) as stub:
        stub.add_client_error("get_parameter", "AccessDeniedException")
        (told,) = found(site, "permissions", WorkersMax="0")
    assert (told.state, "AccessDenied" in told.text) == ("warning", True)
