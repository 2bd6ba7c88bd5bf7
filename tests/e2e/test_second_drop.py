"""What a second drop does: a new version, ``live`` moved, the URL unchanged, the old version still there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from e2e_stack import EXAMPLES, Drop, Files, Stack, make_zip, read_folder, slow_to_build, small_chalice, until


@dataclass
class Evolving:
    """One app that is dropped again and again."""

    stack: Stack
    name: str

    def drop(self, files: Files | bytes) -> dict[str, Any]:
        body = files if isinstance(files, bytes) else make_zip(files)
        return self.stack.live(self.stack.drop(self.name, body))

    def configuration(self, version: str) -> dict[str, Any]:
        function = self.stack.receipt(Drop(f"apps/{self.name}.zip", ""))["function"]
        answer = self.stack.lambda_.get_function(FunctionName=function, Qualifier=version)
        found: dict[str, Any] = answer["Configuration"]
        return found


KINDS = {"layers/zip": "layer", "bundles/zip": "code", "bundles/lock.txt": "lock", "bundles/template.json": "template"}


def stored(stack: Stack, name: str) -> dict[str, int]:
    """Bytes that the last drop of an app put into the artifacts bucket, by kind."""
    log = stack.log(Drop(f"apps/{name}.zip", ""))
    found = re.findall(r"(layers|bundles)/[0-9a-f]+\.(\S+) stored, ([\d,]+) bytes", log)
    return {KINDS[f"{folder}/{ending}"]: int(size.replace(",", "")) for folder, ending, size in found}


def asked_for_root() -> dict[str, Any]:
    """What API Gateway hands to a chalice function for ``GET /``."""
    return {
        "resource": "/",
        "path": "/",
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {"resourcePath": "/", "httpMethod": "GET"},
    }


@pytest.fixture
def app(stack: Stack, request: pytest.FixtureRequest) -> Evolving:
    return Evolving(stack, request.node.name.removeprefix("test_").replace("_", "-")[:40])


def test_new_code_is_a_new_version_at_the_same_url(stack: Stack, app: Evolving) -> None:
    first = app.drop({**small_chalice("'one'"), "requirements.txt": "iniconfig\n"})
    second = app.drop({**small_chalice("'two'"), "requirements.txt": "iniconfig\n"})
    assert set(stored(stack, app.name)) == {"code", "template"}

    assert first["url"] == second["url"]
    assert first["function"] == second["function"]
    assert first["version"] != second["version"] == stack.alias_version(second["function"])
    assert stack.http(second["url"]).text == "two"
    old = stack.invoke(first["function"], asked_for_root(), qualifier=first["version"])
    assert old["body"] == "one"
    layers = [app.configuration(receipt["version"])["Layers"] for receipt in (first, second)]
    assert layers[0] == layers[1]


def test_new_code_of_the_pandas_example_is_less_than_a_hundredth_of_it(stack: Stack, drops: Mapping[str, Drop]) -> None:
    stack.live(drops["statistics"])
    files = read_folder(EXAMPLES / "statistics")
    files["app.py"] += b"\n# One line more, under another name: the layer is everybody's.\n"
    receipt = stack.live(stack.drop("statistics-changed", make_zip(files)))
    sizes = stored(stack, "statistics-changed")
    assert set(sizes) == {"code", "template"}
    assert sum(sizes.values()) < receipt["package_zip_bytes"] / 100


def test_new_configuration_alone_is_a_new_version(stack: Stack, app: Evolving) -> None:
    answer = "os.environ.get('COLOUR')"
    first = app.drop(small_chalice(answer, environment_variables={"COLOUR": "red"}))
    second = app.drop(small_chalice(answer, environment_variables={"COLOUR": "blue"}, lambda_memory_size=256))

    assert first["version"] != second["version"]
    assert stack.http(second["url"]).text == "blue"
    configuration = app.configuration(second["version"])
    assert (configuration["MemorySize"], configuration["Environment"]["Variables"]["COLOUR"]) == (256, "blue")
    assert app.configuration(first["version"])["Environment"]["Variables"]["COLOUR"] == "red"


def test_new_dependencies_alone_are_a_new_version(stack: Stack, app: Evolving) -> None:
    answer = "__import__('importlib.metadata').metadata.version('iniconfig')"
    first = app.drop({**small_chalice(answer), "requirements.txt": "iniconfig==2.0.0\n"})
    second = app.drop({**small_chalice(answer), "requirements.txt": "iniconfig==2.1.0\n"})

    assert first["version"] != second["version"]
    assert stack.http(second["url"]).text == "2.1.0"


def test_the_same_zip_again_changes_nothing(stack: Stack, app: Evolving) -> None:
    zip_ = make_zip(small_chalice())
    first, second = app.drop(zip_), app.drop(zip_)
    assert first["upload"]["version"] != second["upload"]["version"]
    assert (first["version"], first["url"]) == (second["version"], second["url"])
    assert first["upload"]["sha256"] == second["upload"]["sha256"]


def test_a_version_that_does_not_answer_is_taken_back(stack: Stack, app: Evolving) -> None:
    fine = app.drop(small_chalice("'fine'"))
    only_there = "1 / (os.environ['AWS_ACCESS_KEY_ID'] == 'proof')"
    broken = stack.final(stack.drop(app.name, make_zip(small_chalice(only_there))))
    assert (broken["status"], broken["step"]) == ("failed", "verify")
    assert broken["error"]["code"] == "unhealthy"
    assert "500" in broken["error"]["message"]
    assert broken["function_log"][-1] == "ZeroDivisionError: division by zero"
    assert (broken["url"], broken["serving"]["upload"]) == (fine["url"], fine["upload"]["version"])
    assert stack.http(fine["url"]).text == "fine"


def test_a_version_that_cannot_answer_is_not_deployed(stack: Stack, app: Evolving) -> None:
    broken = stack.final(stack.drop(app.name, make_zip(small_chalice("1 / 0"))))
    assert (broken["status"], broken["step"]) == ("failed", "prove")
    assert broken["error"]["code"] == "unhealthy"
    assert broken["error"]["message"].endswith("ZeroDivisionError: division by zero")
    assert (broken["function"], broken["serving"]) == (None, None)


def test_stages_are_apps_of_their_own(stack: Stack, app: Evolving) -> None:
    dev = app.drop(small_chalice("'development'"))
    prod = stack.live(stack.drop(f"prod/{app.name}", make_zip(small_chalice("'production'"))))
    assert (dev["stage"], prod["stage"]) == ("dev", "prod")
    assert dev["function"] != prod["function"]
    assert stack.http(dev["url"]).text == "development"
    assert stack.http(prod["url"]).text == "production"


def announce(stack: Stack, key: str, version: str) -> None:
    """The message that S3 sends, once more."""
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": stack.bucket}, "object": {"key": key, "versionId": version, "size": 1}},
    }
    stack.sqs.send_message(QueueUrl=stack.queue, MessageBody=json.dumps({"Records": [record]}))


def queue_is_empty(stack: Stack) -> bool:
    wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    depth = stack.sqs.get_queue_attributes(QueueUrl=stack.queue, AttributeNames=wanted)["Attributes"]
    return all(count == "0" for count in depth.values())


def test_duplicate_and_late_messages_do_nothing(stack: Stack, app: Evolving) -> None:
    first, second = app.drop(small_chalice("1")), app.drop(small_chalice("2"))
    for receipt in (second, first, second):
        announce(stack, receipt["upload"]["key"], receipt["upload"]["version"])
    until(lambda: queue_is_empty(stack), 150)
    assert stack.receipt(Drop(second["upload"]["key"], "")) == second
    assert stack.alias_version(second["function"]) == second["version"]
    assert stack.http(second["url"]).text == "2"


def test_a_zip_replaced_while_it_builds_never_goes_live(stack: Stack, app: Evolving) -> None:
    first = stack.drop(app.name, make_zip(slow_to_build(small_chalice("'slow'"))))
    until(lambda: (stack.receipt(first) or {}).get("step") == "build", 150)
    receipt = app.drop(small_chalice("'quick'"))

    assert stack.http(receipt["url"]).text == "quick"
    versions = stack.lambda_.list_versions_by_function(FunctionName=receipt["function"])["Versions"]
    assert len([found for found in versions if found["Version"] != "$LATEST"]) == 1
    assert stack.receipt(first)["upload"]["version"] != first.version
