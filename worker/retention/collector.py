"""Collects what the old releases of one app have left in AWS.

First the ledger gives a release up, on the condition that nobody has worked on the app since the choice was made. From
then on no rollback restores it, so nothing that is deleted afterwards can be needed, and a collector that is killed
leaves only what the next one finds again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from auto_lambda import logs
from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.aws.lambda_ import Versions
from auto_lambda.aws.s3 import ObjectMissing, ObjectStore
from auto_lambda.keys import App
from auto_lambda.model import Template
from worker.bundle import pointers, release
from worker.bundle.pointers import FunctionRelease
from worker.ownership import foreign, pipeline_of
from worker.records.ledger import AppRecord, PastRelease
from worker.records.retention import Due, RetentionRecords
from worker.retention import plan
from worker.retention.plan import Choice, Keeping

MOST_AT_ONCE = 100
"""Versions that are deleted in one go, so that no app keeps the others waiting for long."""

_log = logs.get("retention")


@dataclass(frozen=True, slots=True)
class Old:
    """What may be deleted: versions as pairs of function and number, layer versions by ARN."""

    versions: tuple[tuple[str, str], ...] = ()
    layers: tuple[str, ...] = ()

    @property
    def first(self) -> Old:
        """As much of it as is deleted in one go."""
        return Old(self.versions[:MOST_AT_ONCE], self.layers[:MOST_AT_ONCE])


class Collector:
    """Collects the old releases of apps.

    Args:
        records: what the ledger holds of them.
        store: S3.
        artifacts: the bucket with the templates.
        stacks: CloudFormation.
        versions: Lambda.
        keeping: how much stays.
        now: the time, in UTC.
    """

    def __init__(
        self,
        records: RetentionRecords,
        store: ObjectStore,
        artifacts: str,
        stacks: Stacks,
        versions: Versions,
        keeping: Keeping,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._records = records
        self._store = store
        self._artifacts = artifacts
        self._stacks = stacks
        self._versions = versions
        self._keeping = keeping
        self._now = now
        self._releases_of = lru_cache(maxsize=1024)(self._read_releases)

    def collect(self, due: Due, check: Callable[[], None] = lambda: None) -> None:
        """Collect what is old of one app.

        Args:
            due: the app.
            check: raises when it is time to stop; called before each deletion.
        """
        app = due.app
        record, releases = self._records.ledger.record(app), self._records.releases(app)
        choice = plan.choose(record.live, releases, self._keeping_of(record), self._now(), due.when)
        if choice is None:
            _log.warning("not collected: a release was written by another version of the worker", app=str(app))
            return
        old = self._old(app, record, choice)
        if old is None:
            return
        if (choice.collected or old != Old()) and not self._collect(app, record, releases, choice, old.first, check):
            return
        if old == old.first:
            self._records.done(due, choice.again)

    def wants(self, record: AppRecord, releases: dict[str, PastRelease], since: datetime) -> bool:
        """Tell whether the ledger alone shows that an app has something to collect, now or later."""
        choice = plan.choose(record.live, releases, self._keeping_of(record), self._now(), since)
        return choice is not None and bool(choice.collected or choice.again)

    def _collect(
        self,
        app: App,
        record: AppRecord,
        releases: dict[str, PastRelease],
        choice: Choice,
        old: Old,
        check: Callable[[], None],
    ) -> bool:
        hold = self._records.claim(app)
        if hold is None:
            return False
        try:
            if not self._records.collect(app, record.lease, releases, choice.collected, self._now()):
                return False
            self._delete(app, old, check)
        finally:
            hold.release()
        _log.info(
            "collected",
            app=str(app),
            releases=len(choice.collected),
            versions=len(old.versions),
            layers=len(old.layers),
        )
        return True

    def _delete(self, app: App, old: Old, check: Callable[[], None]) -> None:
        for function, version in old.versions:
            check()
            if not self._versions.delete(function, version):
                _log.info("still referred to", function=function, version=version)
        for arn in old.layers:
            check()
            self._versions.delete_layer(app.stack, int(arn.rpartition(":")[2]))

    def _old(self, app: App, record: AppRecord, choice: Choice) -> Old | None:
        """Find out what is in AWS and not needed any more; None if that cannot be told now."""
        stack = self._stacks.describe(app.stack)
        template = self._template(record.live.template_key) if record.live else None
        if stack is None or template is None:
            return Old()
        if stack.status.endswith("_IN_PROGRESS"):
            return None
        if foreign(stack.tags, app, pipeline_of(self._artifacts), known=record.live is not None):
            return Old()
        resources = self._stacks.resources(stack.id)
        kept = frozenset[FunctionRelease]().union(*map(self._releases_of, choice.kept))
        in_stack = frozenset(resources.values())
        versions: list[tuple[str, str]] = []
        layers = set(in_stack)
        said = pointers.versions(stack.parameters)
        for name in plan.functions(template):
            function = resources.get(name)
            if not function:
                continue
            published = self._versions.of_function(function)
            needed = self._versions.aliased(function) | {_number(one) for one in in_stack if f":{function}:" in one}
            needed |= {said[name]} if name in said else set()
            gone = plan.old_versions(published, needed, kept)
            versions += [(function, it.version) for it in gone]
            layers |= {arn for it in published if it not in gone for arn in it.layers}
        return Old(tuple(versions), tuple(plan.old_layers(self._versions.of_layer(app.stack), layers)))

    def _keeping_of(self, record: AppRecord) -> Keeping:
        """Return how much of an app stays: what its live release asks for, or else the pipeline's setting."""
        template = self._template(record.live.template_key) if record.live else None
        asked = release.retained(template) if template else None
        return replace(self._keeping, releases=asked) if asked else self._keeping

    def _read_releases(self, template_key: str) -> frozenset[FunctionRelease]:
        template = self._template(template_key)
        return pointers.releases_of(template) if template else frozenset()

    def _template(self, template_key: str) -> Template | None:
        try:
            stored: Template = json.loads(self._store.get(self._artifacts, template_key))
        except ObjectMissing:
            return None
        return stored


def _number(arn: str) -> str:
    return arn.rpartition(":")[2]
