"""``make e2e-aws-clean`` finds what runs have left without any of their files, and touches nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_aws.cleaning import clean, runs
from e2e_aws.place import Place
from e2e_aws.run import TAG, Run
from moto import mock_aws

NAME, OTHER, ACCOUNT, REGION = "e2e-0a1b2c3d", "e2e-ffffffff", "123456789012", "us-east-1"
TOPIC = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
ENVIRON = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_REGION": REGION}


@pytest.fixture
def place() -> Iterator[Place]:
    with mock_aws():
        yield Place(ENVIRON, ACCOUNT, REGION, rehearsal=True)


@pytest.fixture
def run(place: Place, tmp_path: Path) -> Run:
    return Run(place, NAME, tmp_path, lambda _: None)


def make_bucket(place: Place, name: str) -> None:
    s3 = place.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket=name, Key="apps/x.zip", Body=b"x")
    s3.delete_object(Bucket=name, Key="apps/x.zip")


def make_stack(place: Place, name: str, **tags: str) -> None:
    told = [{"Key": key.replace("_", ":"), "Value": value} for key, value in tags.items()]
    place.client("cloudformation").create_stack(StackName=name, TemplateBody=TOPIC, Tags=told)


def stacks(place: Place) -> set[str]:
    return {stack["StackName"] for stack in place.client("cloudformation").describe_stacks()["Stacks"]}


def buckets(place: Place) -> set[str]:
    return {bucket["Name"] for bucket in place.client("s3").list_buckets()["Buckets"]}


def test_runs_are_found_by_their_tags_and_by_the_names_of_their_buckets(place: Place) -> None:
    make_bucket(place, f"{NAME}-templates-{ACCOUNT}-{REGION}")
    make_bucket(place, f"auto-lambda-uploads-{ACCOUNT}-{REGION}")
    make_bucket(place, "tagged-by-somebody")
    tags = {"TagSet": [{"Key": TAG, "Value": "prod"}]}
    place.client("s3").put_bucket_tagging(Bucket="tagged-by-somebody", Tagging=tags)
    place.client("sns").create_topic(Name="left", Tags=[{"Key": TAG, "Value": OTHER}])
    assert runs(place) == [NAME, OTHER]


def test_buckets_tables_groups_policies_and_layers_go_by_the_name_of_the_run(place: Place, run: Run) -> None:
    mine = [f"{NAME}-uploads-{ACCOUNT}-{REGION}", f"al-files-{NAME}-{ACCOUNT}"]
    others = [f"{OTHER}-uploads-{ACCOUNT}-{REGION}", f"auto-lambda-uploads-{ACCOUNT}-{REGION}", f"x-{NAME}-{ACCOUNT}"]
    for name in (*mine, *others):
        make_bucket(place, name)
    key = {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}
    for name in (f"{NAME}-LedgerTable-1", "orders"):
        place.client("dynamodb").create_table(
            TableName=name, AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}], **key
        )
    for name in (f"/auto-lambda/{NAME}/worker", f"/aws/lambda/small-{NAME}/Index", "/aws/lambda/shop-dev"):
        place.client("logs").create_log_group(logGroupName=name)
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    for name in (f"{NAME}-AppBoundary-1", "admins"):
        place.client("iam").create_policy(PolicyName=name, PolicyDocument=document)
    assert clean(run) == []
    assert buckets(place) == set(others)
    assert place.client("dynamodb").list_tables()["TableNames"] == ["orders"]
    groups = place.client("logs").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/aws/lambda/shop-dev"]
    policies: list[Any] = place.client("iam").list_policies(Scope="Local")["Policies"]
    assert [policy["PolicyName"] for policy in policies] == ["admins"]
    assert clean(run) == []


def test_only_stacks_of_the_runs_own_apps_are_deleted(place: Place, run: Run) -> None:
    make_stack(place, f"al-small-{NAME}", **{"auto-lambda_stage": NAME})
    make_stack(place, "al-shop-dev", **{"auto-lambda_stage": "dev"})
    make_stack(place, "billing", **{"auto-lambda_stage": NAME})
    clean(run)
    assert stacks(place) == {"al-shop-dev", "billing"}


def test_a_stack_that_only_has_the_name_of_a_run_stays_and_is_told(place: Place, run: Run) -> None:
    make_stack(place, NAME)
    (told,) = clean(run)
    assert "it stays" in told
    assert stacks(place) == {NAME}


def test_what_is_left_is_told(place: Place, run: Run) -> None:
    arn = place.client("sns").create_topic(Name="forgotten", Tags=[{"Key": TAG, "Value": NAME}])["TopicArn"]
    assert clean(run) == [arn]
