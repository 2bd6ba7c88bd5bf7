"""Names of container images, and the tag patterns that services follow. All of it is pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

DOCKER_HUB = "docker.io"
_HUB_NAMES = {DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
_HOST = re.compile(r"(?:[a-z0-9-]+\.)*[a-z0-9-]+(?::\d{1,5})?", re.IGNORECASE)
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_RELEASES = re.compile(r"(?P<v>v?)(?P<held>(?:\d{1,9}\.){0,2})x(?P<suffix>-[A-Za-z0-9_.-]+)?")
_AT_LEAST = re.compile(r"(?P<v>v?)(?P<least>\d{1,9}(?:\.\d{1,9}){0,2})\+(?P<suffix>-[A-Za-z0-9_.-]+)?")
_NEWEST = {"any", "*"}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class BadName(ValueError):
    """A text is no image, or no tag pattern; the message says why."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image as a task definition names it.

    Attributes:
        spelled: the name as it was written, without tag and digest.
        registry: the host, with its port if it has one.
        repository: the path there, with Docker Hub's ``library/`` spelled out.
        tag: ``latest`` if nothing else is said, None beside a digest alone.
        digest: ``sha256:...`` or None.
    """

    spelled: str
    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Image:
        """Read an image's name.

        Raises:
            BadName: it is none.
        """
        rest, at, digest = text.partition("@")
        spelled, tag = _split_tag(rest)
        if at and not _DIGEST.fullmatch(digest):
            raise BadName(f"{text!r}: the digest is not sha256: and 64 hexadecimal digits")
        if tag is not None and not _TAG.fullmatch(tag):
            raise BadName(f"{text!r}: {tag!r} cannot be a tag")
        registry, repository = _locate(spelled)
        return cls(spelled, registry, repository, tag if tag or at else "latest", digest or None)

    @property
    def name(self) -> str:
        """The same for every spelling of a repository."""
        return f"{self.registry}/{self.repository}"

    def with_tag(self, tag: str) -> str:
        """Name another tag of the repository, spelled as this one is."""
        return f"{self.spelled}:{tag}"

    def with_digest(self, digest: str) -> str:
        """Name exact content of the repository, spelled as this one is."""
        return f"{self.spelled}@{digest}"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag in a registry, and when it was pushed, if the registry says so."""

    name: str
    pushed: datetime | None = None


@dataclass(frozen=True, slots=True)
class Follow:
    """What a service follows: a repository, and which of its tags."""

    image: Image
    pattern: str

    @classmethod
    def parse(cls, text: str) -> Follow:
        """Read ``acme/shop:1.x``, as the tag of a service says it.

        Raises:
            BadName: the repository or the pattern is none.
        """
        name, pattern = _split_tag(text)
        if pattern is None:
            raise BadName(f"{text!r} says no tag: write repository:pattern, as in acme/shop:1.x")
        registry, repository = _locate(name)
        follow = cls(Image(name, registry, repository), pattern)
        if not (follow.newest or follow._range() or _TAG.fullmatch(pattern)):
            raise BadName(f"{text!r}: {pattern!r} is neither a tag nor a pattern such as 1.x, 1.4+ or any")
        return follow

    @property
    def newest(self) -> bool:
        """Whether the tag that was pushed last is followed, whatever it is called."""
        return self.pattern in _NEWEST

    @property
    def exact(self) -> bool:
        """Whether one tag is followed, which may move to other content."""
        return not self.newest and self._range() is None

    def choose(self, tags: Iterable[Tag]) -> Tag | None:
        """Return the tag to run, None if no tag fits."""
        if self.exact:
            return next((tag for tag in tags if tag.name == self.pattern), None)
        if self.newest:
            fitting = [tag for tag in tags if tag.name != "latest"]
            return max(fitting, key=lambda tag: (tag.pushed or _LONG_AGO, tag.name), default=None)
        releases = [(version, tag) for tag in tags if (version := self._version(tag.name))]
        return max(releases, key=lambda one: one[0])[1] if releases else None

    def _range(self) -> re.Match[str] | None:
        return _RELEASES.fullmatch(self.pattern) or _AT_LEAST.fullmatch(self.pattern)

    def _version(self, tag: str) -> tuple[int, ...] | None:
        """Return a tag as a version, None if it is not within the pattern. Only three numbers are a release."""
        within = self._range()
        if within is None:
            return None
        given = within.groupdict()
        prefix, suffix = re.escape(given["v"]), re.escape(given["suffix"] or "")
        found = re.fullmatch(rf"{prefix}(\d{{1,9}})\.(\d{{1,9}})\.(\d{{1,9}}){suffix}", tag)
        if not found:
            return None
        version = tuple(map(int, found.groups()))
        held = _numbers(given.get("held")) or _numbers(given.get("least"))[:1]
        fits = version[: len(held)] == held and version >= _numbers(given.get("least"))
        return version if fits else None


def _numbers(text: str | None) -> tuple[int, ...]:
    return tuple(int(number) for number in (text or "").split(".") if number)


def _split_tag(text: str) -> tuple[str, str | None]:
    """Split at the colon that is no port's."""
    path, colon, tag = text.rpartition(":")
    return (path, tag) if colon and "/" not in tag else (text, None)


def _locate(name: str) -> tuple[str, str]:
    """Tell registry and repository apart as Docker does: a first part with a dot or a port is a host."""
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    registry, repository = (first.lower(), rest) if is_host else (DOCKER_HUB, name)
    if registry in _HUB_NAMES:
        registry, repository = DOCKER_HUB, repository if "/" in repository else f"library/{repository}"
    if not (_HOST.fullmatch(registry) and _REPOSITORY.fullmatch(repository)):
        raise BadName(f"{name!r} is not the name of an image's repository")
    return registry, repository
