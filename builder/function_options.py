"""The settings of one function, as ``[functions.NAME]`` of ``auto-lambda.toml`` gives them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str | dict) else tuple(value) if isinstance(value, list) else value


def _bucket(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _url(value: Any) -> Any:
    return ("public" if value else None) if isinstance(value, bool) else value


def _arn(*services: str) -> str:
    """Return the pattern of a name, or of an ARN of one of these services."""
    return rf"^(arn:[a-z-]+:({'|'.join(services)}):[a-z0-9-]+:\d{{12}}:)?[A-Za-z0-9_-]{{1,256}}(\.fifo)?$"


_Text = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^[ -~]+$")]
_Handler = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z_]\w*([./][A-Za-z_]\w*)*\.[A-Za-z_]\w*$")]
_Queue = Annotated[str, Field(pattern=_arn("sqs"))]
_Topic = Annotated[str, Field(pattern=_arn("sns"))]
_DeadLetters = Annotated[str, Field(pattern=_arn("sqs", "sns"))]
_S3Event = Annotated[str, Field(pattern=r"^s3:[A-Za-z]+:[A-Za-z*]+$")]
_Bucket = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class BucketTrigger(_Strict):
    """A bucket whose events call a function; prefix and suffix limit the objects."""

    name: _Bucket
    events: Annotated[tuple[_S3Event, ...], BeforeValidator(_listed)] = ("s3:ObjectCreated:*",)
    prefix: Annotated[str, Field(max_length=1024)] = ""
    suffix: Annotated[str, Field(max_length=1024)] = ""


class FunctionOptions(_Strict):
    """What ``[functions.NAME]`` says; None and false leave it to the framework. The limits are Lambda's own.

    Attributes:
        handler: ``module.function``.
        memory: MB.
        timeout: seconds.
        disk: MB of ``/tmp``.
        url: who may call the function's own URL: anybody, or whoever signs as IAM demands.
        schedule: expressions, as in ``rate(5 minutes)``.
        queue: names or ARNs.
        topic: names or ARNs.
        bucket: existing buckets.
        batch_size: messages of a queue in one call at most.
        partial_batches: whether the answer names the messages that failed.
        dead_letter_queue: name or ARN; takes events of asynchronous calls that failed for good.
        retries: of a failed asynchronous call.
        max_age: seconds after which an asynchronous call is given up.
        snap_start: whether it starts from a snapshot.
        provisioned: number of environments that are always started.
        policy: file with an IAM policy for the function's role.
    """

    handler: _Handler | None = None
    memory: Annotated[int, Field(ge=128, le=10_240)] | None = None
    timeout: Annotated[int, Field(ge=1, le=900)] | None = None
    disk: Annotated[int, Field(ge=512, le=10_240)] | None = None
    url: Annotated[Literal["public", "signed"] | None, BeforeValidator(_url)] = None
    schedule: Annotated[tuple[_Text, ...], BeforeValidator(_listed)] = ()
    queue: Annotated[tuple[_Queue, ...], BeforeValidator(_listed)] = ()
    topic: Annotated[tuple[_Topic, ...], BeforeValidator(_listed)] = ()
    bucket: Annotated[tuple[Annotated[BucketTrigger, BeforeValidator(_bucket)], ...], BeforeValidator(_listed)] = ()
    batch_size: Annotated[int, Field(ge=1, le=10_000)] | None = None
    partial_batches: bool = False
    dead_letter_queue: _DeadLetters | None = None
    retries: Annotated[int, Field(ge=0, le=2)] | None = None
    max_age: Annotated[int, Field(ge=60, le=21_600)] | None = None
    snap_start: bool = False
    provisioned: Annotated[int, Field(ge=1, le=1_000)] | None = None
    policy: _Text | None = None
