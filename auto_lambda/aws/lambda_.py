"""Lambda, as far as we use it. The only module that calls it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True, slots=True)
class Answer:
    """What an invocation came to. ``error`` is the error's type, None for a function that returned."""

    error: str | None
    message: str


@dataclass(frozen=True, slots=True)
class State:
    """How a version of a function stands. ``code_sha256`` is base64, of the code zip."""

    state: str
    last_update: str
    reason: str
    code_sha256: str

    @property
    def ready(self) -> bool:
        """Whether it can be invoked."""
        return self.state in {"Active", "Inactive"} and self.last_update in {"Successful", ""}


class Functions:
    """Functions by name or ARN; a qualified ARN (an alias's) means that version.

    Args:
        client: boto3's.
        invoking: the same for invocations, which may take as long as functions do; ``client`` unless given.
    """

    def __init__(self, client: LambdaClient, invoking: LambdaClient | None = None) -> None:
        self._client = client
        self._invoking = invoking or client

    def invoke(self, function: str, event: Any) -> Answer:
        """Call it and wait for the answer."""
        answer = self._invoking.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        body = answer["Payload"].read()
        text = body.decode(errors="replace")
        failure = answer.get("FunctionError")
        if not failure:
            return Answer(None, text)
        error = _error(body)
        return Answer(str(error.get("errorType") or failure), str(error.get("errorMessage") or text))

    def may_be_invoked(self, function: str) -> None:
        """Ask for an invocation that is checked and not carried out; raises botocore's error if it is refused."""
        self._client.invoke(FunctionName=function, InvocationType="DryRun", Payload=b"{}")

    def state(self, function: str) -> State | None:
        """How it stands, None if there is no such function (or no such alias of it)."""
        try:
            answer = self._client.get_function_configuration(FunctionName=function)
        except self._client.exceptions.ResourceNotFoundException:
            return None
        return State(
            state=answer.get("State", "Active"),
            last_update=answer.get("LastUpdateStatus", ""),
            reason=answer.get("StateReason") or answer.get("LastUpdateStatusReason") or "",
            code_sha256=answer["CodeSha256"],
        )

    def set_code(self, function: str, bucket: str, key: str) -> None:
        """Put a code zip into ``$LATEST``, publishing nothing, and wait until it is there."""
        self._client.update_function_code(FunctionName=function, S3Bucket=bucket, S3Key=key, Publish=False)
        self._client.get_waiter("function_updated_v2").wait(FunctionName=function)


def _error(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
