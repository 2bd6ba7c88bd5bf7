"""Lambda, as far as we use it. The only module that calls it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of an invocation.

    Attributes:
        error: the error's type, None if the function returned.
        message: of the error, or what it returned.
        log: the last 4 KB that it logged.
        payload: what it returned, or the whole error as JSON.
        version: that ran; None if Lambda did not say.
        request: the invocation's id, by which its log is found; None if Lambda did not say.
    """

    error: str | None
    message: str
    log: str = ""
    payload: str = ""
    version: str | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The state of a version of a function.

    ``code_sha256`` is the base64 hash of the code zip; ``settings`` is the rest, in the form of an update.
    ``revision`` changes with each update of the function.
    """

    state: str
    last_update: str
    reason: str
    code_sha256: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    revision: str = ""

    @property
    def settled(self) -> bool:
        """Tell whether no update is in progress."""
        return self.state != "Pending" and self.last_update != "InProgress"

    @property
    def ready(self) -> bool:
        """Tell whether it can be invoked."""
        return self.state in {"Active", "Inactive"} and self.last_update in {"Successful", ""}


@dataclass(frozen=True, slots=True)
class Alias:
    """The version that an alias points to. ``weighted``: a share of the invocations goes to another version."""

    version: str
    weighted: bool


@dataclass(frozen=True, slots=True)
class Published:
    """A published version of a function. ``layers``: ARNs. ``variables`` is None if Lambda could not read them.

    ``code_sha256`` and ``settings`` are as in `State`.
    """

    version: str
    layers: tuple[str, ...]
    variables: Mapping[str, str] | None
    code_sha256: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


class Functions:
    """Functions by name or ARN; a qualified ARN, such as an alias's, means that version.

    Args:
        client: boto3's client.
        invoking: a client for invocations, with a time-out as long as functions may run; by default ``client``.
        sleep: waits that many seconds between two looks at an update.
    """

    def __init__(
        self,
        client: LambdaClient,
        invoking: LambdaClient | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._sleep = sleep
        self._invoking = invoking or client

    @property
    def versions(self) -> Versions:
        """What was published."""
        return Versions(self._client)

    def invoke(self, function: str, event: Any) -> Answer:
        """Invoke a function and wait for its result."""
        answer = self._invoking.invoke(FunctionName=function, Payload=json.dumps(event).encode(), LogType="Tail")
        body = answer["Payload"].read()
        text = body.decode(errors="replace")
        log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
        failure, version = answer.get("FunctionError"), answer.get("ExecutedVersion")
        request = answer.get("ResponseMetadata", {}).get("RequestId")
        if not failure:
            return Answer(None, text, log, text, version, request)
        error = _error(body)
        kind, message = str(error.get("errorType") or failure), str(error.get("errorMessage") or text)
        return Answer(kind, message, log, text, version, request)

    def may_be_invoked(self, function: str) -> None:
        """Make a dry-run invocation, which only checks permissions; raises botocore's error if it is refused."""
        self._client.invoke(FunctionName=function, InvocationType="DryRun", Payload=b"{}")

    def state(self, function: str) -> State | None:
        """Return the state of a function, None if there is no such function or alias."""
        try:
            answer = self._client.get_function_configuration(FunctionName=function)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        return _state(answer)

    def settled(self, function: str) -> State:
        """Return the state of a function or version once no update of it is in progress."""
        for pause in _pauses():
            state = self.state(function)
            if state and state.settled:
                return state
            self._sleep(pause)
        raise TimeoutError(f"{function} is still being updated")

    def look(self, function: str) -> tuple[State, Mapping[str, str]] | None:
        """Return the state of a function and its tags, None if there is no such function."""
        try:
            answer = self._client.get_function(FunctionName=function)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        return _state(answer["Configuration"]), answer.get("Tags", {})

    def set_code(self, function: str, bucket: str, key: str) -> None:
        """Update the code of ``$LATEST`` without publishing, and wait until that has ended."""
        self._wait(function)
        self._client.update_function_code(FunctionName=function, S3Bucket=bucket, S3Key=key, Publish=False)
        self._wait(function)

    def set_settings(self, function: str, settings: Mapping[str, Any]) -> None:
        """Update the configuration of ``$LATEST`` without publishing, and wait until that has ended."""
        self._wait(function)
        self._client.update_function_configuration(FunctionName=function, **settings)
        self._wait(function)

    def configure(self, function: str, settings: Mapping[str, Any], seen: State) -> State:
        """Update the configuration of ``$LATEST`` if it is still what was seen; return what it is afterwards."""
        self._client.update_function_configuration(FunctionName=function, RevisionId=seen.revision, **settings)
        return self.settled(function)

    def publish_code(self, function: str, bucket: str, key: str, seen: State) -> tuple[str, State]:
        """Publish ``$LATEST`` with other code, if it is still what was seen; return the version once it has been made.

        Args:
            function: by name or ARN.
            bucket: of the code.
            key: of the code.
            seen: the state of ``$LATEST``.
        """
        version = self._client.update_function_code(
            FunctionName=function, S3Bucket=bucket, S3Key=key, Publish=True, RevisionId=seen.revision
        )["Version"]
        return version, self.settled(f"{function}:{version}")

    def publish(self, function: str, latest: State) -> str:
        """Publish a version of ``$LATEST`` if it is still what was seen, and wait until the version can be invoked.

        Where nothing has changed since the last version, Lambda returns that one.

        Args:
            function: by name or ARN.
            latest: its state.
        """
        answer = self._client.publish_version(
            FunctionName=function, CodeSha256=latest.code_sha256, RevisionId=latest.revision
        )
        version = answer["Version"]
        waiter = self._client.get_waiter("published_version_active")
        waiter.wait(FunctionName=function, Qualifier=version, WaiterConfig={"Delay": 1, "MaxAttempts": 300})
        return version

    def alias(self, function: str, name: str) -> Alias | None:
        """Return what an alias points to, None if there is no such alias."""
        try:
            answer = self._client.get_alias(FunctionName=function, Name=name)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        return Alias(answer["FunctionVersion"], bool(answer.get("RoutingConfig", {}).get("AdditionalVersionWeights")))

    def point(self, function: str, name: str, version: str) -> None:
        """Point an alias to one version, for all invocations."""
        self._client.update_alias(
            FunctionName=function, Name=name, FunctionVersion=version, RoutingConfig={"AdditionalVersionWeights": {}}
        )

    def share(self, function: str, name: str, version: str, other: str, weight: float) -> None:
        """Point an alias to a version, and give a share of the invocations to another one.

        Args:
            function: by name or ARN.
            name: of the alias.
            version: gets the rest.
            other: gets the share; both have to have the same role and dead-letter target.
            weight: the share, above 0 and below 1.
        """
        self._client.update_alias(
            FunctionName=function,
            Name=name,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": {other: weight}},
        )

    def _wait(self, function: str) -> None:
        """Wait until no update is in progress (``LastUpdateStatus``): Lambda refuses a second one."""
        self._client.get_waiter("function_updated_v2").wait(FunctionName=function)


class Versions:
    """The versions of functions and layers that were published, for whoever deletes old ones."""

    def __init__(self, client: LambdaClient) -> None:
        self._client = client

    def of_function(self, function: str) -> list[Published]:
        """List a function's versions, ``$LATEST`` included; none if there is no such function."""
        pages = self._client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
        try:
            return [_published(item) for page in pages for item in page["Versions"]]
        except self._client.exceptions.ResourceNotFoundException:
            return []

    def aliased(self, function: str) -> frozenset[str]:
        """Return the versions that any alias of a function points to, also with a share of the invocations."""
        pages = self._client.get_paginator("list_aliases").paginate(FunctionName=function)
        found: set[str] = set()
        for alias in (it for page in pages for it in page["Aliases"]):
            found |= {alias["FunctionVersion"], *alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})}
        return frozenset(found)

    def delete(self, function: str, version: str) -> bool:
        """Delete one version of a function; tell whether it is gone. False: something points to it.

        Args:
            function: by name or ARN, without a version.
            version: a number; ``$LATEST`` cannot be deleted.
        """
        if not version.isdecimal():
            raise ValueError(f"{version!r} is not the number of a version: the whole function would be deleted")
        try:
            self._client.delete_function(FunctionName=function, Qualifier=version)
        except self._client.exceptions.ResourceNotFoundException:
            return True
        except self._client.exceptions.ResourceConflictException:
            return False
        return True

    def of_layer(self, layer: str) -> list[str]:
        """List the ARNs of a layer's versions; none if there is no such layer."""
        pages = self._client.get_paginator("list_layer_versions").paginate(LayerName=layer)
        try:
            return [item["LayerVersionArn"] for page in pages for item in page["LayerVersions"]]
        except self._client.exceptions.ResourceNotFoundException:
            return []

    def delete_layer(self, layer: str, version: int) -> None:
        """Delete a version of a layer, if it exists. Functions that have it keep it, says AWS."""
        with suppress(self._client.exceptions.ResourceNotFoundException):
            self._client.delete_layer_version(LayerName=layer, VersionNumber=version)


def _pauses() -> Iterator[float]:
    """Yield seconds between looks at an update, which takes about one; for five minutes together."""
    yield from (0.01, 0.02, 0.05, 0.1)
    yield from (0.2 for _ in range(20))
    yield from (1.0 for _ in range(296))


def _state(configuration: Any) -> State:
    return State(
        state=configuration.get("State", "Active"),
        last_update=configuration.get("LastUpdateStatus", ""),
        reason=configuration.get("StateReason") or configuration.get("LastUpdateStatusReason") or "",
        code_sha256=configuration["CodeSha256"],
        settings=_settings(configuration),
        revision=configuration.get("RevisionId", ""),
    )


def _published(item: Any) -> Published:
    environment = item.get("Environment", {})
    layers = tuple(layer["Arn"] for layer in item.get("Layers", []))
    variables = None if "Error" in environment else environment.get("Variables", {})
    return Published(item["Version"], layers, variables, item.get("CodeSha256", ""), _settings(item))


def _settings(configuration: Any) -> dict[str, Any]:
    return {name: read(configuration.get(name)) for name, read in _SETTINGS.items()}


def _as_it_is(default: Any) -> Callable[[Any], Any]:
    return lambda value: value or default


def _part(*names: str, **defaults: Any) -> Callable[[Any], Any]:
    """Turn a described configuration into the arguments of an update; what is not described gets its default."""
    return lambda value: {**defaults, **{name: value[name] for name in names if value and name in value}}


_SETTINGS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "Role": _as_it_is(""),
    "Handler": _as_it_is(""),
    "Runtime": _as_it_is(""),
    "Timeout": _as_it_is(3),
    "MemorySize": _as_it_is(128),
    "KMSKeyArn": _as_it_is(""),
    "FileSystemConfigs": _as_it_is([]),
    "Environment": _part("Variables", Variables={}),
    "VpcConfig": _part("SubnetIds", "SecurityGroupIds", SubnetIds=[], SecurityGroupIds=[]),
    "DeadLetterConfig": _part("TargetArn", TargetArn=""),
    "TracingConfig": _part("Mode", Mode="PassThrough"),
    "EphemeralStorage": _part("Size", Size=512),
    "SnapStart": _part("ApplyOn", ApplyOn="None"),
    "Layers": lambda layers: [layer["Arn"] for layer in layers or []],
}


def _error(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
