"""Which revisions to register and which services to update: a pure function of what registries and ECS say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .images import BadName, Follow, Image
from .model import TRIED, Definition, Service, Target, Unknown, family, short

TOLD_BY_ECS = frozenset(
    ("taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt",
     "registeredBy", "deregisteredAt", "deleteRequestedAt")
)  # fmt: skip
"""What ECS adds to a task definition. Everything else is carried over, also what it will add to both some day."""

_IN_VAIN = " unable to "
"""Of ECS's events that say why a task does not start."""

Targets = Mapping[Follow, Target | Unknown]


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision to register, unless ``arn`` says that there is one. ``content`` is the request, without tags."""

    content: Definition
    tags: tuple[Mapping[str, str], ...] = ()
    arn: str | None = None

    @property
    def family(self) -> str:
        """The family that it belongs to."""
        return str(self.content["family"])


@dataclass(frozen=True, slots=True)
class Update:
    """A service to move to one of the plan's revisions, by its index."""

    service: Service
    revision: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a service.

    Attributes:
        wanted: the images that it should run.
        why: why it does not run them, empty if it does.
        behind: whether it should run something else.
        failed: the revision that was tried and taken back, or whose deployment failed.
        late: whether only a registry has to be asked again.
    """

    wanted: tuple[str, ...] = ()
    why: str = ""
    behind: bool = False
    failed: str | None = None
    late: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, and a verdict by the ARN of each service that follows an image."""

    revisions: tuple[Revision, ...]
    updates: tuple[Update, ...]
    verdicts: Mapping[str, Verdict]


def content(definition: Definition) -> dict[str, Any]:
    """Return what registers an equal revision; what is empty says nothing."""
    outside = TOLD_BY_ECS | {"tags"}
    return {
        name: value for name, value in definition.items() if name not in outside and value not in (None, "", [], {})
    }


def images(definition: Definition) -> list[str]:
    """Return the images of all containers."""
    return [container.get("image", "") for container in definition.get("containerDefinitions", ())]


def revised(definition: Definition, wanted: Mapping[str, tuple[Follow, Target]]) -> dict[str, Any]:
    """Return the content of a revision with each followed image at its target, equal to the given one but for that."""
    before = content(definition)
    containers = [
        {**container, "image": _moved(container.get("image", ""), wanted)}
        for container in before.get("containerDefinitions", ())
    ]
    return {**before, "containerDefinitions": containers}


def plan(
    services: Iterable[Service],
    definitions: Mapping[str, Definition],
    targets: Targets,
    recent: Mapping[str, Sequence[Definition]],
) -> Plan:
    """Plan what makes services agree with registries.

    Args:
        services: all there are; only those that follow an image count.
        definitions: by the ARNs that services are on.
        targets: by what is followed.
        recent: the newest revisions of families, newest first; an equal one is used again.
    """
    draft = _Draft(recent)
    verdicts: dict[str, Verdict] = {}
    for service in services:
        verdict = _judge(service, definitions, targets)
        if isinstance(verdict, Verdict):
            if verdict.wanted or verdict.why:
                verdicts[service.arn] = verdict
            continue
        current, target = verdict
        verdicts[service.arn] = draft.add(service, current, target)
    return Plan(tuple(draft.revisions), tuple(draft.updates), verdicts)


def needs_revision(service: Service, definitions: Mapping[str, Definition], targets: Targets) -> bool:
    """Tell whether the family's recent revisions matter to the plan."""
    return not isinstance(_judge(service, definitions, targets), Verdict)


def _judge(
    service: Service, definitions: Mapping[str, Definition], targets: Targets
) -> Verdict | tuple[Definition, dict[str, Any]]:
    """Return why there is nothing to do, or the revision that the service is on and the content it should have."""
    try:
        follows = service.follows()
    except BadName as error:
        return Verdict(why=str(error), behind=True)
    if not follows:
        return Verdict()
    if alone := service.left_alone():
        return Verdict(why=f"left alone: {alone}")
    current = definitions.get(service.definition or "")
    if current is None:
        return Verdict(why=f"its task definition {short(service.definition or '')} does not exist", behind=True)
    wanted, unknown = _wanted(follows, current, targets)
    if unknown:
        return Verdict(why=unknown.why, behind=not unknown.late, late=unknown.late)
    target = revised(current, wanted)
    if target == content(current):
        return _at_target(service, target)
    return current, target


def _wanted(
    follows: Iterable[Follow], current: Definition, targets: Targets
) -> tuple[dict[str, tuple[Follow, Target]], Unknown | None]:
    used = {image.name for image in map(_read, images(current)) if image}
    wanted: dict[str, tuple[Follow, Target]] = {}
    for follow in follows:
        if follow.image.name not in used:
            return {}, Unknown(f"no container of {short(current['taskDefinitionArn'])} uses {follow.image.name}")
        target = targets.get(follow, Unknown("its registry was not asked yet", late=True))
        if isinstance(target, Unknown):
            return {}, target
        wanted[follow.image.name] = (follow, target)
    return wanted, None


def _moved(written: str, wanted: Mapping[str, tuple[Follow, Target]]) -> str:
    """Return an image at its target. A tag that can move is pinned by its digest, as ECS would not see it move."""
    image = _read(written)
    if image is None or image.name not in wanted:
        return written
    follow, target = wanted[image.name]
    if image.digest == target.digest:
        return written
    if follow.exact:
        return image.with_digest(target.digest)
    return written if not image.digest and image.tag == target.tag else image.with_tag(target.tag)


def _read(written: str) -> Image | None:
    try:
        return Image.parse(written)
    except BadName:
        return None


def _at_target(service: Service, target: Definition) -> Verdict:
    """Return the verdict of a service that is on the revision that it should be on."""
    said = Verdict(tuple(images(target)))
    primary = service.primary
    if primary and primary.rollout == "FAILED":
        failed = short(service.definition or "")
        why = f"the deployment of {failed} failed: {primary.reason}"
        return replace(said, why=why, behind=True, failed=failed)
    if primary and primary.rollout == "IN_PROGRESS":
        trouble = next(
            (f" ({text})" for when, text in service.events if when >= primary.created and _IN_VAIN in text), ""
        )
        return replace(said, why=f"being deployed: {service.running} of {service.desired} run{trouble}", behind=True)
    if service.running < service.desired:
        return replace(said, why=f"{service.running} of {service.desired} tasks run", behind=True)
    return said


class _Draft:
    """A plan in the making. Services of one family that need the same content share a revision."""

    def __init__(self, recent: Mapping[str, Sequence[Definition]]) -> None:
        self._recent = recent
        self.revisions: list[Revision] = []
        self.updates: list[Update] = []

    def add(self, service: Service, current: Definition, target: dict[str, Any]) -> Verdict:
        """Plan one service, and say what is to be said of it."""
        wanted = tuple(images(target))
        existing = self._existing(target)
        if existing and service.tags.get(TRIED, "").split(" ")[0] == short(existing):
            return Verdict(wanted, _taken_back(service, short(existing)), behind=True, failed=short(existing))
        self.updates.append(Update(service, self._index(current, target, existing)))
        return Verdict(wanted, f"to be updated from {short(current['taskDefinitionArn'])}", behind=True)

    def _existing(self, target: Definition) -> str | None:
        equal = (one for one in self._recent.get(target["family"], ()) if content(one) == target)
        return next((str(one["taskDefinitionArn"]) for one in equal), None)

    def _index(self, current: Definition, target: dict[str, Any], existing: str | None) -> int:
        for index, revision in enumerate(self.revisions):
            if revision.content == target:
                return index
        tags = tuple(tag for tag in current.get("tags") or () if not tag["key"].startswith("aws:"))
        self.revisions.append(Revision(target, tags, existing))
        return len(self.revisions) - 1


def _taken_back(service: Service, tried: str) -> str:
    words = ("deployment failed", "rolled back", "rolling back", "circuit breaker")
    told = next((text for _, text in service.events if any(word in text for word in words)), "")
    reason = f" ({told})" if told else ""
    return f"{tried} was tried and taken back{reason}; it waits until the tag moves"


def family_of(service: Service) -> str:
    """Return the family of a service's task definition."""
    return family(service.definition or "")
