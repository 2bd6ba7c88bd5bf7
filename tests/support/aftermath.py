"""What is left when an upload has been worked on, made comparable: names, ids and times are taken out."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from auto_lambda_cli.running_stacks import RunningStack

FINAL = {"live", "failed", "superseded"}
# Of a receipt: when and by whom, and what was measured.
_UNSTEADY_RECEIPT = {"timings", "init_ms", "worker", "updated", "upload", "package_zip_bytes", "function_log"}
_UNSTEADY_LEDGER = {
    "when",
    "modified",
    "sequencer",
    "object_version",
    "worker",
    "subject",
    "sha256",
    "template_key",
    "release",
}
_UNSTEADY_FUNCTION = {"LastModified", "RevisionId", "CodeSha256", "CodeSize", "FunctionArn", "Version"}
_IDS = re.compile(r"[0-9a-f]{64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RESOURCES: Mapping[str, tuple[str, str, str]] = {
    "functions": ("lambda", "list_functions", "Functions"),
    "event sources": ("lambda", "list_event_source_mappings", "EventSourceMappings"),
    "roles": ("iam", "list_roles", "Roles"),
    "REST APIs": ("apigateway", "get_rest_apis", "items"),
    "HTTP APIs": ("apigatewayv2", "get_apis", "Items"),
    "rules": ("events", "list_rules", "Rules"),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One drop: of which app, its object version, the word that its app answers, and the versions before.

    ``before`` was live, ``newest`` is the newest that was there; 0 for none.
    """

    app: str
    version: str
    word: str
    before: int = 0
    newest: int = 0


class Aftermath:
    """Looks at one pipeline.

    Args:
        client: makes clients, by service.
        pipeline: its names.
        endpoints: every address that stands for AWS in it.
    """

    def __init__(self, client: Callable[[str], Any], pipeline: RunningStack, endpoints: tuple[str, ...]) -> None:
        self._client = client
        self._pipeline = pipeline
        self._endpoints = endpoints

    def receipt(self, subject: Subject) -> dict[str, Any] | None:
        """The receipt of just this version, None when there is another or none."""
        try:
            answer = self._client("s3").get_object(Bucket=self._pipeline.bucket, Key=f"apps/{subject.app}.receipt.json")
        except ClientError:
            return None
        found: dict[str, Any] = json.loads(answer["Body"].read())
        return found if found["upload"]["version"] == subject.version else None

    def shifts(self, subject: Subject) -> bool:
        """Whether a version has its first share of the calls, and nobody works on it."""
        told = (self.receipt(subject) or {}).get("traffic") or {}
        return bool(told.get("weight")) and self.depth()[1] == 0

    def final(self, subject: Subject) -> bool:
        """Whether the receipt is final and the queue is empty."""
        receipt = self.receipt(subject)
        return bool(receipt and receipt["status"] in FINAL) and not any(self.depth())

    def collected(self, app: str) -> bool:
        """Whether nothing of an app is left to collect."""
        key = {"pk": {"S": "collect"}, "sk": {"S": f"dev/{app}"}}
        answer = self._client("dynamodb").get_item(TableName=self._pipeline.table, Key=key, ConsistentRead=True)
        return "Item" not in answer

    def kept(self, subject: Subject) -> dict[str, int]:
        """How many versions of the function, and how many releases, are left."""
        receipt = self.receipt(subject) or {}
        name = (receipt.get("serving") or {}).get("function")
        versions = self._all("lambda", "list_versions_by_function", "Versions", FunctionName=name) if name else []
        wanted = {":pk": {"S": f"releases#dev/{subject.app}"}}
        releases = self._all(
            "dynamodb", "query", "Items", TableName=self._pipeline.table,
            KeyConditionExpression="pk = :pk", ExpressionAttributeValues=wanted,
        )  # fmt: skip
        return {"versions": len(versions), "releases": len([item for item in releases if "release" in item])}

    def newest(self, function: str) -> int:
        """The number of the newest version of a function."""
        versions = self._all("lambda", "list_versions_by_function", "Versions", FunctionName=function)
        return max((int(it["Version"]) for it in versions if it["Version"] != "$LATEST"), default=0)

    def _failed(self, subject: Subject) -> bool:
        """Whether a version may be there that nobody was led to: it is collected soon."""
        return (self.receipt(subject) or {}).get("status") == "failed"

    def depth(self) -> list[int]:
        """Messages in the queue: waiting, in flight, not due yet."""
        return self._depth(self._pipeline.queue)

    def counts(self) -> dict[str, int]:
        """How many resources of each kind there are, whoever made them."""
        found = {kind: len(self._all(*listing)) for kind, listing in _RESOURCES.items()}
        stacks = self._all("cloudformation", "describe_stacks", "Stacks")
        return {**found, "stacks": len([stack for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"])}

    def look(self, subject: Subject, before: Mapping[str, int]) -> dict[str, Any]:
        """The end state; ``before`` is `counts` before the drop."""
        receipt = self.receipt(subject) or {}
        serving = receipt.get("serving") or {}
        stack = f"al-{subject.app}-dev"
        made = {kind: number - before[kind] for kind, number in self.counts().items()}
        found = {
            "receipt": {name: value for name, value in receipt.items() if name not in _UNSTEADY_RECEIPT},
            "route": self._route(serving.get("url")),
            "function": self._function(serving.get("function"), subject),
            "stack": self._stack(subject),
            "flex": self._flex(subject),
            "ledger": self._ledger(subject),
            "queue": self.depth(),
            "dead letters": self._depth(self._pipeline.dead_letters),
            "made": {kind: number for kind, number in made.items() if number},
            # Not counted before and after: those of other apps outlive their stacks, and are collected some time.
            "layers": len([it for it in self._all("lambda", "list_layers", "Layers") if it["LayerName"] == stack]),
        }
        # Versions are compared with those before, in "function".
        found["receipt"].pop("version", None)
        (found["receipt"].get("serving") or {}).pop("version", None)
        for moment in ("since", "began"):
            (found["receipt"].get("traffic") or {}).pop(moment, None)
        return json.loads(self._plain(json.dumps(found, default=str), subject))  # type: ignore[no-any-return]

    def remove(self, app: str) -> None:
        """Take an app out of AWS, and wait until nothing of it is counted any more."""
        cloudformation, stack = self._client("cloudformation"), f"al-{app}-dev"
        cloudformation.delete_stack(StackName=f"al-Flex-{app}-dev")
        cloudformation.delete_stack(StackName=stack)
        wait = {"Delay": 1, "MaxAttempts": 60}
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig=wait)

    def _all(self, service: str, operation: str, key: str, **asked: Any) -> list[Any]:
        """Every page of a listing: a lane that has seen many cases has more than one."""
        pages = self._client(service).get_paginator(operation).paginate(**asked)
        return [item for page in pages for item in page.get(key, [])]

    def _plain(self, text: str, subject: Subject) -> str:
        for endpoint in self._endpoints:
            text = text.replace(endpoint, "AWS")
        text = text.replace(subject.app, "APP").replace(subject.word, "WORD")
        text = re.sub(r"(execute-api/)[0-9a-z]+", r"\1ID", text)
        text = re.sub(r"(APIHandler|Role|Function|Layer)-[0-9A-Za-z]+", r"\1-ID", text)
        return _IDS.sub("HASH", text)

    def _depth(self, queue: str) -> list[int]:
        names = ["", "NotVisible", "Delayed"]
        attributes = [f"ApproximateNumberOfMessages{name}" for name in names]
        found = self._client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=attributes)["Attributes"]
        return [int(found[name]) for name in attributes]

    def _route(self, url: str | None) -> Any:
        if url is None:
            return None
        try:
            with urllib.request.urlopen(self._asked(url), timeout=60) as answer:
                return [answer.status, answer.read().decode()]
        except HTTPError as error:
            return [error.code, error.read().decode()]

    def _asked(self, url: str) -> urllib.request.Request:
        """An app's own name is in no DNS, and without a certificate; the embedded AWS knows it."""
        host = urlsplit(url).hostname or ""
        if not host.endswith(".apps.localhost"):
            return urllib.request.Request(url)
        port = urlsplit(self._pipeline.endpoint).port
        return urllib.request.Request(f"{self._pipeline.endpoint}/", headers={"Host": f"{host}:{port}"})

    def _function(self, name: str | None, subject: Subject) -> Any:
        if name is None:
            return None
        client = self._client("lambda")
        live = client.get_function_configuration(FunctionName=name, Qualifier="live")
        latest = client.get_function_configuration(FunctionName=name)
        alias = int(client.get_alias(FunctionName=name, Name="live")["FunctionVersion"])
        configuration = {key: value for key, value in live.items() if key not in _UNSTEADY_FUNCTION}
        configuration.pop("ResponseMetadata")
        # Of those that are of no state but Active, some say so by empty reasons.
        configuration = {key: value for key, value in configuration.items() if value or "Reason" not in key}
        configuration["Environment"]["Variables"].pop("AUTO_LAMBDA_RELEASE")
        for layer in configuration.get("Layers", []):
            layer["Arn"] = re.sub(r":layer:.*", ":layer:LAYER", layer["Arn"])
        return {
            "configuration": configuration,
            "latest is live": latest["CodeSha256"] == live["CodeSha256"],
            "code": self._code(subject, live["CodeSha256"]),
            "alias": _told(alias, subject),
            "newer than live": self.newest(name) > alias and not self._failed(subject),
        }

    def _code(self, subject: Subject, sha256: str) -> str:
        """The code's content, names taken out; its hash must be that of the artifact that the template names."""
        s3, bucket = self._client("s3"), self._pipeline.artifacts
        template = self._client("cloudformation").get_template(StackName=f"al-{subject.app}-dev")["TemplateBody"]
        template = template if isinstance(template, dict) else json.loads(template)
        keys = {
            resource["Properties"]["Code"]["S3Key"]
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::Lambda::Function"
        }
        for key in keys:
            data = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            if base64.b64encode(hashlib.sha256(data).digest()).decode() == sha256:
                return _digest(data, {subject.app: "APP", subject.word: "WORD"})
        return "no artifact has the hash of the function's code"

    def _stack(self, subject: Subject) -> Any:
        client, name = self._client("cloudformation"), f"al-{subject.app}-dev"
        try:
            stacks = client.describe_stacks(StackName=name)["Stacks"]
        except ClientError:
            return None
        resources = client.describe_stack_resources(StackName=name)["StackResources"]
        return {
            "status": [stack["StackStatus"] for stack in stacks],
            "resources": sorted(_hashless(it["LogicalResourceId"]) + " " + it["ResourceType"] for it in resources),
            "change sets": [it["Status"] for it in client.list_change_sets(StackName=name)["Summaries"]
                            if it.get("ExecutionStatus") == "AVAILABLE"],
        }  # fmt: skip

    def _flex(self, subject: Subject) -> Any:
        """The second stack of an app that flexes, and whether its tasks would run the release that is live."""
        client, name = self._client("cloudformation"), f"al-Flex-{subject.app}-dev"
        try:
            (stack,) = client.describe_stacks(StackName=name)["Stacks"]
        except ClientError:
            return None
        template = client.get_template(StackName=name)["TemplateBody"]
        resources = (template if isinstance(template, dict) else json.loads(template))["Resources"]
        (container,) = resources["TaskDefinition"]["Properties"]["ContainerDefinitions"]
        told = {one["Name"]: one["Value"] for one in container["Environment"]}
        live = self._client("lambda").get_function_configuration(FunctionName=f"{subject.app}-dev", Qualifier="live")
        return {
            "status": stack["StackStatus"],
            "parameters": {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]},
            "is of the live release": {**live["Environment"]["Variables"]}.items() <= told.items(),
        }

    def _ledger(self, subject: Subject) -> Any:
        table = self._client("dynamodb")
        items = [
            {name: next(iter(value.values())) for name, value in item.items()}
            for item in table.scan(TableName=self._pipeline.table, ConsistentRead=True)["Items"]
        ]
        mine = {item["sk"]: item for item in items if item["pk"] == f"app#dev/{subject.app}"}
        history = [item for item in items if item["pk"] == f"history#dev/{subject.app}"]
        live = mine.get("live", {})
        ends = [item.get("outcome") for item in history if item.get("object_version") == subject.version]
        return {
            "kinds": sorted(mine),
            "live": {
                name: value for name, value in live.items() if name not in {*_UNSTEADY_LEDGER, "function_version"}
            },
            "live version": live.get("object_version") == subject.version,
            "live version of the function": _told(int(live.get("function_version", 0)), subject),
            "journal": {name: value for name, value in mine.get("journal", {}).items() if name not in _UNSTEADY_LEDGER},
            "lease": mine.get("lease", {}).get("owner"),
            "deploys that went live": ends.count("live"),
        }


def _told(version: int, subject: Subject) -> str:
    """A version as it is the same in each run: a rollback leads to whichever number its release once got."""
    if version > subject.newest:
        return f"{version - subject.newest} new"
    return "the one that was live" if version == subject.before else "an earlier one"


def _hashless(logical: str) -> str:
    return re.sub(r"[0-9a-f]{10,}", "HASH", logical)


def _digest(data: bytes, names: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            content = archive.read(info)
            for name, stand_in in names.items():
                content = content.replace(name.encode(), stand_in.encode())
            digest.update(f"{info.filename} {info.external_attr} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
