"""The templates on the embedded AWS: made, changed, and made in a network of others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import yaml
from pipeline_template import read_template

from auto_lambda.aws.cloudformation import Plan, StackFailed, Stacks
from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.stack import create_pipeline, local_client
from auto_lambda_cli.pipeline.parts import ORDER, all_parts, stack_name


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    with EmbeddedAws.start(tmp_path_factory.mktemp("aws"), None) as running:
        yield running


def deploy(aws: EmbeddedAws, pipeline: str, **parameters: str) -> dict[str, str]:
    """The outputs."""
    return create_pipeline(
        partial(local_client, aws), pipeline, {"LogPrefix": f"/auto-lambda/{pipeline}", **parameters}
    )


def resources(aws: EmbeddedAws, pipeline: str) -> dict[str, str]:
    """Physical ids by logical ones."""
    paginator = local_client(aws, "cloudformation").get_paginator("list_stack_resources")
    return {
        item["LogicalResourceId"]: item["PhysicalResourceId"]
        for part in ORDER
        for page in paginator.paginate(StackName=stack_name(pipeline, part))
        for item in page["StackResourceSummaries"]
    }


def group(aws: EmbeddedAws, name: str) -> dict[str, Any]:
    groups = local_client(aws, "autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    found: dict[str, Any] = groups["AutoScalingGroups"][0]
    return found


def announced(aws: EmbeddedAws, bucket: str) -> list[str]:
    """The events that a bucket tells the queue of."""
    found = local_client(aws, "s3").get_bucket_notification_configuration(Bucket=bucket)
    return sorted({event for rule in found["QueueConfigurations"] for event in rule["Events"]})


def test_everything_is_made_and_a_changed_parameter_changes_it(aws: EmbeddedAws) -> None:
    outputs = deploy(aws, "one")
    template = read_template()["Resources"]
    assert set(template) - set(resources(aws, "one")) == {"AlarmEmailSubscription"}  # no AlarmEmail was given
    assert (group(aws, outputs["WorkerGroup"])["MinSize"], group(aws, outputs["WorkerGroup"])["MaxSize"]) == (0, 10)
    checker = group(aws, outputs["CheckerGroup"])
    assert checker["MinSize"] == checker["MaxSize"] == checker["DesiredCapacity"] == 1

    assert announced(aws, outputs["UploadsBucket"]) == ["s3:ObjectCreated:*"]
    changed = deploy(aws, "one", WorkersMax="23", AlarmEmail="somebody@example.com", UndeployOnDelete="true")
    assert group(aws, changed["WorkerGroup"])["MaxSize"] == 23
    assert announced(aws, outputs["UploadsBucket"]) == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    none = deploy(aws, "one", WorkersMax="0", AlarmEmail="somebody@example.com", UndeployOnDelete="true")
    assert [group(aws, none[name])["MaxSize"] for name in ("WorkerGroup", "CheckerGroup")] == [0, 0]
    topics = local_client(aws, "sns").list_subscriptions_by_topic(TopicArn=changed["AlarmTopic"])["Subscriptions"]
    assert [topic["Endpoint"] for topic in topics] == ["somebody@example.com"]
    assert {name for name in outputs if changed[name] != outputs[name]} <= {"Dashboard", "UndeployOnDelete"}


def test_in_a_network_of_others_none_is_made(aws: EmbeddedAws) -> None:
    ec2 = local_client(aws, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{number}.0/24")["Subnet"]["SubnetId"] for number in (1, 2)]
    given = {"VpcId": vpc, "SubnetIds": ",".join(subnets), "Architecture": "arm64"}
    outputs = deploy(aws, "two", **given)
    assert not {"Vpc", "SubnetA", "InternetGateway", "RouteTable"} & set(resources(aws, "two"))
    assert group(aws, outputs["WorkerGroup"])["VPCZoneIdentifier"] == ",".join(subnets)

    narrow = deploy(aws, "two", EgressCidr="10.1.0.0/16", EgressPrefixListId="pl-6da54004", **given)
    assert narrow["SecurityGroup"] == outputs["SecurityGroup"]
    own = ec2.create_security_group(GroupName="own", Description="own", VpcId=vpc)["GroupId"]
    assert deploy(aws, "two", SecurityGroupId=own, **given)["SecurityGroup"] == own


def test_the_dashboard_shows_metrics_and_alarms_that_exist(aws: EmbeddedAws) -> None:
    outputs = deploy(aws, "two")
    name = outputs["Dashboard"].rpartition("/")[2]
    cloudwatch = local_client(aws, "cloudwatch")
    body = yaml.safe_load(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])
    titles = " ".join(widget["properties"].get("title", widget["type"]) for widget in body["widgets"])
    for word in (
        "Queue",
        "Workers",
        "Backlog",
        "drop to live",
        "outcome and step",
        "framework",
        "Dead letters",
        "Cost",
        "error code",
        "of the app",
    ):
        assert word in titles
    shown = next(widget for widget in body["widgets"] if widget["type"] == "alarm")["properties"]["alarms"]
    existing = {alarm["AlarmArn"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]}
    assert set(shown) <= existing


IMPOSSIBLE = """
  Impossible:
    Type: AWS::SQS::Queue
    DependsOn: [ArtifactsBucket, CheckerLogs, LedgerTable, UploadsBucket, WorkerLogs]
    Properties: {RedrivePolicy: {deadLetterTargetArn: 5, maxReceiveCount: x}}

Outputs:
"""


def test_a_first_creation_that_failed_can_be_repeated(aws: EmbeddedAws) -> None:
    """Nothing with a fixed name is left of it; what a whole creation has made stays."""
    logs, s3, stacks = local_client(aws, "logs"), local_client(aws, "s3"), Stacks(local_client(aws, "cloudformation"))
    (core,) = (part for part in all_parts() if part.name == "core")
    parameters = {"LogPrefix": "/auto-lambda/third"}
    with pytest.raises(StackFailed, match="Impossible"):
        stacks.deploy(Plan("third", body=core.text.replace("\nOutputs:\n", IMPOSSIBLE), parameters=parameters))
    assert not [it["Name"] for it in s3.list_buckets()["Buckets"] if it["Name"].startswith("third-")]
    assert not logs.describe_log_groups(logGroupNamePrefix="/auto-lambda/third/")["logGroups"]
    outputs = deploy(aws, "third")
    s3.put_object(Bucket=outputs["UploadsBucket"], Key="x", Body=b"kept")
    stacks.delete("third")
    assert s3.list_objects_v2(Bucket=outputs["UploadsBucket"])["KeyCount"] == 1
