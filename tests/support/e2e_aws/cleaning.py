"""Finds and deletes what a run has made, by its name and tag, also after a crash and without the run's report."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from auto_lambda.aws.cloudformation import STILLBORN, Stacks
from auto_lambda.namespace import STAGE_TAG
from e2e_aws.flex_stages import delete_controller
from e2e_aws.model import StageFailed
from e2e_aws.place import Place
from e2e_aws.run import NAME, TAG, Run

_BUCKET = re.compile(rf"(?:al-files-)?({NAME.pattern})(?:-templates|-uploads|-artifacts)?-\d{{12}}(?:-[a-z0-9-]+)?")
_GONE = {"NoSuchBucket", "NoSuchEntity", "ResourceNotFoundException", "ParameterNotFound", "InvalidAMIID.NotFound"}


def runs(place: Place) -> list[str]:
    """Return the runs of which something is there: by tags, and by the names of buckets, which come first."""
    found = set(_tagged(place, TAG).values())
    buckets = place.client("s3").list_buckets()["Buckets"]
    found |= {match[1] for bucket in buckets if (match := _BUCKET.fullmatch(bucket["Name"]))}
    return sorted(name for name in found if NAME.fullmatch(name))


def clean(run: Run) -> list[str]:
    """Delete all that a run has made, and return what is left of it. Can be repeated."""
    run.stop_worker()
    problems = [problem for step in _STEPS for problem in _tried(step, run)]
    return problems or leftovers(run)


def leftovers(run: Run) -> list[str]:
    """Ask the tagging API, and the services that it does not cover, what is left of a run."""
    with suppress(StageFailed):  # the tagging API is some minutes late
        run.place.wait(lambda: not _left(run), 0 if run.place.rehearsal else 600, "nothing left")
    return _left(run)


def _left(run: Run) -> list[str]:
    found = [arn for key in (TAG, STAGE_TAG) for arn, value in _tagged(run.place, key).items() if value == run.name]
    named = [f"log group {name}" for name in _log_groups(run)] + [f"policy {arn}" for arn in _policies(run)]
    named += [f"bucket {name}" for name in _buckets(run)] + [f"layer {name}" for name in _layers(run)]
    return sorted({*found, *named})


def _tried(step: Callable[[Run], None], run: Run) -> Iterator[str]:
    try:
        step(run)
    except Exception as error:
        yield f"{step.__name__.strip('_').replace('_', ' ')}: {error}"


def _delete_apps(run: Run) -> None:
    stacks = Stacks(run.place.client("cloudformation"))
    for stack in _pages(run, "cloudformation", "describe_stacks", "Stacks"):
        tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", ())}
        if stack["StackName"].startswith("al-") and tags.get(STAGE_TAG) == run.name:
            run.say(f"deleting {stack['StackName']}")
            stacks.delete(stack["StackName"])


def _delete_pipeline(run: Run) -> None:
    stacks = Stacks(run.place.client("cloudformation"))
    core = stacks.describe(run.name)
    if core is None:
        return
    if core.tags.get(TAG) != run.name:
        raise StageFailed(f"the stack {run.name} has no tag {TAG}, so it is not a run's: it stays")
    run.say(f"taking the pipeline {run.name} down")
    if core.status not in STILLBORN:
        run.pipeline("down", "--yes")
    stacks.delete(run.name)


def _delete_buckets(run: Run) -> None:
    s3 = run.place.client("s3")
    for bucket in _buckets(run):
        run.say(f"emptying and deleting {bucket}")
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            listed = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            keys = [{"Key": it["Key"], "VersionId": it["VersionId"]} for it in listed]
            if keys:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        s3.delete_bucket(Bucket=bucket)


def _delete_tables(run: Run) -> None:
    dynamodb = run.place.client("dynamodb")
    for name in _pages(run, "dynamodb", "list_tables", "TableNames"):
        if name.startswith(f"{run.name}-"):
            dynamodb.delete_table(TableName=name)


def _delete_log_groups(run: Run) -> None:
    for name in _log_groups(run):
        run.place.client("logs").delete_log_group(logGroupName=name)


def _delete_policies(run: Run) -> None:
    iam = run.place.client("iam")
    for arn in _policies(run):
        for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=arn)


def _delete_layers(run: Run) -> None:
    lambda_ = run.place.client("lambda")
    for name in _layers(run):
        for version in lambda_.list_layer_versions(LayerName=name)["LayerVersions"]:
            lambda_.delete_layer_version(LayerName=name, VersionNumber=version["Version"])


def _delete_images(run: Run) -> None:
    ssm, ec2 = run.place.client("ssm"), run.place.client("ec2")
    for name in image_parameters(run.name):
        try:
            history = ssm.get_parameter_history(Name=name)["Parameters"]
        except ClientError as error:
            if _code(error) in _GONE:
                continue
            raise
        for image in ec2.describe_images(ImageIds=sorted({one["Value"] for one in history}))["Images"]:
            ec2.deregister_image(ImageId=image["ImageId"])
            for device in image.get("BlockDeviceMappings", ()):
                if snapshot := device.get("Ebs", {}).get("SnapshotId"):
                    ec2.delete_snapshot(SnapshotId=snapshot)
        ssm.delete_parameter(Name=name)


def image_parameters(name: str) -> tuple[str, ...]:
    """Return the names of the parameters that can name the images of a run."""
    return tuple(f"/auto-lambda/image/{name}/{architecture}" for architecture in ("x86_64", "arm64"))


_STEPS = (
    _delete_apps, delete_controller, _delete_pipeline, _delete_buckets, _delete_tables, _delete_log_groups,
    _delete_policies, _delete_layers, _delete_images,
)  # fmt: skip


def _buckets(run: Run) -> list[str]:
    listed = [bucket["Name"] for bucket in run.place.client("s3").list_buckets()["Buckets"]]
    return [name for name in listed if (found := _BUCKET.fullmatch(name)) and found[1] == run.name]


def _log_groups(run: Run) -> list[str]:
    logs = run.place.client("logs")
    found = []
    for prefix in (f"/auto-lambda/{run.name}/", "/aws/lambda/"):
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        found += [group["logGroupName"] for page in pages for group in page["logGroups"]]
    return [name for name in found if re.search(rf"[-/]{run.name}(/|$)", name)]


def _policies(run: Run) -> list[str]:
    pages = run.place.client("iam").get_paginator("list_policies").paginate(Scope="Local")
    listed = [policy for page in pages for policy in page["Policies"]]
    return [policy["Arn"] for policy in listed if policy["PolicyName"].startswith(f"{run.name}-")]


def _layers(run: Run) -> list[str]:
    listed = [layer["LayerName"] for layer in _pages(run, "lambda", "list_layers", "Layers")]
    return [name for name in listed if name.startswith("al-") and name.endswith(f"-{run.name}")]


def _pages(run: Run, service: str, operation: str, field: str) -> Iterator[Any]:
    for page in run.place.client(service).get_paginator(operation).paginate():
        yield from page[field]


def _tagged(place: Place, key: str) -> dict[str, str]:
    """Return the ARNs of what has a tag, with its value."""
    pages = place.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=[{"Key": key}])
    return {
        one["ResourceARN"]: tag["Value"]
        for page in pages
        for one in page["ResourceTagMappingList"]
        for tag in one["Tags"]
        if tag["Key"] == key
    }


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
