"""Works off the queue; an order that fails comes again, and the others of its batch do not."""

from __future__ import annotations

import json
import os

import boto3


def run(event, context):
    failed = []
    for record in event["Records"]:
        try:
            keep(json.loads(record["body"]))
        except Exception as error:
            print(f"order {record['messageId']} failed: {error!r}")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def keep(order):
    total = sum(line["price"] * line["count"] for line in order["lines"])
    result = json.dumps({"number": order["number"], "total": total})
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=f"results/{order['number']}.json", Body=result)
