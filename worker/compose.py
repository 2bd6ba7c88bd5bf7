"""What the worker works with, put together from its settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_lambda import logs
from auto_lambda.aws.autoscaling import Member
from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.aws.cloudwatch import Alarms, FunctionMetrics
from auto_lambda.aws.dynamodb import Table
from auto_lambda.aws.events import EventBus
from auto_lambda.aws.existence import Existing
from auto_lambda.aws.lambda_ import Functions, Versions
from auto_lambda.aws.logs import LogGroups
from auto_lambda.aws.parameters import ConfigurationStore
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.aws.session import client
from auto_lambda.keys import App
from auto_lambda.namespace import configuration_path
from auto_lambda.receipts import Receipt, Step
from auto_lambda.redact import Redactor, secrets_of
from auto_lambda.runtimes import newest_first
from auto_lambda.settings import WorkerSettings
from auto_lambda.tools import ToolEnvironments, interpreters
from builder.protocol.messages import AppRequest, LockedMessage
from worker.builds.client import Builds, BuiltApp
from worker.builds.compose import MisconfiguredMachine, open_building
from worker.builds.conversation import BuildListener
from worker.builds.eviction import Evictor
from worker.builds.wheel_store import BucketWheelStore
from worker.bundle.assemble import assemble, renew
from worker.bundle.configuration import revision_of
from worker.bundle.flex.images import digests
from worker.consumer.backoff import when_throttled
from worker.consumer.deduplication import Deduplicator
from worker.consumer.inbox import Inbox
from worker.deploy.deployer import Deployer
from worker.deploy.flex.packing import pack_entrypoint
from worker.deploy.function_log import FunctionLogs
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.quotas import Quotas
from worker.deploy.lookups.check import LookUps
from worker.deploy.rights.access import AccessReader, Boundaries
from worker.deploy.switch.shifter import TrafficShifter
from worker.fetch import Fetched, fetch
from worker.handler import DeliveryHandler
from worker.model import Bundle, DeployTarget, FlexTarget, PipelineDomain, Upload
from worker.operations.reconcile import Reconciler
from worker.ownership import pipeline_of
from worker.pipeline import Pipeline, Steps
from worker.records.ledger import Ledger
from worker.records.outbox import Outbox
from worker.records.receipt import Report
from worker.records.retention import RetentionRecords
from worker.retention.artifacts import ArtifactCollector
from worker.retention.collector import Collector
from worker.retention.housekeeper import Housekeeper
from worker.retention.plan import Keeping
from worker.workdir import Workroom

if TYPE_CHECKING:
    import boto3

_log = logs.get("worker")
_MEGABYTE = 1024 * 1024
_LEDGER_SECONDS = 10.0  # a lease must be renewed in time
_EVENT_SECONDS = 10.0
_LOOKUP_SECONDS = 10.0  # nothing depends on a look-up
_LONGEST_FUNCTION = 900.0  # seconds, Lambda's limit
_OFF = "built without a sandbox (AUTO_LAMBDA_SANDBOX=off): the app's code could do what the worker may"


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker has to do: deliveries, the fleet's duties, and events, if anybody is to be told."""

    handler: DeliveryHandler
    deduplicator: Deduplicator
    reconciler: Reconciler
    outbox: Outbox | None
    housekeeper: Housekeeper
    member: Callable[[str], Member | None]


def compose(
    chosen: WorkerSettings,
    session: boto3.Session,
    room: Workroom,
    closing: ExitStack,
    inbox: Inbox,
    *,
    worker: str,
    began: Callable[[str, Step], None] = lambda _key, _step: None,
) -> Worker:
    """Everything from the claim to the receipt, and reconciling.

    Args:
        chosen: the settings.
        session: of AWS.
        room: for the files of an upload.
        closing: ends what has apps built.
        inbox: to put aside and to announce.
        worker: its name.
        began: is told of each step that begins, by the thread that works, with the upload's key.

    Raises:
        MisconfiguredMachine: the machine lacks an interpreter that the settings name.
    """
    # Uploads in parts use ten connections, and each slot has a report that writes beside it.
    store = ObjectStore(_client(chosen, session, "s3", connections=10 + 2 * chosen.slots))
    dynamodb = _client(chosen, session, "dynamodb", longest=_LEDGER_SECONDS, connections=4 + 2 * chosen.slots)
    table = Table(dynamodb, chosen.table)
    ledger = Ledger(table, seconds=chosen.visibility_seconds)
    access = _access(chosen, store)
    deployer = _deployer(chosen, session, store, access)
    building = closing.enter_context(open_building(chosen, room.path, BucketWheelStore(store, chosen.artifacts_bucket)))
    parameters = ConfigurationStore(_client(chosen, session, "ssm", longest=_LOOKUP_SECONDS))
    steps = _steps(chosen, store, building.builds, building.evictor, deployer, access, parameters)
    pipeline = Pipeline(steps, room.folder)
    report = _reporter(chosen, store, began)
    outbox = _outbox(chosen, session, table)
    housekeeper = _housekeeper(chosen, session, worker)
    handler = DeliveryHandler(
        pipeline,
        ledger,
        store,
        report,
        deployer,
        inbox.dead_letter,
        worker=worker,
        undeploys=chosen.undeploy_on_delete,
        outbox=outbox,
        throttled=when_throttled(chosen.back_off_seconds),
        changed=housekeeper.changed,
    )
    removal = inbox.announce_removal if chosen.undeploy_on_delete else None
    reconciler = Reconciler(
        store, ledger, inbox.announce, chosen.uploads_bucket, worker=worker, announce_removal=removal
    )
    deduplicator = Deduplicator(ledger.answers, handler.newest, undeploys=chosen.undeploy_on_delete)
    return Worker(
        handler,
        deduplicator,
        reconciler,
        outbox,
        housekeeper,
        lambda instance: Member.find(client(session, "autoscaling"), instance),
    )


def _outbox(chosen: WorkerSettings, session: boto3.Session, table: Table) -> Outbox | None:
    if chosen.event_bus is None:
        return None
    return Outbox(table, EventBus(_client(chosen, session, "events", longest=_EVENT_SECONDS), chosen.event_bus))


def _reporter(
    chosen: WorkerSettings, store: ObjectStore, began: Callable[[str, Step], None]
) -> Callable[[Receipt, str], Report]:
    """Makes the report of each build; what is switched off is said in each, and in our own log."""
    secrets = secrets_of()

    def report(receipt: Receipt, bucket: str) -> Report:
        made = Report(replace(receipt, sandbox=chosen.sandbox), bucket, store, Redactor(secrets), began=began)
        if chosen.sandbox == "off":
            _log.warning(_OFF, key=receipt.key)
            made.warn(_OFF)
        return made

    return report


def _access(chosen: WorkerSettings, store: ObjectStore) -> AccessReader:
    boundaries = Boundaries(chosen.boundary_arn, chosen.granted_boundary_arn, chosen.platform_boundary_arn)
    quotas = Quotas(
        functions=chosen.quota_functions,
        roles=chosen.quota_roles,
        memory_mb=chosen.quota_memory_mb,
        reserved_concurrency=chosen.quota_reserved_concurrency,
        provisioned_concurrency=chosen.quota_provisioned_concurrency,
        resources=chosen.quota_resources,
    )
    return AccessReader(store, chosen.artifacts_bucket, chosen.app_rights, boundaries, quotas)


def _deployer(chosen: WorkerSettings, session: boto3.Session, store: ObjectStore, access: AccessReader) -> Deployer:
    stacks = Stacks(_client(chosen, session, "cloudformation"))
    # An invocation takes as long as the function does.
    invoking = client(session, "lambda", read_timeout=_LONGEST_FUNCTION, attempts=chosen.call_attempts)
    functions = Functions(_client(chosen, session, "lambda"), invoking)
    target = deploy_target(chosen)
    existing = Existing(lambda service: client(session, service, read_timeout=_LOOKUP_SECONDS, attempts=2))
    look_up = LookUps(existing, target.place).check
    return Deployer(
        store,
        stacks,
        functions,
        target,
        approved=access.approved,
        look_up=look_up,
        find_log_groups=existing.log_groups,
        function_logs=FunctionLogs(LogGroups(client(session, "logs", read_timeout=_LOOKUP_SECONDS, attempts=2))),
        pack_entrypoint=partial(pack_entrypoint, tools=ToolEnvironments(chosen.cache / "tools")),
        shifter=_shifter(chosen, session, functions),
    )


def _shifter(chosen: WorkerSettings, session: boto3.Session, functions: Functions) -> TrafficShifter:
    """Its client costs memory, which a worker without shifting apps need not have."""

    @cache
    def cloudwatch() -> Any:
        return _client(chosen, session, "cloudwatch", longest=_LOOKUP_SECONDS)

    return TrafficShifter(
        functions,
        metrics=lambda: FunctionMetrics(cloudwatch()),
        alarms=lambda: Alarms(cloudwatch()),
        now=lambda: datetime.now(UTC),
    )


def _housekeeper(chosen: WorkerSettings, session: boto3.Session, worker: str) -> Housekeeper:
    """It has clients of its own, so that nothing that is deployed waits for one of its connections."""

    def of(service: str) -> Any:
        return _client(chosen, session, service, connections=1, part="retention")

    records, store = RetentionRecords(Table(of("dynamodb"), chosen.table), worker), ObjectStore(of("s3"))
    keeping = Keeping(chosen.retain_releases, timedelta(minutes=chosen.collect_after_minutes))
    bucket = chosen.artifacts_bucket
    collector = Collector(records, store, bucket, Stacks(of("cloudformation")), Versions(of("lambda")), keeping)
    return Housekeeper(records, collector, ArtifactCollector(records, store, bucket), worker=worker)


def _client(
    chosen: WorkerSettings,
    session: boto3.Session,
    service: str,
    *,
    longest: float = 900,
    connections: int = 10,
    part: str = "",
) -> Any:
    return client(
        session,
        service,
        read_timeout=min(longest, chosen.call_seconds),
        connections=connections,
        attempts=chosen.call_attempts,
        part=part,
    )


def deploy_target(chosen: WorkerSettings) -> DeployTarget:
    """Return the environment that apps are deployed to."""
    return DeployTarget(
        artifacts_bucket=chosen.artifacts_bucket,
        boundary_arn=chosen.boundary_arn,
        region=chosen.region,
        uploads_bucket=chosen.uploads_bucket,
        endpoint=os.environ.get("AWS_ENDPOINT_URL"),
        reserved=_reserved(chosen),
        log_days=chosen.log_days,
        domain=_domain(chosen),
        flex=_flex(chosen),
    )


def _domain(chosen: WorkerSettings) -> PipelineDomain | None:
    if not (chosen.domain and chosen.certificate_arn and chosen.hosted_zone_id):
        return None
    return PipelineDomain(chosen.domain, chosen.certificate_arn, chosen.hosted_zone_id)


def _flex(chosen: WorkerSettings) -> FlexTarget:
    subnets = tuple((chosen.flex_subnet_ids or "").split(",")) if chosen.flex_subnet_ids else ()
    tasks = tuple(chosen.flex_task_subnet_ids.split(",")) if chosen.flex_task_subnet_ids else subnets
    return FlexTarget(chosen.flex_image, chosen.flex_vpc_id, subnets, tasks, digests())


def _reserved(chosen: WorkerSettings) -> tuple[str, ...]:
    """Return the names of the pipeline's queues, table, alarm topic, roles and groups of machines."""
    queues = [url.rpartition("/")[2] for url in (chosen.queue_url, chosen.dead_letter_queue_url) if url]
    pipeline = pipeline_of(chosen.artifacts_bucket)
    # Roles have no region of their own: they end in their pipeline's, which may be another than ours.
    endings = ("AlarmTopic-*", "worker", "worker-*", "workers", "checker", "checker-*")
    return (*queues, chosen.table, *(f"{pipeline}-{ending}" for ending in endings))


def _steps(
    chosen: WorkerSettings,
    store: ObjectStore,
    builds: Builds,
    evictor: Evictor,
    deployer: Deployer,
    access: AccessReader,
    parameters: ConfigurationStore,
) -> Steps:
    target, python = deploy_target(chosen), _default_python(chosen)

    def revision(app: App) -> str | None:
        return revision_of(parameters.described(configuration_path(app)))

    def fetched(upload: Upload, into: Path) -> Fetched:
        return fetch(upload, store, into, chosen.max_upload_mb * _MEGABYTE)

    def built(zipped: Fetched, into: Path, listener: BuildListener, locked: LockedMessage | None) -> BuiltApp:
        evictor.evict()
        app = zipped.upload.app
        request = AppRequest(
            name=app.name, stage=app.stage, python=locked.python if locked else python, pythons=list(interpreters()),
            today=datetime.now(UTC).date().isoformat(), replace_retired=not _refuses_retired(chosen, app.stage),
            locked=locked,
        )  # fmt: skip
        return builds.build(request, zipped.path, into, listener)

    def assembled(app_access: AppAccess, made: BuiltApp, work: Path, revised: str | None) -> Bundle:
        its_target, narrow = app_access.target(target), app_access.rights == "granted"
        domains = app_access.grants.domains
        return assemble(
            app_access.app, made, work, its_target, narrow=narrow, granted_domains=domains, revision=revised
        )

    def renewed(bundle: Bundle, app_access: AppAccess, work: Path, revised: str | None) -> Bundle:
        its_target, narrow = app_access.target(target), app_access.rights == "granted"
        return renew(bundle, work, its_target, narrow=narrow, revision=revised)

    return Steps(
        fetch=fetched, build=built, access=access.access, revision=revision, assemble=assembled, renew=renewed,
        deployer=deployer,
    )  # fmt: skip


def _refuses_retired(chosen: WorkerSettings, stage: str) -> bool:
    stages = (chosen.refuse_retired_pythons or "").replace(",", " ").split()
    return "*" in stages or stage in stages


def _default_python(chosen: WorkerSettings) -> str:
    """Return the Python for apps that name none."""
    pythons = newest_first(tuple(interpreters()))
    if not pythons:
        raise MisconfiguredMachine("this machine has no Python that Lambda offers (3.11 to 3.14)")
    python = chosen.python or pythons[0]
    if python not in pythons:
        raise MisconfiguredMachine(f"AUTO_LAMBDA_PYTHON is {python!r}, but this machine has {', '.join(pythons)}")
    return python
