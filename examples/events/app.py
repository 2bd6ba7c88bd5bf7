"""Four functions and no URL: what a clock, a queue, a bucket and a caller can start."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import PurePosixPath
from statistics import fmean

import boto3
from chalice import Chalice, Rate

app = Chalice(app_name="events")

BUCKET = os.environ["BUCKET"]
ORDERS_QUEUE = os.environ["ORDERS_QUEUE"]


@app.schedule(Rate(1, unit=Rate.MINUTES))
def heartbeat(event):
    keep("heartbeat", {"at": datetime.now(UTC).isoformat(), "rule": event.resources})


@app.on_sqs_message(queue=ORDERS_QUEUE, batch_size=10)
def take_order(event):
    for record in event:
        order = json.loads(record.body)
        total = sum(line["price"] * line["count"] for line in order["lines"])
        keep(f"orders/{order['number']}", {"number": order["number"], "total": total})


@app.on_s3_event(bucket=BUCKET, events=["s3:ObjectCreated:*"], prefix="incoming/", suffix=".txt")
def count_lines(event):
    text = s3().get_object(Bucket=event.bucket, Key=event.key)["Body"].read().decode()
    keep(f"lines/{PurePosixPath(event.key).stem}", {"key": event.key, "lines": len(text.splitlines())})


@app.lambda_function()
def mean(event, context):
    return {"mean": fmean(event["numbers"])}


def keep(name: str, result: dict[str, object]) -> None:
    s3().put_object(Bucket=BUCKET, Key=f"results/{name}.json", Body=json.dumps(result).encode())


def s3():
    return boto3.client("s3")
