"""Takes orders over HTTP, as a function URL sends requests, and puts them on the queue."""

from __future__ import annotations

import base64
import json
import os

import boto3


def answer(event, context):
    if event["requestContext"]["http"]["method"] != "POST":
        return reply(200, {"use": 'POST {"number": 1, "lines": [{"price": 2, "count": 3}]}'})
    body = event.get("body") or ""
    text = base64.b64decode(body).decode() if event.get("isBase64Encoded") else body
    try:
        number = json.loads(text)["number"]
    except (ValueError, KeyError, TypeError):
        return reply(400, {"problem": "an order is JSON, and has a number"})
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=os.environ["QUEUE"])["QueueUrl"], MessageBody=text)
    return reply(202, {"taken": number})


def reply(status, content):
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(content)}
