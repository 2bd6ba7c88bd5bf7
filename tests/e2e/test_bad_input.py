"""Whatever is dropped, the uploader learns what is wrong, what was live stays live, and the worker works on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from e2e_stack import MAX_UPLOAD_MB, Drop, Files, Stack, make_zip, small_chalice, small_zappa, until
from hostile_zips import hostile_zips

HOSTILE = list(hostile_zips())


@pytest.fixture(scope="module")
def steady(stack: Stack) -> dict[str, Any]:
    """The receipt of an app that is live; bad versions of it are dropped, and it must go on answering."""
    return stack.live(stack.drop("steady", make_zip(small_chalice("'steady'"))))


@pytest.fixture
def still_steady(stack: Stack, steady: dict[str, Any]) -> Iterator[None]:
    """After the test, the good version is live and answers as before."""
    yield
    assert stack.alias_version(steady["function"]) == steady["version"]
    assert stack.http(steady["url"]).text == "steady"


def check_failed(receipt: dict[str, Any], code: str, *said: str) -> None:
    """It failed with this code; message or hint say these words; both are there and fit for people."""
    assert receipt["status"] == "failed", receipt
    error = receipt["error"]
    assert error["code"] == code, error
    assert error["message"]
    assert error["hint"].endswith((".", "!"))
    assert all(character.isprintable() or character == "\n" for character in error["message"] + error["hint"])
    for words in said:
        assert words in error["message"] + "\n" + error["hint"]


# ------------------------------------------------------------------ the zip


@pytest.fixture(scope="module")
def hostile(stack: Stack) -> dict[str, Drop]:
    """Every hostile zip, dropped at once."""
    return {name: stack.drop(f"hostile-{number}", data) for number, (name, data, _) in enumerate(HOSTILE)}


@pytest.mark.parametrize(("name", "code"), [pytest.param(name, code, id=name) for name, _, code in HOSTILE])
def test_hostile_zip(stack: Stack, hostile: dict[str, Drop], name: str, code: str) -> None:
    check_failed(stack.final(hostile[name]), code)


# ------------------------------------------------------------------ the app in it


def chalice(files: Files | None = None, **stage: Any) -> dict[str, str | bytes]:
    return {**small_chalice(**stage), **(files or {})}


def zappa(files: Files | None = None, **settings: object) -> dict[str, str | bytes]:
    return {**small_zappa(**settings), **(files or {})}


def with_config(text: str) -> dict[str, str | bytes]:
    return chalice({".chalice/config.json": text})


def needs(requirements: str) -> dict[str, str | bytes]:
    return chalice({"requirements.txt": requirements})


IMPORTS_NOTHING = "from chalice import Chalice\nimport no_such_module\napp = Chalice(app_name='x')\n"
RAISES = "def prepare():\n    raise RuntimeError('the moon is full')\n\n\nprepare()\n"
PYTHON_2 = "from chalice import Chalice\nprint 'hello'\napp = Chalice(app_name='x')\n"
UVS_WORDS = "\rerror: Request failed\r  cause: Failed to fetch: `https://index.example/x/`\r  cause: dns error"
TWO_STAGES = json.dumps({"version": "2.0", "app_name": "x", "stages": {"test": {}, "prod": {}}})

BAD_APPS: dict[str, tuple[Mapping[str, str | bytes], str, list[str]]] = {
    "no framework": ({"readme.md": "hello"}, "no-framework", []),
    "two frameworks": (chalice({"zappa_settings.json": "{}"}), "ambiguous-framework", ["chalice", "zappa"]),
    "two places": (
        {f"{folder}/{name}": data for folder in ("api", "backend") for name, data in small_chalice().items()},
        "ambiguous-framework",
        ["api/", "backend/"],
    ),
    "bad json": (with_config('{"version": "2.0",'), "bad-config", [".chalice/config.json"]),
    "json of the wrong shape": (with_config("[1, 2]"), "bad-config", [".chalice/config.json"]),
    "bad zappa json": (zappa({"zappa_settings.json": "{'dev': }"}), "bad-config", ["zappa_settings.json"]),
    "bad toml": (chalice({"auto-lambda.toml": "python = "}), "bad-config", ["auto-lambda.toml"]),
    "bad zappa toml": ({"app.py": "", "zappa_settings.toml": "[dev\n"}, "bad-config", ["zappa_settings.toml"]),
    "bad yaml": ({"app.py": "", "zappa_settings.yml": "dev: [a\n"}, "bad-config", ["zappa_settings.yml"]),
    "unknown stage": (with_config(TWO_STAGES), "unknown-stage", ["prod", "test"]),
    "unsupported setting": (
        zappa(alb_enabled=True), "unsupported-setting", ["alb_enabled"],
    ),
    "unknown python": (chalice({"auto-lambda.toml": 'python = "2.7"'}), "unknown-python", ["2.7"]),
    "unknown architecture": (
        chalice({"auto-lambda.toml": 'architecture = "riscv"'}), "unknown-architecture", ["riscv"],
    ),
    "no such requirement": (
        needs("a-package-that-nobody-made-4711\n"), "requirement-not-found", ["a-package-that-nobody-made-4711"],
    ),
    "no such version": (needs("iniconfig==99.0\n"), "requirement-not-found", ["iniconfig"]),
    "conflict": (needs("iniconfig==2.0.0\niniconfig>=2.1\n"), "requirements-conflict", ["iniconfig"]),
    "not a requirement": (needs("this is no requirement\n"), "bad-requirements", ["requirements.txt"]),
    "missing module": (chalice({"app.py": IMPORTS_NOTHING}), "app-does-not-import", ["no_such_module"]),
    "raises when imported": (
        chalice({"app.py": RAISES}), "app-does-not-import", ["the moon is full", "in prepare"],
    ),
    "zappa app that raises": (
        zappa({"app.py": RAISES}), "app-does-not-import", ["the moon is full", "in prepare"],
    ),
    "python 2": (chalice({"app.py": PYTHON_2}), "syntax-error", ["app.py, line 2", "Python 2"]),
    "missing policy file": (
        chalice(autogen_policy=False, iam_policy_file="lost.json"), "missing-policy-file", ["lost.json"],
    ),
    "exits when imported": (chalice({"app.py": "import sys\nsys.exit(3)\n"}), "app-does-not-import", ["sys.exit"]),
    "build that fails": (
        chalice({"requirements.txt": "./broken\n", "broken/setup.py": "raise SystemExit('no compiler for you')\n"}),
        "dependency-build-failed",
        ["no compiler for you"],
    ),
    # Words of the pipeline's own failures, in an upload's mouth.
    "build that speaks of a network": (
        chalice({
            "requirements.txt": "./timeout\n",
            "timeout/setup.py": f"print({UVS_WORDS!r})\nraise SystemExit('error: dns error: timed out')\n",
        }),
        "dependency-build-failed",
        ["dns error: timed out"],
    ),
    "package named timeout": (needs("async-timeout==99\n"), "requirement-not-found", ["async-timeout"]),
    "version of 6,000 digits": (needs(f"iniconfig=={'9' * 6000}\n"), "bad-requirements", ["requirements.txt"]),
    "nested markers": (
        needs(f"iniconfig; {'(' * 3000}os_name == 'x'{')' * 3000}\n"), "bad-requirements", ["requirements.txt"],
    ),
    "module that is a folder": (
        zappa({"handler.py/x": ""}, app_function="handler.app"), "compile-failed", ["no module 'handler'"],
    ),
    "bucket that cannot be": (
        zappa(events=[{
            "function": "app.app",
            "event_source": {"arn": "arn:aws:s3:::rate!exceeded", "events": ["s3:ObjectCreated:*"]},
        }]),
        "bucket-notification-failed",
        ["rate!exceeded"],
    ),
    "exception that speaks of throttling": (
        chalice({"app.py": "raise TimeoutError('Rate exceeded: ServiceUnavailable')\n"}),
        "app-does-not-import",
        ["Rate exceeded"],
    ),
}  # fmt: skip


@pytest.mark.usefixtures("still_steady")
@pytest.mark.parametrize("case", BAD_APPS)
def test_bad_app(stack: Stack, case: str) -> None:
    files, code, said = BAD_APPS[case]
    drop = stack.drop("steady", make_zip(files))
    check_failed(stack.final(drop), code, *said)
    assert code in stack.log(drop)


BIG = """
import os
import sys
from pathlib import Path
from setuptools import setup

Path("big").mkdir(exist_ok=True)
if "bdist_wheel" in sys.argv:
    with open("big/__init__.py", "wb") as file:
        megabyte = os.urandom(1024) * 1024  # compresses well, but not as well as a bomb
        for _ in range(260):
            file.write(megabyte)
setup(name="big", version="1", packages=["big"])
"""


@pytest.mark.usefixtures("still_steady")
def test_package_too_large_for_lambda(stack: Stack) -> None:
    drop = stack.drop("steady", make_zip({**needs("./big\n"), "big/setup.py": BIG}))
    check_failed(stack.final(drop), "package-too-large", "big")


# ------------------------------------------------------------------ the object and its key


@pytest.mark.parametrize(
    "name",
    ["Shop", "my shop", "café", "a/b/c", "under_score", "-dash", "x" * 41, "dev/", "a+b%20c", "🛒", "Big/shop"],
)
def test_key_that_names_no_app(stack: Stack, name: str) -> None:
    check_failed(stack.final(stack.drop(name, make_zip(small_chalice()))), "bad-key")


def test_an_archive_that_is_misnamed_is_answered_with_a_name_that_works(stack: Stack) -> None:
    misnamed = ("misnamed.zip", "prod/misnamed.zip", "apps/dev/misnamed.ZIP", "apps/misnamed.tar.gz")
    put = [stack.s3.put_object(Bucket=stack.bucket, Key=key, Body=b"whatever")["VersionId"] for key in misnamed]
    better = ("apps/misnamed.zip", "apps/prod/misnamed.zip", "apps/dev/misnamed.zip", "apps/misnamed.zip")
    for key, version, wanted in zip(misnamed, put, better, strict=True):
        receipt = stack.final(Drop(key, version))
        check_failed(receipt, "bad-key")
        assert f"as {wanted} " in receipt["error"]["hint"]


def test_name_and_stage_too_long_together_for_a_function_that_zappa_finds(stack: Stack) -> None:
    drop = stack.drop(f"{'s' * 40}/{'n' * 40}", make_zip(small_zappa()))
    check_failed(stack.final(drop), "bad-key", "64")


def test_folder_markers_and_other_objects_are_no_uploads(stack: Stack) -> None:
    for key in ("apps/marker/", "apps/marker", "apps/marker.zip/", "apps/marker.txt", "other/marker.zip"):
        stack.s3.put_object(Bucket=stack.bucket, Key=key, Body=b"")
    stack.final(stack.drop("after-markers", b"whatever"))
    listed = stack.s3.list_objects_v2(Bucket=stack.bucket)["Contents"]
    assert not [entry["Key"] for entry in listed if "marker" in entry["Key"] and "receipt" in entry["Key"]
                and "after" not in entry["Key"]]  # fmt: skip


@pytest.mark.usefixtures("still_steady")
def test_object_larger_than_allowed_is_not_even_fetched(stack: Stack) -> None:
    # The limit stands for 5 GB here: the rule is the same, and the embedded AWS keeps objects in memory.
    too_large = MAX_UPLOAD_MB * 1024 * 1024
    drop = stack.drop("steady", make_zip(small_chalice()) + bytes(too_large))
    receipt = stack.final(drop)
    check_failed(receipt, "upload-too-large")
    assert receipt["upload"]["size"] > too_large
    assert receipt["upload"]["sha256"] is None


def test_content_type_does_not_matter(stack: Stack) -> None:
    stack.live(stack.drop("mislabelled", make_zip(small_chalice()), content_type="text/html; charset=klingon"))


def test_object_deleted_before_the_fetch(stack: Stack) -> None:
    key = "apps/gone.zip"
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": stack.bucket}, "object": {"key": key, "size": 100}},
    }
    stack.sqs.send_message(QueueUrl=stack.queue, MessageBody=json.dumps({"Records": [record]}))
    check_failed(stack.final(Drop(key, version="of which S3 knows nothing")), "upload-deleted")


# ------------------------------------------------------------------ the queue


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "{}",
        "[]",
        "null",
        '{"Records": [{}]}',
        '{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "x"}, "object": {"key": 5}}}]}',
        '{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "x"}',
        '{"Records": [{"eventName": "ObjectRemoved:Delete", "s3": {"bucket": {"name": "x"}, "object": {"key": "k"}}}]}',
        "[" * 50_000,
        "\ud83d\ude00 \u202e",
    ],
    ids=lambda body: body[:20],
)
def test_garbage_on_the_queue_is_put_aside(stack: Stack, body: str) -> None:
    stack.sqs.send_message(QueueUrl=stack.queue, MessageBody=body)


def test_the_worker_has_lived_through_it_all(stack: Stack, steady: dict[str, Any]) -> None:
    receipt = stack.live(stack.drop("steady", make_zip(small_chalice("'better'"))))
    assert receipt["worker"] == steady["worker"]
    assert stack.http(receipt["url"]).text == "better"

    def queue_is_empty() -> bool:
        wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        depth = stack.sqs.get_queue_attributes(QueueUrl=stack.queue, AttributeNames=wanted)["Attributes"]
        return all(count == "0" for count in depth.values())

    until(queue_is_empty, 150)
