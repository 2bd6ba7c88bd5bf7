"""The templates, read as a document; that it deploys is for tests/unit/auto_lambda_cli/local_stack/test_stack.py."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pipeline_template import REPOSITORY, read_template, template_paths

from ami.build import Order
from auto_lambda.aws.autoscaling import Capacity
from auto_lambda.aws.sqs import Depth
from auto_lambda.fleet_settings import PATH_VARIABLE
from auto_lambda.settings import PREFIX, CheckerSettings, Settings, WorkerSettings, load
from auto_lambda_cli.pipeline.parts import all_parts
from auto_lambda_cli.sources import templates_folder
from checker.oldest import MOST_RECEIVES
from checker.sample import Sample
from checker.simulator.policies import ours
from worker.consumer.misnamed import ANNOUNCED
from worker.fleet.idle import GRACE_SECONDS

BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
MOST_BYTES = 40_000  # CloudFormation's limit is 51,200


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    template = read_template()
    found: dict[str, Any] = template["Resources"]
    return found


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    """The properties of all resources of one type."""
    return {name: it["Properties"] for name, it in resources.items() if it["Type"] == kind}


def statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def user_data(resources: dict[str, Any], template: str) -> str:
    """The script of a launch template, with its references unresolved."""
    script: str | list[Any] = resources[template]["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"][
        "Fn::Sub"
    ]
    return script if isinstance(script, str) else script[0]


def test_cfn_lint_finds_nothing_and_ignores_nothing() -> None:
    cfn_lint = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [cfn_lint, "--include-checks", "I", "--", *template_paths()], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0
    for path in template_paths():
        assert "cfn-lint" not in path.read_text()  # no directive that switches a rule off


def test_every_template_is_in_the_order_and_lint_reads_it() -> None:
    found = {path.stem for path in templates_folder().glob("*.yaml")} - {"policy-exceptions"}
    assert found == {path.stem for path in template_paths()}
    makefile = (REPOSITORY / "Makefile").read_text()
    assert all(path.name in makefile for path in template_paths())


@pytest.mark.parametrize("path", template_paths(), ids=lambda path: path.stem)
def test_no_template_is_near_the_size_that_cloudformation_takes_directly(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES


def test_a_parameter_without_a_default_is_an_output_of_an_earlier_template() -> None:
    known: set[str] = set()
    for part in all_parts():
        assert {name for name, default in part.defaults.items() if default is None} <= known, part.name
        known |= part.outputs


def test_what_must_not_be_lost_outlives_the_stack(resources: dict[str, Any]) -> None:
    for name in ("UploadsBucket", "ArtifactsBucket", "LedgerTable", "WorkerLogs", "CheckerLogs"):
        assert resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"  # a failed creation can be repeated
        assert resources[name]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("bucket", ["UploadsBucket", "ArtifactsBucket"])
def test_buckets_are_private_encrypted_and_spoken_to_by_tls_only(resources: dict[str, Any], bucket: str) -> None:
    properties = resources[bucket]["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["BucketEncryption"]
    deny = statements(resources[f"{bucket}Policy"]["Properties"])[0]
    assert deny["Effect"] == "Deny"
    assert deny["Principal"] == "*"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": False}}


def test_archives_are_announced_and_the_deletion_of_apps_only_where_it_counts(resources: dict[str, Any]) -> None:
    *made, chosen = resources["UploadsBucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    condition, deleted, otherwise = chosen["Fn::If"]
    assert (condition, otherwise) == ("UndeployEnabled", {"Ref": "AWS::NoValue"})
    assert {one["Event"] for one in made} == {"s3:ObjectCreated:*"}
    assert [one["Filter"]["S3Key"]["Rules"] for one in made] == [[{"Name": "suffix", "Value": it}] for it in ANNOUNCED]
    assert deleted["Event"] == "s3:ObjectRemoved:*"
    assert deleted["Filter"]["S3Key"]["Rules"] == [
        {"Name": "prefix", "Value": "apps/"},
        {"Name": "suffix", "Value": ".zip"},
    ]


def test_only_this_accounts_uploads_bucket_may_announce(resources: dict[str, Any]) -> None:
    allow = statements(resources["QueuePolicy"]["Properties"])[0]
    assert allow["Principal"] == {"Service": "s3.amazonaws.com"}
    source = allow["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Sub"]
    assert source.endswith(resources["UploadsBucket"]["Properties"]["BucketName"]["Fn::Sub"])
    assert allow["Condition"]["StringEquals"]["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}


@pytest.mark.parametrize("name", ["WorkerTemplate", "CheckerTemplate"])
def test_machines_need_tokens_for_metadata_and_have_encrypted_disks(resources: dict[str, Any], name: str) -> None:
    data = resources[name]["Properties"]["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert all(disk["Ebs"]["Encrypted"] and disk["Ebs"]["VolumeType"] == "gp3" for disk in data["BlockDeviceMappings"])
    assert "KeyName" not in data


def test_nothing_comes_in_and_only_tls_goes_out(resources: dict[str, Any]) -> None:
    properties = resources["NoInboundTraffic"]["Properties"]
    assert "SecurityGroupIngress" not in properties
    always, *chosen = properties["SecurityGroupEgress"]
    rules = [always, *(rule["Fn::If"][1] for rule in chosen)]
    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(443, 443)}
    assert not [name for name, it in resources.items() if it["Type"] == "AWS::EC2::SecurityGroupIngress"]


@pytest.mark.parametrize(
    ("name", "settings"), [("WorkerTemplate", WorkerSettings), ("CheckerTemplate", CheckerSettings)]
)
def test_machines_are_told_settings_that_their_service_takes(
    resources: dict[str, Any], name: str, settings: type[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = user_data(resources, name)
    for variable in [variable for variable in os.environ if variable.startswith(("AUTO_LAMBDA_", "AWS_"))]:
        monkeypatch.delenv(variable)
    references = {
        "Queue": "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
        "DeadLetterQueue": "https://sqs.eu-west-1.amazonaws.com/123456789012/d",
        **dict.fromkeys(
            ("BoundaryArn", "GrantedBoundaryArn", "PlatformBoundaryArn"), "arn:aws:iam::123456789012:policy/boundary"
        ),
        "AppRights": "granted",
        "UndeployOnDelete": "true",
        "RetainReleases": "10",
        "LogRetentionDays": "30",
        "Domain": "apps.example.com",
        "CertificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/0b1d9a2c-0000-4000-8000-000000000000",
        "HostedZoneId": "Z0123456789ABCDEFGHIJ",
    }
    told = dict(re.findall(r"^(A\w+)=(.*)$", script, re.MULTILINE))
    for variable, value in told.items():
        known = re.sub(
            r"\$\{([\w:]+)\}", lambda found: references.get(found[1], found[1].lower().replace(":", "")), value
        )
        monkeypatch.setenv(variable, known)
    chosen = load(settings)
    names = {"AWS_REGION", PATH_VARIABLE, *(f"{PREFIX}{name.upper()}" for name in chosen.model_fields_set)}
    assert set(told) <= names


def test_the_checker_is_never_slower_than_the_shortest_period_of_an_alarm(resources: dict[str, Any]) -> None:
    script = user_data(resources, "CheckerTemplate")
    slowest = int(re.findall(r"AUTO_LAMBDA_IDLE_CHECK_SECONDS=(\d+)", script)[0])
    assert slowest <= min(alarm["Period"] for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values())


def test_the_scaling_is_what_the_study_found_best(resources: dict[str, Any]) -> None:
    policy = ours()
    assert policy.step
    assert policy.tracking
    tracking = resources["BacklogTracking"]["Properties"]["TargetTrackingConfiguration"]
    metric = tracking["CustomizedMetricSpecification"]
    assert (tracking["TargetValue"], tracking["DisableScaleIn"]) == (
        policy.tracking.target,
        policy.tracking.in_ is None,
    )
    assert (metric["MetricName"], metric["Period"]) == (policy.tracking.metric, policy.tracking.period)
    assert resources["WorkerGroup"]["Properties"]["DefaultInstanceWarmup"] == policy.tracking.warmup
    steps = resources["ScaleFromZero"]["Properties"]["StepAdjustments"]
    assert [(step["MetricIntervalLowerBound"], step["ScalingAdjustment"]) for step in steps] == list(policy.step.steps)
    assert [step.get("MetricIntervalUpperBound") for step in steps] == [bound for bound, _ in policy.step.steps[1:]] + [
        None
    ]
    alarms = [
        alarm for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values()
        if alarm["AlarmActions"] == [{"Ref": "ScaleFromZero"}]
    ]  # fmt: skip
    assert tuple(alarm["EvaluationPeriods"] for alarm in alarms) == policy.step.points
    assert {(alarm["MetricName"], alarm["Period"]) for alarm in alarms} == {(policy.step.metric, policy.step.period)}
    script = user_data(resources, "WorkerTemplate")
    assert float(re.findall(r"AUTO_LAMBDA_IDLE_SECONDS=(\d+)", script)[0]) == policy.idle
    assert policy.first == GRACE_SECONDS


def test_never_more_machines_go_than_are_idle(resources: dict[str, Any]) -> None:
    threshold = resources["WorkersIdle"]["Properties"]["Threshold"]
    for step in resources["ScaleInIdleWorkers"]["Properties"]["StepAdjustments"]:
        assert -step["ScalingAdjustment"] <= threshold + step["MetricIntervalLowerBound"]


def test_every_metric_of_an_alarm_is_published_by_somebody(resources: dict[str, Any]) -> None:
    sample = Sample(datetime.now(UTC), Depth(0, 0, 0), 0, Capacity(0, 0, 0, 0), oldest=0.0)
    filters = of_type(resources, "AWS::Logs::MetricFilter").values()
    counted = {change["MetricName"] for it in filters for change in it["MetricTransformations"]}
    for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        assert alarm["MetricName"] in (counted if "Dimensions" not in alarm else sample.metrics()), name


def test_the_lines_that_are_counted_are_written(resources: dict[str, Any]) -> None:
    source = "".join(file.read_text() for file in (REPOSITORY / "worker").rglob("*.py"))
    for it in of_type(resources, "AWS::Logs::MetricFilter").values():
        (event,) = re.findall(r'\$\.event = "([^"]+)"', it["FilterPattern"])
        assert f'"{event}"' in source
        fields = set(re.findall(r"\$\.(\w+)", json.dumps(it))) - {"event"}
        assert all(f"{field}=" in source for field in fields)


def test_every_alarm_for_people_is_told_of_when_it_ends_too_and_has_its_page(resources: dict[str, Any]) -> None:
    page = (REPOSITORY / "docs/how-to/alarms.md").read_text()
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    told = {name for name, alarm in alarms.items() if alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]}
    assert len(told) == 7
    for name in told:
        assert alarms[name]["OKActions"] == [{"Ref": "AlarmTopic"}]
        anchor = alarms[name]["AlarmDescription"].rpartition("#")[2]
        assert f"\n## {anchor.replace('-', ' ').capitalize()}\n" in page


@pytest.mark.parametrize("name", ["WorkerTemplate", "CheckerTemplate"])
def test_machines_start_from_what_the_image_build_publishes(resources: dict[str, Any], name: str) -> None:
    condition, stand_in, image = resources[name]["Properties"]["LaunchTemplateData"]["ImageId"]["Fn::If"]
    assert condition == "NoImage"
    assert stand_in["Fn::Sub"].startswith("resolve:ssm:/aws/service/ami-amazon-linux-latest/")
    parameters = read_template()["Parameters"]
    for architecture in parameters["Architecture"]["AllowedValues"]:
        chosen = image["Fn::Sub"].replace("${ImagePrefix}", parameters["ImagePrefix"]["Default"])
        published = Order(architecture=architecture).published_as()
        assert chosen.replace("${Architecture}", architecture) == f"resolve:ssm:{published}"


def test_known_bug_8_dead_letters_keep_the_alarm_on(resources: dict[str, Any]) -> None:
    alarm = resources["DeadLettersPresent"]["Properties"]
    assert (alarm["MetricName"], alarm["Statistic"], alarm["Threshold"]) == ("DeadLetters", "Maximum", 0)


def test_the_reference_lists_every_parameter_and_output() -> None:
    page = (REPOSITORY / "docs/reference/pipeline-template.md").read_text()
    template = read_template()
    for name, parameter in template["Parameters"].items():
        default = parameter["Default"]
        assert f"| `{name}` | {f'`{default}`' if default != '' else 'empty'} |" in page
    for name in template["Outputs"]:
        assert f"| `{name}` |" in page


def test_a_message_becomes_a_dead_letter_when_the_checker_expects_it(resources: dict[str, Any]) -> None:
    redrive = of_type(resources, "AWS::SQS::Queue")["Queue"]["RedrivePolicy"]
    assert redrive["maxReceiveCount"] == MOST_RECEIVES


def test_the_page_of_costs_counts_the_alarms_of_the_templates(resources: dict[str, Any]) -> None:
    page = (REPOSITORY / "docs/reference/costs.md").read_text()
    periods = [alarm["Period"] for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values()]
    fast = sum(period < 60 for period in periods)
    assert f"| {fast}, and 1 that target tracking makes |" in page
    assert f"| standard alarms | $0.10 per alarm and month | {len(periods) - fast} |" in page
