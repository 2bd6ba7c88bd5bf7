"""The stages about the pipeline itself: checked, launched, its events, its rights, removed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from auto_lambda_cli.pipeline.account import ON_DEMAND, SPOT
from auto_lambda_cli.pipeline.parts import ORDER, stack_name
from e2e_aws.model import Finding, StageFailed, expect
from e2e_aws.run import Run

WORKERS = "WorkersMax=0"
DENIED = ("AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation", "UnauthorizedOperation")
_TRAIL_MINUTES = 15  # CloudTrail's own figure for how late an event may be


def checks(run: Run) -> Iterator[Finding]:
    """Ask for everything, change nothing."""
    arguments = (*_tags(run), "--set", WORKERS, "--dry-run")
    told = run.pipeline("up", *arguments)
    expect(told["changed"] is False and all(it["new"] for it in told["stacks"]), f"{run.name} exists already")
    lines = [f"{it['what']} {it['state']}: {it['text']}" for it in told["checks"]]
    yield Finding("quotas", "; ".join(lines))
    yield _quota_codes(run)


def _quota_codes(run: Run) -> Finding:
    quotas = run.place.client("service-quotas")
    names = []
    for service, code in (SPOT, ON_DEMAND):
        try:
            quota = quotas.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]
        except ClientError as error:
            return Finding("quota-codes", None, str(error))
        names.append(f"{code} is '{quota['QuotaName']}', {quota['Value']:.0f}")
    return Finding("quota-codes", "; ".join(names))


def launch(run: Run) -> Iterator[Finding]:
    """Launch it without instances, then change a parameter, and compare what was shown with what was done."""
    trust = () if run.place.rehearsal else ("--set", f"WorkerTrustedArn={run.place.caller()}")
    run.pipeline("up", *_tags(run), "--set", WORKERS, "--set", "UndeployOnDelete=true", *trust, "--yes")
    run.changed()
    expect(run.pipeline("status")["complete"], "the pipeline is not complete")
    yield Finding("stack-seconds", ", ".join(f"{part} {_seconds(run, part):.0f} s" for part in ORDER))
    yield _change_sets(run)


def _tags(run: Run) -> tuple[str, ...]:
    return tuple(word for name, value in run.tag().items() for word in ("--tag", f"{name}={value}"))


def _seconds(run: Run, part: str) -> float:
    times = [it["Timestamp"] for it in _events(run, stack_name(run.name, part))]
    return float((max(times) - min(times)).total_seconds())


def _events(run: Run, stack: str) -> list[Any]:
    pages = run.place.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack)
    return [event for page in pages for event in page["StackEvents"]]


def _change_sets(run: Run) -> Finding:
    """Change what new instances are told, which replaces nothing, and compare."""
    change = ("--set", "RetainReleases=9")
    shown = run.pipeline("up", *change, "--dry-run")
    fleet = stack_name(run.name, "fleet")
    before = {event["EventId"] for event in _events(run, fleet)}
    run.pipeline("up", *change, "--yes")
    done = {it["LogicalResourceId"] for it in _events(run, fleet) if it["EventId"] not in before} - {fleet}
    told = {it["resource"] for one in shown["stacks"] if one["stack"] == fleet for it in one["changes"]}
    return Finding("change-sets", f"shown: {_names(told)}; done: {_names(done)}")


def _names(found: set[str]) -> str:
    return ", ".join(sorted(found)) or "nothing"


def events(run: Run) -> Iterator[Finding]:
    """Drop a file, remove it and its delete marker while no worker runs, and read what S3 announces, and when."""
    run.stop_worker()
    s3, bucket, key = run.place.client("s3"), run.outputs["UploadsBucket"], f"apps/{run.name}/probe.zip"
    begun = time.time()
    s3.put_object(Bucket=bucket, Key=key, Body=b"no zip")
    first = run.place.wait(lambda: _received(run), 120, "the event of an upload")
    yield Finding("event-delay", f"{first[0]['sent'] - begun:.2f} s; its own time is {first[0]['time']}")
    marker = s3.delete_object(Bucket=bucket, Key=key)["VersionId"]
    deleted = run.place.wait(lambda: _received(run), 120, "the event of a deletion")
    s3.delete_object(Bucket=bucket, Key=key, VersionId=marker)
    later = _all_received(run, 2 if run.place.rehearsal else 60)
    named = ", ".join(one["name"] for one in later) or "nothing"
    yield Finding("delete-marker", f"its creation as {deleted[0]['name']}, its removal as {named}")
    yield _missing_bus(run)


def _received(run: Run) -> list[Any]:
    sqs, queue = run.place.client("sqs"), run.outputs["QueueUrl"]
    wait = 1 if run.place.rehearsal else 10
    got = sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait, AttributeNames=["SentTimestamp"]
    ).get("Messages", ())
    found = []
    for message in got:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        for record in json.loads(message["Body"]).get("Records", ()):  # S3 sends a test event first
            sent = int(message["Attributes"]["SentTimestamp"]) / 1000
            found.append({"name": record["eventName"], "time": record["eventTime"], "sent": sent})
    return found


def _all_received(run: Run, seconds: float) -> list[Any]:
    end, found = time.monotonic() + seconds, []
    while time.monotonic() < end:
        found += _received(run)
    return found


def _missing_bus(run: Run) -> Finding:
    entry = {"Source": "auto-lambda.e2e", "DetailType": "probe", "Detail": "{}", "EventBusName": f"{run.name}-missing"}
    try:
        told = run.place.client("events").put_events(Entries=[entry])
    except ClientError as error:
        return Finding("missing-bus", f"PutEvents fails: {error.response['Error']['Code']}")
    return Finding("missing-bus", f"PutEvents succeeds; {told['FailedEntryCount']} entries failed: {told['Entries']}")


def rights(run: Run) -> Iterator[Finding]:
    """Search the trail and the worker's log for what was denied to the workers' role; there must be nothing."""
    run.stop_worker()
    if not run.place.rehearsal:
        run.say(f"waiting {_TRAIL_MINUTES} minutes for CloudTrail")
        time.sleep(_TRAIL_MINUTES * 60)
    found = [*_denied_by_trail(run), *_denied_by_log(run)]
    expect(not found, "denied to the workers' role:\n" + "\n".join(found))
    calls = len(_trail(run))
    seen = f"{calls} calls of the role's session in the trail, none was denied"
    yield Finding("rights", seen) if calls else Finding("rights", None, "the trail has no call of the role's session")
    yield _lookups(run)


def _denied_by_trail(run: Run) -> list[str]:
    return [
        f"{event['eventSource']} {event['eventName']}: {event.get('errorMessage', event['errorCode'])}"
        for event in _trail(run)
        if event.get("errorCode") in DENIED
    ]


def _trail(run: Run) -> list[Any]:
    """The calls of the role's session, CloudFormation's on its behalf included."""
    session = [{"AttributeKey": "Username", "AttributeValue": run.name}]
    pages = run.place.client("cloudtrail").get_paginator("lookup_events").paginate(
        LookupAttributes=session, StartTime=datetime.now(UTC) - timedelta(hours=6)
    )  # fmt: skip
    return [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]


def _denied_by_log(run: Run) -> list[str]:
    lines = run.worker_log.read_text(errors="replace").splitlines() if run.worker_log.exists() else []
    return [line[:500] for line in lines if any(word in line for word in DENIED)]


def _lookups(run: Run) -> Finding:
    """What the workers' role is told of a queue and a stream that do not exist."""
    environ, place = run.worker_environ(), run.place
    stream = f"arn:aws:kinesis:{place.region}:{place.account}:stream/{run.name}"
    asked = {
        "a missing queue": lambda: place.client_with(environ, "sqs").get_queue_url(QueueName=run.name),
        "a missing stream": lambda: place.client_with(environ, "kinesis").describe_stream_summary(StreamARN=stream),
    }
    return Finding("look-ups", "; ".join(f"{what} is told as {_code(ask)}" for what, ask in asked.items()))


def _code(ask: Any) -> str:
    try:
        ask()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    raise StageFailed("something exists that must not")
