"""What CloudFormation cannot do: hang a function's events on a bucket that exists already, beside everybody else's."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import BucketNotification, Say

_LAMBDA = "LambdaFunctionConfigurations"
_NOT_YET = "Unable to validate the following destination configurations"
_THEIRS = frozenset({"AccessDenied", "InvalidArgument", "NoSuchBucket"})


class _Overwritten(Exception):
    """Somebody else wrote the bucket's configuration between our reading and writing."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One wanted notification. ``alias`` is the ARN to call."""

    wanted: BucketNotification
    alias: str

    def entry(self, prefix: str) -> dict[str, Any]:
        """As S3 takes it. Its id is named after all of it, so that equal ids mean equal entries."""
        item = self.wanted
        rules = [{"Name": name, "Value": value} for name, value in _filter(item).items() if value]
        entry: dict[str, Any] = {"LambdaFunctionArn": self.alias, "Events": sorted(item.events)}
        if rules:
            entry["Filter"] = {"Key": {"FilterRules": rules}}
        digest = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:12]
        return {"Id": f"{prefix}{item.function}:{digest}", **entry}


class BucketEvents:
    """Merges an app's notifications into buckets; entries are told apart by ids that begin with the app.

    Args:
        store: S3.
        sleep: waits that many seconds.
    """

    def __init__(self, store: ObjectStore, sleep: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._sleep = sleep

    def apply(self, app: App, hooks: Iterable[Hook], before: Iterable[BucketNotification], say: Say) -> None:
        """Bring every bucket concerned to exactly these hooks of the app; nobody else's entries change.

        Args:
            app: whose they are.
            hooks: what should be there.
            before: what an earlier release wanted; its buckets are looked through too.
            say: told of each bucket that was changed.

        Raises:
            AppError: a bucket is missing, not ours to change, or an entry overlaps with another's.
        """
        wanted: dict[str, list[Hook]] = {}
        for hook in hooks:
            wanted.setdefault(hook.wanted.bucket, []).append(hook)
        for bucket in sorted({*wanted, *(item.bucket for item in before)}):
            try:
                self._settle(bucket, f"auto-lambda:{app}:", wanted.get(bucket, []), say)
            except ClientError as error:
                self._tell(bucket, error, bucket in wanted, say)

    def _settle(self, bucket: str, prefix: str, hooks: list[Hook], say: Say) -> None:
        entries = [hook.entry(prefix) for hook in hooks]
        retrying = Retrying(
            retry=retry_if_exception(_passes),
            stop=stop_after_attempt(6),
            wait=wait_exponential(0.25, max=4),
            sleep=self._sleep,
            retry_error_callback=_last_error,
        )
        if retrying(self._merge, bucket, prefix, entries):
            say(f"bucket {bucket}: {len(entries)} notification(s) of this app")

    def _merge(self, bucket: str, prefix: str, entries: list[dict[str, Any]]) -> bool:
        configuration = self._store.notifications(bucket)
        if _ids(configuration, prefix) == {entry["Id"] for entry in entries}:
            return False
        others = [entry for entry in configuration.get(_LAMBDA, []) if not entry.get("Id", "").startswith(prefix)]
        self._store.set_notifications(bucket, {**configuration, _LAMBDA: [*others, *entries]})
        if _ids(self._store.notifications(bucket), prefix) != {entry["Id"] for entry in entries}:
            raise _Overwritten(bucket)
        return True

    def _tell(self, bucket: str, error: ClientError, wanted: bool, say: Say) -> None:
        code = error.response.get("Error", {}).get("Code", "")
        message = error.response.get("Error", {}).get("Message", str(error))
        if code not in _THEIRS:
            raise error
        if not wanted:
            say(f"bucket {bucket}: an old notification could not be taken out ({code}: {message})")
            return
        raise AppError(
            Code.BUCKET_NOTIFICATION_FAILED,
            f"The app wants to hear of events in bucket {bucket}, and S3 refused: {code}: {message}",
            hint="See that the bucket exists in this account and region, that the pipeline may set its notifications, "
            "and that no other notification has the same events with an overlapping prefix and suffix.",
        ) from error


def _filter(item: BucketNotification) -> Mapping[str, str]:
    return {"prefix": item.prefix, "suffix": item.suffix}


def _ids(configuration: Mapping[str, Any], prefix: str) -> set[str]:
    return {entry["Id"] for entry in configuration.get(_LAMBDA, []) if entry.get("Id", "").startswith(prefix)}


def _passes(error: BaseException) -> bool:
    """Whether it may work a moment later: a permission that has not spread yet, or a race with another app."""
    return isinstance(error, _Overwritten) or (isinstance(error, ClientError) and _NOT_YET in str(error))


def _last_error(state: RetryCallState) -> bool:
    assert state.outcome is not None  # noqa: S101 - tenacity asks only after an attempt
    return bool(state.outcome.result())
