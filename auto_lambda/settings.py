"""The settings of the daemons: ``AUTO_LAMBDA_*`` in the environment, all checked at start.

Each setting has its row in docs/reference/settings.md, as a test checks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, TypeVar

from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from auto_lambda.model import LOG_DAYS
from auto_lambda.tools import cache_folder

PREFIX = "AUTO_LAMBDA_"
REGION_NAMES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
_QUEUE = r"^https?://[^/\s]+/(\S+/)?[A-Za-z0-9_-]{1,80}(\.fifo)?$"
_POLICY = r"^arn:[a-z-]+:iam::(\d{12}|aws):policy/\S+$"
_DOMAIN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$"
_SUBNETS = r"^subnet-[0-9a-z]+(,subnet-[0-9a-z]+)*$"

QueueUrl = Annotated[str, Field(pattern=_QUEUE)]
Bucket = Annotated[str, Field(pattern=_BUCKET)]


class SettingsError(Exception):
    """Settings are missing or not valid.

    Attributes:
        problems: all problems, one sentence each.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def default_slots() -> int:
    """Return one slot for each two cores that this process may use."""
    return max(1, len(os.sched_getaffinity(0)) // 2)


class Settings(BaseSettings):
    """The settings that worker and checker share."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    region: str = Field(validation_alias=AliasChoices(*REGION_NAMES), description="the AWS region of the pipeline")
    queue_url: QueueUrl = Field(description="the URL of the queue that the uploads bucket notifies")
    dead_letter_queue_url: QueueUrl | None = Field(default=None, description="the URL of the dead-letter queue")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the lowest level that is logged"
    )

    log_file: Path | None = Field(default=None, description="a file that takes every log line as well")

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class WorkerSettings(Settings):
    """The worker's settings. Times are in seconds; folders are absolute or relative to the working directory."""

    uploads_bucket: Bucket = Field(description="the bucket that zips are uploaded to")
    artifacts_bucket: Bucket = Field(description="the bucket for the workers' artifacts")
    table: str = Field(pattern=r"^[A-Za-z0-9_.-]{3,255}$", description="the name of the ledger's DynamoDB table")
    boundary_arn: str = Field(
        pattern=_POLICY,
        description="the ARN of the permissions boundary for the roles of deployed apps",
    )
    app_rights: Literal["granted", "account"] = Field(
        default="granted", description="what apps may reach: their namespace and their grants, or the whole account"
    )
    granted_boundary_arn: str | None = Field(
        default=None,
        pattern=_POLICY,
        description="the ARN of the permissions boundary for apps with granted statements",
    )
    platform_boundary_arn: str | None = Field(
        default=None, pattern=_POLICY, description="the ARN of the permissions boundary for apps of the stage platform"
    )
    quota_functions: int = Field(default=50, ge=1, le=500, description="the number of functions that an app may have")
    quota_roles: int = Field(default=50, ge=1, le=500, description="the number of roles that an app may have")
    quota_memory_mb: int = Field(
        default=51_200, ge=128, description="the memory of all functions of an app together, in MB"
    )
    quota_reserved_concurrency: int = Field(
        default=100, ge=0, description="the reserved concurrency of all functions of an app together"
    )
    quota_provisioned_concurrency: int = Field(
        default=20, ge=0, description="the provisioned concurrency of all functions of an app together"
    )
    quota_resources: int = Field(default=400, ge=1, le=500, description="the number of resources that an app may have")
    work_dir: Path = Field(
        default_factory=lambda: cache_folder() / "work", description="the folder where uploads are unpacked and built"
    )
    cache: Path = Field(default_factory=cache_folder, description="the folder for caches")
    cache_mb: int = Field(default=20_000, ge=1_000, description="the maximum size of the cache, in MB")
    slots: int = Field(
        default_factory=default_slots, ge=1, le=64, description="the number of uploads that are built at the same time"
    )
    python: str | None = Field(
        default=None, pattern=r"^3\.\d{1,2}$", description="the Python version of apps that do not specify one"
    )
    refuse_retired_pythons: str | None = Field(
        default=None,
        pattern=r"^(\*|[a-z0-9-]+([\s,]+[a-z0-9-]+)*)$",
        description="the stages in which apps that ask for a Python that Lambda has retired are refused; *: all",
    )
    sandbox: Literal["bubblewrap", "off"] = Field(
        default="bubblewrap", description="how untrusted code is isolated while it is built"
    )
    builder_socket: Path | None = Field(
        default=None, description="the socket by which systemd starts builders; without it the worker starts them"
    )
    spare_builders: int = Field(
        default_factory=lambda: 2 * default_slots(), ge=0, le=64, description="how many builders stand by"
    )
    index_hosts: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]+(:\d+)?([\s,]+[A-Za-z0-9._-]+(:\d+)?)*$",
        description="additional hosts, or host:port pairs, that a build may reach",
    )
    max_upload_mb: int = Field(default=250, ge=1, le=5_000, description="the maximum size of a zip, in MB")
    poll_seconds: int = Field(default=20, ge=1, le=20, description="the wait time of a receive (long polling)")
    visibility_seconds: int = Field(
        default=120, ge=10, le=3_600, description="the visibility timeout of a message, which heartbeats extend"
    )
    event_bus: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._/-]{1,256}$",
        description="the EventBridge bus that gets an event for each final receipt; without it, none are sent",
    )
    domain: str | None = Field(
        default=None, pattern=_DOMAIN, description="the domain below which each app gets a name; without it, none does"
    )
    certificate_arn: str | None = Field(
        default=None,
        pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]+$",
        description="the ARN of a certificate for all names one level below the domain, in the pipeline's region",
    )
    hosted_zone_id: str | None = Field(
        default=None, pattern=r"^Z[A-Z0-9]{1,32}$", description="the hosted zone that gets the records of these names"
    )
    flex_image: str = Field(
        default="public.ecr.aws/lambda/python:{python}",
        pattern=r"^[a-z0-9][a-z0-9./:@{}_-]{1,300}$",
        description="the image of tasks on Fargate; {python} stands for the app's version",
    )
    flex_vpc_id: str | None = Field(
        default=None, pattern=r"^vpc-[0-9a-z]+$", description="a network for apps that flex in a given one"
    )
    flex_subnet_ids: str | None = Field(
        default=None, pattern=_SUBNETS, description="its subnets for load balancers, at least two, with commas"
    )
    flex_task_subnet_ids: str | None = Field(
        default=None, pattern=_SUBNETS, description="its subnets for tasks, if they are others"
    )
    undeploy_on_delete: bool = Field(
        default=False, description="whether an app is removed from AWS when its zip is deleted"
    )
    reconcile_hours: float = Field(
        default=4, ge=0, le=720, description="how often the fleet looks for uploads without an event; 0: never"
    )
    retain_releases: int = Field(default=10, ge=1, le=1_000, description="the number of releases of an app that stay")
    log_days: int = Field(default=30, description="how many days the log groups of apps keep events; 0: for ever")
    collect_after_minutes: float = Field(
        default=60, ge=0, le=43_200, description="how long a release stays in any case after it was replaced"
    )
    idle_seconds: float = Field(
        default=0,
        ge=0,
        le=86_400,
        description="after how long without work a worker in an Auto Scaling group terminates its instance; 0: never",
    )
    drain_seconds: float = Field(
        default=90, ge=0, le=7_200, description="how long running builds may continue after SIGTERM"
    )

    back_off_seconds: float = Field(
        default=30, ge=1, le=900, description="the maximum delay after a first failure on our side; doubled each time"
    )
    call_seconds: float = Field(default=60, ge=1, le=900, description="the read time-out of a call to AWS")
    call_attempts: int = Field(default=5, ge=1, le=10, description="the maximum number of attempts of a call to AWS")

    @field_validator("log_days")
    @classmethod
    def _known_days(cls, value: int) -> int:
        if value not in LOG_DAYS:
            raise ValueError(f"CloudWatch Logs takes {', '.join(map(str, LOG_DAYS[1:]))}; 0 stands for ever")
        return value

    @model_validator(mode="after")
    def _whole_domain(self) -> WorkerSettings:
        if len({value is None for value in (self.domain, self.certificate_arn, self.hosted_zone_id)}) > 1:
            raise ValueError(
                "AUTO_LAMBDA_DOMAIN, AUTO_LAMBDA_CERTIFICATE_ARN and AUTO_LAMBDA_HOSTED_ZONE_ID belong together"
            )
        return self

    @model_validator(mode="after")
    def _apart(self) -> WorkerSettings:
        if self.uploads_bucket == self.artifacts_bucket:
            raise ValueError("AUTO_LAMBDA_UPLOADS_BUCKET and AUTO_LAMBDA_ARTIFACTS_BUCKET must be different buckets")
        return self


class CheckerSettings(Settings):
    """The checker's settings."""

    metrics_namespace: str = Field(
        default="AutoLambda",
        pattern=r"^[A-Za-z0-9._/#:-]{1,255}$",
        description="the CloudWatch namespace of the published metrics",
    )
    check_seconds: float = Field(default=5, ge=1, le=60, description="how often the queue is sampled")
    idle_check_seconds: float = Field(
        default=30, ge=1, le=60, description="how often the queue is sampled after a long time without work"
    )
    worker_group: str | None = Field(
        default=None,
        pattern=r"^[^\s:/]{1,255}$",
        description="the name of the Auto Scaling group of the workers",
    )
    worker_slots: int = Field(
        default=1, ge=1, le=64, description="the number of uploads that one worker builds at the same time"
    )
    table: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_.-]{3,255}$", description="the name of the ledger's DynamoDB table"
    )

    @model_validator(mode="after")
    def _slower_when_idle(self) -> CheckerSettings:
        if "idle_check_seconds" in self.model_fields_set and self.idle_check_seconds < self.check_seconds:
            raise ValueError("AUTO_LAMBDA_IDLE_CHECK_SECONDS must not be less than AUTO_LAMBDA_CHECK_SECONDS")
        return self


S = TypeVar("S", bound=Settings)


def load(kind: type[S], changed: Mapping[str, str] = MappingProxyType({})) -> S:
    """Read and check the environment.

    Args:
        kind: which settings.
        changed: variables that count instead of the environment's.

    Raises:
        SettingsError: with every problem, not only the first.
    """
    values = {name: changed[PREFIX + name.upper()] for name in kind.model_fields if changed.get(PREFIX + name.upper())}
    try:
        return kind(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(tuple(_plain(kind, problem) for problem in error.errors())) from None


def _plain(kind: type[Settings], problem: ErrorDetails) -> str:
    if not problem["loc"]:
        return problem["msg"].removeprefix("Value error, ")
    name = str(problem["loc"][0])
    field = kind.model_fields.get(name.lower().removeprefix(PREFIX.lower()))
    if name in (*REGION_NAMES, "region"):
        name, field = " (or ".join(REGION_NAMES) + ")", kind.model_fields["region"]
    elif not name.startswith(PREFIX):
        name = PREFIX + name.upper()
    meaning = field.description if field else ""
    if problem["type"] == "missing":
        return f"{name} is not set: {meaning}"
    if problem["type"] == "string_pattern_mismatch":
        return f"{name} is {problem['input']!r}, which does not look like {meaning}"
    return f"{name} is {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]} ({meaning})"
