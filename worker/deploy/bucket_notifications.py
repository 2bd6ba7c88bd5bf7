"""Adds an app's notifications to existing buckets, beside those of others. CloudFormation cannot do this."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import BucketNotification, BuildLog

ATTEMPTS = 20
"""Over a minute: as long may a permission that was given to S3 take until S3 sees it."""
_LAMBDA = "LambdaFunctionConfigurations"
_NOT_YET = "Unable to validate the following destination configurations"
_REFUSALS = frozenset({
    "AccessDenied", "AuthorizationHeaderMalformed", "InvalidArgument", "InvalidBucketName", "NoSuchBucket",
    "PermanentRedirect",
})  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9._-]{3,255}")  # boto3 takes no other for a bucket's


class _Overwritten(Exception):
    """Somebody else changed the bucket's configuration between our read and our write."""


@dataclass(frozen=True, slots=True)
class BucketSubscription:
    """One wanted notification. ``alias`` is the ARN to invoke."""

    wanted: BucketNotification
    alias: str

    def entry(self, app: App) -> dict[str, Any]:
        """Return the entry for S3. A hash of its content is part of its id, so that equal ids mean equal entries."""
        item = self.wanted
        rules = [{"Name": name, "Value": value} for name, value in _filter(item).items() if value]
        entry: dict[str, Any] = {"LambdaFunctionArn": self.alias, "Events": sorted(item.events)}
        if rules:
            entry["Filter"] = {"Key": {"FilterRules": rules}}
        digest = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:12]
        separator = "/" if len(item.called) > 1 else ":"
        parts = ["auto-lambda", str(app), item.function, digest, *(item.called if len(item.called) == 1 else ())]
        return {"Id": separator.join(parts), **entry}


class BucketNotifications:
    """Merges an app's notifications into buckets. The ids of an app's entries begin with its name.

    Args:
        store: S3.
        sleep: waits that many seconds.
    """

    def __init__(self, store: ObjectStore, sleep: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._sleep = sleep

    def apply(
        self,
        app: App,
        subscriptions: Iterable[BucketSubscription],
        previous: Iterable[BucketNotification],
        log: BuildLog,
    ) -> None:
        """Give every bucket concerned exactly these entries of the app; entries of others do not change.

        Args:
            app: their owner.
            subscriptions: what should be there.
            previous: what an earlier release wanted; its buckets are updated too.
            log: takes each bucket that was changed.

        Raises:
            AppError: a bucket is missing, not ours to change, or an entry overlaps with another's.
        """
        wanted: dict[str, list[BucketSubscription]] = {}
        for subscription in subscriptions:
            wanted.setdefault(subscription.wanted.bucket, []).append(subscription)
        for bucket in sorted({*wanted, *(item.bucket for item in previous)}):
            try:
                self._update_bucket(bucket, app, wanted.get(bucket, []), log)
            except ClientError as error:
                self._handle_refusal(bucket, error, bucket in wanted, log)

    def _update_bucket(self, bucket: str, app: App, subscriptions: list[BucketSubscription], log: BuildLog) -> None:
        entries = [subscription.entry(app) for subscription in subscriptions]
        retrying = Retrying(
            retry=retry_if_exception(_is_temporary),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(0.25, max=4),
            sleep=self._sleep,
            retry_error_callback=_last_error,
        )
        if retrying(self._merge, bucket, app, entries):
            log(f"bucket {bucket}: {len(entries)} notification(s) of this app")

    def _merge(self, bucket: str, app: App, entries: list[dict[str, Any]]) -> bool:
        configuration = self._store.notifications(bucket)
        if _ids(configuration, app) == {entry["Id"] for entry in entries}:
            return False
        others = [entry for entry in configuration.get(_LAMBDA, []) if not _is_of(app, entry)]
        self._store.set_notifications(bucket, {**configuration, _LAMBDA: [*others, *entries]})
        if _ids(self._store.notifications(bucket), app) != {entry["Id"] for entry in entries}:
            raise _Overwritten(bucket)
        return True

    def _handle_refusal(self, bucket: str, error: ClientError, wanted: bool, log: BuildLog) -> None:
        code = error.response.get("Error", {}).get("Code", "")
        message = error.response.get("Error", {}).get("Message", str(error))
        if code not in _REFUSALS:
            raise error
        if not wanted:
            log(f"bucket {bucket}: an old notification could not be taken out ({code}: {message})")
            return
        raise _refused(bucket, f"S3 refused: {code}: {message}") from error


def check_buckets(notifications: Iterable[BucketNotification]) -> None:
    """Refuse names that no bucket can have, before anything is deployed.

    Raises:
        AppError: ``bucket-notification-failed``.
    """
    for bucket in (item.bucket for item in notifications):
        if not _NAME.fullmatch(bucket):
            raise _refused(bucket, "no bucket can have that name")


def _refused(bucket: str, why: str) -> AppError:
    return AppError(
        Code.BUCKET_NOTIFICATION_FAILED,
        f"The app subscribes to events of bucket {bucket}, and {why}",
        hint="Check that the bucket exists in this account and region, that the pipeline may set its "
        "notifications, and that no other notification has the same events with an overlapping prefix and suffix.",
    )


def _filter(item: BucketNotification) -> Mapping[str, str]:
    return {"prefix": item.prefix, "suffix": item.suffix}


def _is_of(app: App, entry: Mapping[str, Any]) -> bool:
    return str(entry.get("Id", "")).startswith((f"auto-lambda:{app}:", f"auto-lambda/{app}/"))


def _ids(configuration: Mapping[str, Any], app: App) -> set[str]:
    return {entry["Id"] for entry in configuration.get(_LAMBDA, []) if _is_of(app, entry)}


def _is_temporary(error: BaseException) -> bool:
    """Tell whether a retry may work: a permission has not propagated yet, or another app was faster."""
    if isinstance(error, ClientError):
        told = error.response.get("Error", {})
        return told.get("Code") == "InvalidArgument" and str(told.get("Message")).startswith(_NOT_YET)
    return isinstance(error, _Overwritten)


def _last_error(state: RetryCallState) -> bool:
    assert state.outcome is not None  # noqa: S101 - tenacity asks only after an attempt
    return bool(state.outcome.result())
