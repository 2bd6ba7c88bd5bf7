"""Makes ECS agree with the registries and the alarms: looks, plans, and does what the plan says, one call at a time.

Nothing is remembered but by tags of the services, and each of those is written so that a kill before or after it is
harmless: the next convergence sees what is there and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from .ecs import ClusterGone, Ecs, LostField
from .images import BadName, Follow
from .model import SCALED, TRIED, Definition, Service, Target, Unknown, short
from .plan import Plan, Verdict, family_of, images, needs_revision, plan
from .replacing import Stop, is_stuck, next_stop
from .scaling import Alarm, Change, Rules, last_change, want
from .telling import Telling

Targets = Mapping[Follow, Target | Unknown]


class Resolver(Protocol):
    """Says what a service that follows something should run."""

    def resolve(self, follow: Follow) -> Target | Unknown:
        """Ask the registry."""


@dataclass(frozen=True, slots=True)
class World:
    """All that a convergence has seen."""

    services: tuple[Service, ...]
    definitions: Mapping[str, Definition]
    targets: Targets
    recent: Mapping[str, Sequence[Definition]]
    alarms: Mapping[str, Alarm]
    stops: Mapping[str, Stop]
    problems: tuple[str, ...]

    def plan(self) -> Plan:
        """Plan what makes all of it agree."""
        return plan(self.services, self.definitions, self.targets, self.recent)


@dataclass(frozen=True, slots=True)
class Row:
    """What is to be said of a service after a convergence, or instead of one."""

    service: Service
    images: tuple[str, ...]
    verdict: Verdict
    scaling: str = ""

    def told(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "service": self.service.label,
            "definition": short(self.service.definition or ""),
            "images": list(self.images),
            "wanted": list(self.verdict.wanted),
            "desired": self.service.desired,
            "running": self.service.running,
            "behind": self.verdict.behind,
            "why": self.verdict.why,
            "scaling": self.scaling,
        }


@dataclass(slots=True)
class Convergence:
    """One run of the updater.

    Attributes:
        ecs: what is called.
        registries: what is asked.
        telling: takes log lines, metrics and events.
        now: the clock.
        patience: seconds that registries have, all together; what is not known then is late.
        failures: what went wrong, by the service's ARN.
    """

    ecs: Ecs
    registries: Resolver
    telling: Telling
    now: Callable[[], datetime]
    patience: float = 60
    failures: dict[str, str] = field(default_factory=dict)

    def run(self, clusters: Sequence[str], families: Sequence[str] = ()) -> list[Row]:
        """Look, plan and act; return what is to be said of each service."""
        world = self.look(clusters, families)
        drawn = world.plan()
        self._update(drawn)
        updated = {update.service.arn for update in drawn.updates}
        for service in world.services:
            self._report_transition(service, drawn.verdicts.get(service.arn, Verdict()), world)
            if service.arn in world.stops and service.arn not in updated:
                self._replace_task(service, world.stops[service.arn])
        scaling = {service.arn: self._scale(service, world.alarms) for service in world.services}
        rows = self.rows(world, drawn, scaling)
        self.telling.converged([row.told() for row in rows], world.problems)
        return rows

    # -------------------------------------------------------------------------------------------- looking

    def look(self, clusters: Sequence[str], families: Sequence[str] = ()) -> World:
        """Read everything that the plan needs.

        Args:
            clusters: whose services are looked at.
            families: those whose tasks are run without a service.
        """
        problems: list[str] = []
        services = (
            *(service for cluster in clusters for service in self._services(cluster, problems)),
            *(service for name in families for service in self._family(name, problems)),
        )
        definitions = self._definitions(services)
        targets = self._targets({follow for service in services for follow in _follows(service)})
        wanting = [service for service in services if needs_revision(service, definitions, targets)]
        recent = self._recent(wanting)
        alarms, stops = self._alarms(services, problems), self._stops(services)
        return World(services, definitions, targets, recent, alarms, stops, tuple(problems))

    def rows(self, world: World, drawn: Plan, scaling: Mapping[str, str] | None = None) -> list[Row]:
        """Return what is to be said of each service."""
        rows = []
        for service in world.services:
            verdict = drawn.verdicts.get(service.arn, Verdict())
            if stop := world.stops.get(service.arn):
                verdict = replace(verdict, why=stop.why)
            if failure := self.failures.get(service.arn):
                verdict = replace(verdict, why=failure, behind=True)
            current = world.definitions.get(service.definition or "")
            said = (scaling or {}).get(service.arn, "")
            rows.append(Row(service, tuple(images(current)) if current else (), verdict, said))
        return rows

    def _services(self, cluster: str, problems: list[str]) -> list[Service]:
        try:
            return self.ecs.services(cluster)
        except ClusterGone as gone:
            problems.append(str(gone))
        except _FROM_AWS as error:
            problems.append(f"cluster {cluster}: {_explain(error)}")
        return []

    def _family(self, name: str, problems: list[str]) -> list[Service]:
        try:
            found = self.ecs.family(name)
        except (*_FROM_AWS, LostField) as error:
            problems.append(f"family {name}: {_explain(error)}")
            return []
        return [found] if found else []

    def _definitions(self, services: Sequence[Service]) -> dict[str, Definition]:
        found: dict[str, Definition] = {}
        for service in services:
            if service.definition and service.definition not in found:
                with self._guarded(service):
                    told = self.ecs.definition(service.definition)
                    found |= {service.definition: told} if told else {}
        return found

    def _targets(self, follows: Collection[Follow]) -> dict[Follow, Target | Unknown]:
        """Ask registries side by side: one that does not answer, or slowly, must not keep the others waiting."""
        threads = {host: ThreadPoolExecutor(_AT_ONCE) for host in {follow.image.registry for follow in follows}}
        asked = {follow: threads[follow.image.registry].submit(self.registries.resolve, follow) for follow in follows}
        done = wait(asked.values(), self.patience).done
        for some in threads.values():
            some.shutdown(wait=False, cancel_futures=True)
        return {follow: told.result() if told in done else _too_slow(follow) for follow, told in asked.items()}

    def _recent(self, services: Sequence[Service]) -> dict[str, Sequence[Definition]]:
        found: dict[str, Sequence[Definition]] = {}
        for service in services:
            if family_of(service) not in found:
                with self._guarded(service):
                    found[family_of(service)] = self.ecs.recent(family_of(service))
        return found

    def _stops(self, services: Sequence[Service]) -> dict[str, Stop]:
        found = {}
        for service in filter(is_stuck, services):
            try:
                found[service.arn] = next_stop(service, self.ecs.tasks(service))
            except (*_FROM_AWS, BadName) as error:
                found[service.arn] = Stop(None, _explain(error))
        return found

    def _alarms(self, services: Sequence[Service], problems: list[str]) -> Mapping[str, Alarm]:
        rules = [found for service in services if (found := _rules(service))]
        try:
            return self.ecs.alarms(name for one in rules for name in (*one.raises, *one.lowers))
        except _FROM_AWS as error:
            problems.append(f"alarms: {_explain(error)}")
            return {}

    # --------------------------------------------------------------------------------------------- acting

    def _update(self, drawn: Plan) -> None:
        arns: dict[int, str] = {}
        for index, revision in enumerate(drawn.revisions):
            users = [update.service for update in drawn.updates if update.revision == index]
            if any(user.arn in self.failures for user in users):
                continue  # not everything of it could be read: an equal revision may exist
            with self._guarded(*users):
                arns[index] = revision.arn or self.ecs.register(revision)
                if not revision.arn:
                    self.telling.log("registered", revision=short(arns[index]), images=images(revision.content))
        for update in drawn.updates:
            if update.service.cluster and (arn := arns.get(update.revision)):
                with self._guarded(update.service):
                    self.ecs.update(update.service, arn)
                    self.telling.updated(update.service.label, short(update.service.definition or ""), short(arn))
                    self.ecs.tag(update.service, TRIED, short(arn))

    def _report_transition(self, service: Service, verdict: Verdict, world: World) -> None:
        """Tell once that what was tried runs, or failed; the tag remembers that it was told."""
        tried, _, state = service.tags.get(TRIED, "").partition(" ")
        if not tried or service.arn in self.failures:
            return
        if verdict.failed == tried and state != "failed":
            with self._guarded(service):
                self.telling.failed(service.label, tried, verdict.why)
                self.ecs.tag(service, TRIED, f"{tried} failed")
        elif not state and verdict.wanted and not verdict.behind and short(service.definition or "") == tried:
            with self._guarded(service):
                self.telling.running(service.label, tried, self._lag(service, world))
                self.ecs.tag(service, TRIED, f"{tried} running")

    def _lag(self, service: Service, world: World) -> float:
        """Return the seconds since the push; since the update, if the push is not known or was long before it."""
        known = [world.targets.get(follow) for follow in _follows(service)]
        updated = service.primary.created if service.primary else self.now()
        pushed = max((one.pushed for one in known if isinstance(one, Target) and one.pushed), default=updated)
        since = pushed if pushed <= updated < pushed + _WAITED_FOR else updated
        return max(0.0, (self.now() - since).total_seconds())

    def _replace_task(self, service: Service, stop: Stop) -> None:
        self.telling.log("replacing", service=service.label, task=stop.task and stop.task.arn, why=stop.why)
        if stop.task:
            with self._guarded(service):
                self.ecs.stop(service, stop.task, stop.why)

    def _scale(self, service: Service, alarms: Mapping[str, Alarm]) -> str:
        try:
            rules = Rules.read(service.tags)
        except BadName as error:
            return str(error)
        if rules is None:
            return ""
        if service.daemon:
            return "left alone: it is a daemon"
        decision = want(service.desired, rules, alarms, last_change(service.tags), self.now())
        if decision.count != service.desired:
            with self._guarded(service):
                self.ecs.tag(service, SCALED, str(Change(self.now(), service.desired, decision.count)))
                self.ecs.scale(service, decision.count)
                self.telling.scaled(service.label, service.desired, decision.count, decision.why)
        return decision.why

    @contextmanager
    def _guarded(self, *services: Service) -> Iterator[None]:
        """Keep what AWS refuses to one service; it is told, and tried again by the next convergence."""
        try:
            yield
        except (*_FROM_AWS, LostField, BadName) as error:
            for service in services:
                self.failures[service.arn] = _explain(error)
                self.telling.refused(service.label, _explain(error))


def _too_slow(follow: Follow) -> Unknown:
    where = f"{follow.image.name}:{follow.pattern}"
    return Unknown(f"{where}: {follow.image.registry} has not answered in time; later", late=True)


def _follows(service: Service) -> tuple[Follow, ...]:
    try:
        return service.follows()
    except BadName:
        return ()


def _rules(service: Service) -> Rules | None:
    try:
        return Rules.read(service.tags)
    except BadName:
        return None


_AT_ONCE = 8  # questions to a registry
_WAITED_FOR = timedelta(hours=1)
"""An update that came later was not waiting for the push: the service began to follow, or a tag went back."""
_FROM_AWS = (BotoCoreError, ClientError)
_LATER = ("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "ServerException",
          "ServiceUnavailable", "LimitExceededException", "UpdateInProgressException")  # fmt: skip
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def _explain(error: Exception) -> str:
    code = error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""
    if code in _LATER:
        return f"AWS asks to wait ({code}); tried again within a minute"
    if code in _DENIED:
        return f"not granted: {error}"
    return str(error)
