"""Apps that use every trigger and setting that we call carried: `test_triggers` starts each, and sees what it did."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from e2e_stack import Files, Stack, make_zip

RESULTS = "every-results"
ACCOUNT = "us-east-1:123456789012"
KEEP = """
import json, os
import boto3

def keep(name, value):
    key = f"{os.environ['OWNER']}/{name}.json"
    boto3.client("s3").put_object(Bucket="every-results", Key=key, Body=json.dumps(value))
"""

CHALICE = """
import os
import boto3
from chalice import AuthResponse, Chalice, CORSConfig, Response
from chalicelib.blue import blue
from chalicelib.keep import keep

app = Chalice(app_name="every")
app.experimental_feature_flags.update(["WEBSOCKETS"])
app.websocket_api.session = boto3.session.Session()
app.register_blueprint(blue, url_prefix="/blue")
app.api.binary_types.append("application/x-own")

@app.middleware("http")
def mark(event, get_response):
    response = get_response(event)
    response.headers["X-Marked"] = "yes"
    return response

@app.route("/", cors=CORSConfig(allow_origin="https://a.example", max_age=7))
def index():
    return {"boto3": boto3.__version__, "colour": os.environ["COLOUR"]}

@app.route("/keyed", api_key_required=True)
def keyed():
    return {}

@app.authorizer()
def check(request):
    return AuthResponse(routes=["/guarded"] if request.token == "let me in" else [], principal_id="somebody")

@app.route("/guarded", authorizer=check)
def guarded():
    return {"who": app.current_request.context["authorizer"]["principalId"]}

@app.route("/bytes")
def raw():
    return Response(bytes(range(256)), headers={"Content-Type": "application/x-own"})

@app.on_sqs_message(queue="every-chalice-orders")
def order(event):
    keep("order", [one.body for one in event])

@app.on_sns_message(topic="every-chalice-news")
def news(event):
    keep("news", [event.subject, event.message])

@app.on_kinesis_record(stream="every-chalice-clicks")
def click(event):
    keep("click", [one.data.decode() for one in event])

@app.on_dynamodb_record(stream_arn=os.environ["CHANGES"])
def change(event):
    keep("change", [one.new_image for one in event])

@app.on_s3_event(bucket="every-chalice-files", prefix="in/")
def file(event):
    keep("file", event.key)

@app.on_cw_event({"source": ["every.shop"]})
def happened(event):
    keep("happened", event.detail)

@app.schedule("rate(1 minute)")
def minutely(event):
    keep("minutely", event.source)

@app.lambda_function(name="plain")
def plain(event, context):
    return {"got": event, "memory": context.memory_limit_in_mb}

@app.on_ws_connect()
def connect(event):
    keep("connect", event.connection_id)

@app.on_ws_message()
def message(event):
    app.websocket_api.send(event.connection_id, event.body.upper())

@app.on_ws_disconnect()
def disconnect(event):
    keep("disconnect", event.connection_id)
"""
CHALICE_BLUE = """
from chalice import Blueprint
blue = Blueprint(__name__)

@blue.route("/sky")
def sky():
    return {"blue": True}
"""

ZAPPA = """
import json, os
from zappa.asynchronous import get_async_response, task
from jobs import keep

@task(capture_response=True)
def add(one, two):
    return {"sum": one + two}

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/boom":
        raise ValueError("as asked")
    if path == "/task":
        answer = {"id": add(20, 22).response_id}
    elif path == "/bytes":
        start_response("200 OK", [("Content-Type", "image/png")])
        return [bytes(range(256))]
    elif path.startswith("/task/"):
        answer = get_async_response(path[6:]) or {}
    else:
        answer = {name: os.environ.get(name) for name in ("COLOUR", "BAKED", "REMOTE", "ADJUSTED")}
        answer |= {"method": environ.get("HTTP_X_METHOD"), "root": environ["SCRIPT_NAME"]}
        answer["files"] = sorted(os.listdir())
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
"""
ZAPPA_JOBS = """
def order(event, context):
    keep("order", [one["body"] for one in event["Records"]])

def news(event, context):
    keep("news", event["Records"][0]["Sns"]["Message"])

def click(event, context):
    import base64
    keep("click", [base64.b64decode(one["kinesis"]["data"]).decode() for one in event["Records"]])

def change(event, context):
    keep("change", [one["dynamodb"]["NewImage"] for one in event["Records"]])

def picture(event, context):
    keep("picture", event["Records"][0]["s3"]["object"]["key"])

def sheet(event, context):
    keep("sheet", event["Records"][0]["s3"]["object"]["key"])

def happened(event, context):
    keep("happened", event["detail"])

def minutely(event, context):
    keep("minutely", event["kwargs"])

def ordered_flowers(event, context):
    return {"flowers": event["currentIntent"]["slots"]}

def signed_up(event, context):
    return {**event, "seen": True}

def check(event, context):
    effect = "Allow" if event["authorizationToken"] == "let me in" else "Deny"
    whole_api = event["methodArn"].partition("/")[0] + "/*"  # the answer is kept for other paths, too
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": whole_api}
    return {"principalId": "somebody", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}

def failed(error, event, context):
    keep("failed", str(error))
    return True
"""
ZAPPA_HOOKS = """
def adjust(zappa):
    zappa.stage_config["aws_environment_variables"]["ADJUSTED"] = "yes"

def prebuild():
    open("prebuilt.txt", "w").write("here")
"""
ZAPPA_SOCKETS = """
from jobs import keep
from zappa.websocket import on_connect, on_disconnect, on_message, send_message

@on_connect
def connect(event, context):
    keep("connect", event["requestContext"]["connectionId"])

@on_disconnect
def disconnect(event, context):
    keep("disconnect", event["requestContext"]["connectionId"])

@on_message
def message(event, context):
    send_message(event["requestContext"]["connectionId"], event["body"].upper())
"""

ZAPPA_HTTP = """
import json, os, subprocess
from zappa.asynchronous import task_sns
from keeping import keep

@task_sns
def note(word):
    keep("note", word)

async def app(scope, receive, send):
    headers = [(b"content-type", b"application/json")]
    path = scope["path"].removeprefix(scope["root_path"])
    told = {name.decode(): value.decode() for name, value in scope["headers"]}
    if path == "/away":
        location = f"{scope['scheme']}://{told['host']}{scope['root_path']}/there"
        await send({"type": "http.response.start", "status": 307, "headers": [(b"location", location.encode())]})
    else:
        if path == "/note":
            note("done")
        if path == "/tool":
            path = subprocess.run(["./tool.sh"], capture_output=True, text=True, check=True).stdout.strip()
        await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps([path, os.environ["REMOTE"]]).encode()})
"""


def make_resources(stack: Stack, owner: str) -> str:
    """Make what the triggers of an app need, and return the ARN of its table's stream."""
    for bucket in (RESULTS, f"{owner}-files"):
        stack.s3.create_bucket(Bucket=bucket)
    stack.sqs.create_queue(QueueName=f"{owner}-orders")
    stack.client("sns").create_topic(Name=f"{owner}-news")
    stack.client("kinesis").create_stream(StreamName=f"{owner}-clicks", ShardCount=1)
    table = stack.client("dynamodb").create_table(
        TableName=f"{owner}-changes",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return str(table["TableDescription"]["LatestStreamArn"])


def make_layer(stack: Stack) -> str:
    """Publish a layer that is not the app's own, and return the ARN of its version."""
    content = {"ZipFile": make_zip({"python/of_the_layer.txt": ""})}
    layer = stack.lambda_.publish_layer_version(LayerName="every", Content=content)
    return str(layer["LayerVersionArn"])


def chalice_config(changes: str = "", layer: str = "") -> dict[str, Any]:
    stage = {
        "api_gateway_stage": "v9",
        "environment_variables": {"OWNER": "every-chalice", "COLOUR": "red", "CHANGES": changes},
        "autogen_policy": False,
        "iam_policy_file": "own.json",
        "lambda_memory_size": 192,
        "lambda_timeout": 20,
        "lambda_architecture": "x86_64",
        "minimum_compression_size": 1000,
        "xray": True,
        "log_retention_in_days": 3,
        "tags": {"team": "every"},
        "layers": [layer],
        "lambda_functions": {"plain": {"lambda_memory_size": 256}},
    }
    return {"version": "2.0", "app_name": "every", "stages": {"dev": stage}}


CHALICE_FUNCTIONS = """
[functions.order]
partial_batches = true

[functions.news]
retries = 0
max_age = 60
dead_letter_queue = "every-chalice-lost"

[functions.plain]
url = true
disk = 1024
"""
ZAPPA_FUNCTIONS = """
[functions.app]
retries = 1
max_age = 600
partial_batches = true
"""


def chalice_app(stack: Stack, _: Path) -> bytes:
    changes = make_resources(stack, "every-chalice")
    stack.sqs.create_queue(QueueName="every-chalice-lost")
    allowed = {"Effect": "Allow", "Action": ["s3:*", "sqs:*", "kinesis:*", "dynamodb:*", "logs:*"], "Resource": "*"}
    allowed["Action"] = [*allowed["Action"], "execute-api:ManageConnections"]
    return make_zip(
        {
            "app.py": CHALICE, "chalicelib/__init__.py": "", "chalicelib/keep.py": KEEP,
            "chalicelib/blue.py": CHALICE_BLUE,
            "requirements.txt": "boto3==1.26.0\n",  # older than the variable that points it at the stack
            ".chalice/config.json": json.dumps(chalice_config(changes, make_layer(stack))),
            "auto-lambda.toml": CHALICE_FUNCTIONS,
            ".chalice/own.json": json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
        }
    )  # fmt: skip


BALANCED_ZAPPA: dict[str, Any] = {"alb_enabled": True}
"""Settings of an app behind a load balancer of its own, which only an app with ``[flex]`` has."""


def zappa_settings(changes: str = "", layer: str = "") -> dict[str, Any]:
    def source(function: str, arn: str, **more: Any) -> dict[str, Any]:
        return {"function": f"jobs.{function}", "event_source": {"arn": arn, **more}}

    files = "arn:aws:s3:::every-zappa-files"
    events = [
        source("order", f"arn:aws:sqs:{ACCOUNT}:every-zappa-orders", batch_size=2),
        source("news", f"arn:aws:sns:{ACCOUNT}:every-zappa-news", filters={"kind": ["good"]}),
        source("click", f"arn:aws:kinesis:{ACCOUNT}:stream/every-zappa-clicks"),
        source("change", changes),
        source("picture", files, key_filters=[{"type": "prefix", "value": "img/"}]),
        source("sheet", files, prefix="csv/"),
        source("happened", f"arn:aws:events:{ACCOUNT}:event-bus/every-bus", event_pattern={"source": ["every.shop"]}),
        {"function": "jobs.minutely", "expression": "rate(1 minute)", "kwargs": {"deep": True}},
    ]
    bot = {"function": "jobs.ordered_flowers", "event_source": {"intent": "Flowers", "invocation_source": "Fulfil"}}
    pool = {
        "user_pool": "us-east-1_abcdefghi",
        "triggers": [{"source": "PreSignUp_SignUp", "function": "jobs.signed_up"}],
    }
    base = {"app_function": "app.app", "project_name": "every-zappa", "memory_size": 320}
    stage = {
        "extends": "base",
        "events": events,
        "bot_events": [bot],
        "cognito": pool,
        "api_key_required": True,
        "authorizer": {"function": "jobs.check"},
        "cors": True,
        "aws_environment_variables": {"OWNER": "every-zappa", "COLOUR": "red"},
        "environment_variables": {"BAKED": "yes"},
        "remote_env": "s3://every-zappa-files/settings.json",
        "async_response_table": "every-zappa-dev-answers",
        "exception_handler": "jobs.failed",
        "context_header_mappings": {"X_Method": "httpMethod"},
        "websocket_handler_module": "sockets",
        "callbacks": {"settings": "hooks.adjust"},
        "prebuild_script": "hooks.prebuild",
        "exclude": ["*.private"],
        "exclude_glob": ["notes/**"],
        "timeout_seconds": 21,
        "tags": {"team": "every"},
        "lambda_description": "everything",
        "ephemeral_storage": {"Size": 1024},
        "architecture": "x86_64",
        "layers": [layer],
        "xray_tracing": True,
        "debug": True,
        "binary_support": True,
        "apigateway_description": "everything over HTTP",
        "payload_compression": True,
        "payload_minimum_compression_size": 1000,
        "async_response_table_read_capacity": 2,
        "async_response_table_write_capacity": 3,
        "async_resources": True,
        "num_retained_versions": 5,
        "attach_policy": "policy.json",
        "extra_permissions": [
            {"Effect": "Allow", "Action": ["s3:*", "execute-api:ManageConnections"], "Resource": "*"}
        ],
        "keep_warm": True,
        "keep_warm_expression": "rate(2 minutes)",
        "runtime": "python3.12",
    }
    return {"base": base, "dev": stage}


def zappa_app(stack: Stack, _: Path) -> bytes:
    changes = make_resources(stack, "every-zappa")
    stack.client("events").create_event_bus(Name="every-bus")
    stack.s3.put_object(Bucket="every-zappa-files", Key="settings.json", Body=b'{"REMOTE": "yes"}')
    allowed = [{"Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": "*"}]
    return make_zip(
        {
            "app.py": ZAPPA, "jobs.py": KEEP + ZAPPA_JOBS, "sockets.py": ZAPPA_SOCKETS, "hooks.py": ZAPPA_HOOKS,
            "auto-lambda.toml": ZAPPA_FUNCTIONS, "a.private": "", "notes/todo.txt": "",
            "policy.json": json.dumps({"Version": "2012-10-17", "Statement": allowed}),
            "zappa_settings.json": json.dumps(zappa_settings(changes, make_layer(stack))),
        }
    )  # fmt: skip


def zappa_http_settings() -> dict[str, Any]:
    return {
        "dev": {
            "project_name": "every-http",
            "app_function": "app.app",
            "app_type": "asgi",
            "apigateway_version": "v2",
            "function_url_enabled": True,
            "function_url_config": {"authorizer": "NONE", "cors": {"allowedOrigins": ["https://a.example"]}},
            "apigateway_enabled": True,
            "async_source": "sns",
            "snap_start": "PublishedVersions",
            "remote_env_bucket": RESULTS,
            "remote_env_file": "settings.json",
            "keep_warm": False,
            "aws_environment_variables": {"OWNER": "every-http"},
            "extra_permissions": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"}],
        }
    }


def zappa_http_app(stack: Stack, _: Path) -> bytes:
    stack.s3.create_bucket(Bucket=RESULTS)
    stack.s3.put_object(Bucket=RESULTS, Key="settings.json", Body=b'{"REMOTE": "yes"}')
    large = secrets.token_bytes(9_000_000)  # boto3 reads it in parts
    files: Files = {"app.py": ZAPPA_HTTP, "keeping.py": KEEP, "tool.sh": "#!/bin/sh\necho hammered\n", "large": large}
    return make_zip({**files, "zappa_settings.json": json.dumps(zappa_http_settings())}, programs={"tool.sh"})


PLAIN = """
from keeping import keep

def news(event, context):
    keep("news", [one["Sns"]["Message"] for one in event["Records"]])

def file(event, context):
    keep("file", [one["s3"]["object"]["key"] for one in event["Records"]])

def order(event, context):
    keep("order", [one["body"] for one in event["Records"]])

def minutely(event, context):
    keep("minutely", event["source"])
"""
PLAIN_FUNCTIONS = """
[environment]
OWNER = "every-plain"

[functions.news]
handler = "jobs.news"
topic = "every-plain-news"
policy = "own.json"

[functions.file]
handler = "jobs.file"
bucket = { name = "every-plain-files", prefix = "in/", suffix = ".txt" }
policy = "own.json"

[functions.order]
handler = "jobs.order"
queue = "every-plain-orders"
batch_size = 20
timeout = 20
policy = "own.json"
url = "signed"
provisioned = 1

[functions.minutely]
handler = "jobs.minutely"
schedule = "rate(1 minute)"
policy = "own.json"
"""


def plain_app(stack: Stack, _: Path) -> bytes:
    for bucket in (RESULTS, "every-plain-files"):
        stack.s3.create_bucket(Bucket=bucket)
    stack.sqs.create_queue(QueueName="every-plain-orders")
    stack.client("sns").create_topic(Name="every-plain-news")
    keep = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{RESULTS}/every-plain/*"}
    return make_zip(
        {
            "jobs.py": PLAIN, "keeping.py": KEEP, "auto-lambda.toml": PLAIN_FUNCTIONS,
            "own.json": json.dumps({"Version": "2012-10-17", "Statement": [keep]}),
        }
    )  # fmt: skip
