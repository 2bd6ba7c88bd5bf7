"""The stages about apps: deployed, changed, refused, triggered, removed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import urllib3
from botocore.exceptions import ClientError
from e2e_stack import example, saying, small_chalice

from e2e_aws.model import Finding, expect
from e2e_aws.run import Run

EXAMPLES = ("quotes", "guestbook", "thumbnails", "statistics")
_BROKEN = {**small_chalice(), "app.py": "import nothing_that_exists\n"}
_ON_S3 = """
from chalice import Chalice

app = Chalice(app_name="files")


@app.on_s3_event(bucket="BUCKET", events=["s3:ObjectCreated:*"])
def stored(event):
    print("stored", event.key)
"""


def deploy(run: Run) -> Iterator[Finding]:
    """Deploy the smallest app with a worker on this machine, which has the rights of the workers' role only."""
    run.worker()
    receipt = run.drop("small", saying("one"))
    _answers(run, receipt["url"], "one")
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in receipt["timings"].items())
    yield Finding("deploy-seconds", steps)
    yield Finding("log-group-order", _log_group_order(run, receipt["function"]))


def _answers(run: Run, url: str, word: str) -> None:
    def answer() -> bool:
        told = urllib3.request("GET", url, timeout=30, retries=False)
        return told.status == 200 and word in told.data.decode()

    run.place.wait(answer, 60, f"{url} does not answer {word!r}")


def _log_group_order(run: Run, function: str) -> str:
    """Tell which was made first; the events are newest first."""
    cloudformation = run.place.client("cloudformation")
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=f"al-small-{run.name}")
    events = [event for page in pages for event in page["StackEvents"]]
    made = [
        event["ResourceType"]
        for event in reversed(events)
        if event["ResourceStatus"] == "CREATE_COMPLETE"
        and event["ResourceType"] in ("AWS::Logs::LogGroup", "AWS::Lambda::Function")
    ]
    return f"{function}: {', then '.join(made) or 'no event says it'}"


def update(run: Run) -> Iterator[Finding]:
    """Deploy a change, a change that does not start, and the earlier release again; meanwhile, change it by hand."""
    run.worker()
    live = run.drop("small", saying("two"))
    _answers(run, live["url"], "two")
    seconds = live["timings"].get("deploy", 0.0)
    yield Finding("update-seconds", f"{seconds:.1f} s")
    run.drop("small", _BROKEN, "failed")
    _answers(run, live["url"], "two")
    lambda_, function = run.place.client("lambda"), live["function"]
    before = lambda_.get_function_configuration(FunctionName=function)["Timeout"]
    lambda_.update_function_configuration(FunctionName=function, Timeout=before + 1)
    back = run.follow("rollback", "small", "--to", live["serving"]["before"], status="live")
    _answers(run, back["url"], "one")
    after = lambda_.get_function_configuration(FunctionName=function, Qualifier="live")["Timeout"]
    expect(after == before, f"a time-out changed by hand, {before + 1} s, is live after a rollback: {after} s")
    yield Finding("drift", "a time-out that was changed by hand is as the release has it again")
    yield _versions(run, function)


def _versions(run: Run, function: str) -> Finding:
    pages = run.place.client("lambda").get_paginator("list_versions_by_function").paginate(FunctionName=function)
    numbers = [one["Version"] for page in pages for one in page["Versions"] if one["Version"] != "$LATEST"]
    return Finding("versions", f"after three releases with one retained, these versions are left: {', '.join(numbers)}")


def refused(run: Run) -> Iterator[Finding]:
    """Deploy an app whose log group exists already, which CloudFormation's early validation refuses."""
    run.worker()
    group = f"/aws/lambda/taken-{run.name}/Index"
    try:
        run.place.client("logs").create_log_group(logGroupName=group, tags=run.tag())
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise
    bucket = run.outputs["UploadsBucket"]
    zipped = run.zipped("taken", small_chalice())
    done = run.cli("deploy", str(zipped), "--name", "taken", "--stage", run.name, "--bucket", bucket, code=None)
    yield Finding("early-validation", f"exit code {done.returncode}: {_last_lines(done.stderr)}")


def _last_lines(text: str) -> str:
    return " / ".join(line for line in text.splitlines()[-4:] if line.strip())


def triggers(run: Run) -> Iterator[Finding]:
    """Deploy an app with a trigger on a bucket, which S3 makes only once it may invoke the function."""
    run.worker()
    place = run.place
    bucket = f"al-files-{run.name}-{place.account}"  # in the app's namespace, so no grant is needed
    s3 = place.client("s3")
    elsewhere: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": place.region}}
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket, **({} if place.region == "us-east-1" else elsewhere))
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in run.tag().items()]})
    begun = time.monotonic()
    run.drop("files", {**small_chalice(), "app.py": _ON_S3.replace("BUCKET", bucket)})
    told = s3.get_bucket_notification_configuration(Bucket=bucket)
    expect(told.get("LambdaFunctionConfigurations"), f"{bucket} notifies no function")
    yield Finding("s3-permission", f"accepted; the whole deployment took {time.monotonic() - begun:.0f} s")


def examples(run: Run) -> Iterator[Finding]:
    """Deploy our examples, one of which has a layer with compiled packages."""
    run.worker()
    receipts = {name: run.drop(name, example(name)) for name in EXAMPLES}
    yield Finding("layers", f"live: {', '.join(receipts)}; each was requested through its alias")


def undeploy(run: Run) -> Iterator[Finding]:
    """Remove the smallest app, and look what comes back."""
    run.worker()
    function = f"small-{run.name}"
    run.cli("undeploy", "small", "--stage", run.name, "--bucket", run.outputs["UploadsBucket"], "--yes")
    time.sleep(1 if run.place.rehearsal else 120)
    pages = run.place.client("logs").get_paginator("describe_log_groups")
    found = [it for page in pages.paginate(logGroupNamePrefix=f"/aws/lambda/{function}") for it in page["logGroups"]]
    yield Finding("log-group-again", ", ".join(it["logGroupName"] for it in found) or "none two minutes later")
