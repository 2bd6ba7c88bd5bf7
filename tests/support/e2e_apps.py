"""The apps that are dropped: our examples, and apps that nobody here wrote, prepared as their users would."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cases import cases
from e2e_stack import Stack, example, make_zip, read_folder
from everything import chalice_app, plain_app, zappa_app, zappa_http_app

from auto_lambda.tools import ToolEnvironments

EVENTS_BUCKET = "events-example"
EVENTS_QUEUE = "events-example-orders"
ORDERS = "orders-example"
USERS_TABLE = "template-users"
TEMPLATE_BUCKET = "template-s3-events"


@dataclass(frozen=True, slots=True)
class Dropped:
    """An app under the name of its deployment, and how its zip comes to be."""

    name: str
    make: Callable[[Stack, Path], bytes]


def _example(name: str, _: Stack, __: Path) -> bytes:
    return example(name)


def _events(stack: Stack, _: Path) -> bytes:
    stack.s3.create_bucket(Bucket=EVENTS_BUCKET)
    stack.sqs.create_queue(QueueName=EVENTS_QUEUE)
    return example("events")


def _orders(stack: Stack, _: Path) -> bytes:
    stack.s3.create_bucket(Bucket=ORDERS)
    stack.sqs.create_queue(QueueName=ORDERS)
    return example("orders")


_NEW_PROJECTS = """
import sys
from chalice.cli.newproj import create_new_project_skeleton
create_new_project_skeleton(sys.argv[1], sys.argv[2])
"""


def _chalice_template(kind: str, stack: Stack, folder: Path) -> bytes:
    """What ``chalice new-project --project-type <kind>`` makes, plus the one value that its user must fill in."""
    python = ToolEnvironments().python("compiler", "3.12")
    subprocess.run([python, "-c", _NEW_PROJECTS, "mine", kind], cwd=folder, check=True)
    files: dict[str, bytes] = read_folder(folder / "mine")
    if kind == "s3-event-handler":
        stack.s3.create_bucket(Bucket=TEMPLATE_BUCKET)
        config = json.loads(files[".chalice/config.json"])
        config["stages"]["dev"]["environment_variables"] = {"APP_BUCKET_NAME": TEMPLATE_BUCKET}
        files[".chalice/config.json"] = json.dumps(config).encode()
    if kind == "cdk-ddb":  # its infrastructure/ is for another tool; its app lies in runtime/
        keys = [("PK", "HASH"), ("SK", "RANGE")]
        stack.client("dynamodb").create_table(
            TableName=USERS_TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        )
        files["auto-lambda.toml"] = f'[environment]\nAPP_TABLE_NAME = "{USERS_TABLE}"\n'.encode()
    return make_zip(files)


def _httpbin(_: Stack, folder: Path) -> bytes:
    """The source distribution as it comes, in its own top folder, without settings."""
    download = [
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-binary",
        "httpbin",
    ]
    subprocess.run([sys.executable, *download, "httpbin==0.10.4"], cwd=folder, check=True)
    (archive,) = folder.glob("httpbin-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "sdist", filter="data")
    return make_zip(read_folder(folder / "sdist"))


def _datasette(_: Stack, __: Path) -> bytes:
    return make_zip(
        {
            "serve.py": "from datasette.app import Datasette\n\napp = Datasette(memory=True).app()\n",
            "requirements.txt": "datasette>=0.65,<0.66\n",
            "zappa_settings.yml": "dev:\n  app_function: serve.app\n  app_type: asgi\n  project_name: tables\n",
        }
    )


def _without_settings(_: Stack, __: Path) -> bytes:
    case = next(one for one in cases() if one.name == "k21-no-settings/fastapi-below")
    return make_zip(case.files)


APPS = (
    # The schedule takes a minute to come round, and pandas is the longest build: they go first.
    Dropped("events", _events),
    Dropped("every-chalice", chalice_app),
    Dropped("every-zappa", zappa_app),
    Dropped("every-http", zappa_http_app),
    Dropped("every-plain", plain_app),
    Dropped("orders", _orders),
    Dropped("statistics", partial(_example, "statistics")),
    Dropped("quotes", partial(_example, "quotes")),
    Dropped("thumbnails", partial(_example, "thumbnails")),
    Dropped("guestbook", partial(_example, "guestbook")),
    Dropped("template-rest", partial(_chalice_template, "rest-api")),
    Dropped("template-s3", partial(_chalice_template, "s3-event-handler")),
    Dropped("template-functions", partial(_chalice_template, "lambda-only")),
    Dropped("template-legacy", partial(_chalice_template, "legacy")),
    Dropped("template-users", partial(_chalice_template, "cdk-ddb")),
    Dropped("tables", _datasette),
    Dropped("httpbin", _httpbin),
    Dropped("unsettled", _without_settings),
)
