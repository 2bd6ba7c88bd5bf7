"""Decides which releases of an app stay, and which versions of its functions and layers. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from auto_lambda.aws.lambda_ import Published
from auto_lambda.model import Template
from worker.bundle.pointers import RELEASE_VARIABLE, FunctionRelease
from worker.records.ledger import LiveRelease, PastRelease

UNDEPLOYED = timedelta(days=30)
"""How long the releases of an app that was undeployed stay, so that a rollback brings it back as it was built."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How much stays.

    Attributes:
        releases: number of the newest releases of an app.
        grace: how long a release stays in any case after another one has taken its place; it may still be running.
    """

    releases: int = 10
    grace: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Choice:
    """The releases that stay, by the keys of their templates, and those that go, by the versions of their zips.

    ``again``: when others will go; None if all that stay do so until there are newer ones.
    """

    kept: frozenset[str]
    collected: tuple[str, ...]
    again: datetime | None = None


def choose(
    live: LiveRelease | None, releases: Mapping[str, PastRelease], keeping: Keeping, now: datetime, since: datetime
) -> Choice | None:
    """Choose among an app's releases; None if one of them cannot be read, since nobody knows then what it needs.

    The live release and the one that a rollback leads to stay, whatever their age.

    Args:
        live: what is live.
        releases: all that have a record, by the version of the zip.
        keeping: how much stays.
        now: the time, in UTC.
        since: when the app was changed last; if nothing is live, when it was undeployed.
    """
    templates = _templates(releases)
    if templates is None:
        return None
    if live is None:
        return _undeployed(templates, now, since + UNDEPLOYED)
    order = _newest_first(live, releases, templates)
    newest = list(dict.fromkeys(templates[version] for version in order))[: keeping.releases]
    target = templates.get(live.previous_version or "")
    always = {*newest, live.template_key, *([target] if target else [])}
    ends = {
        templates[one]: ended + keeping.grace
        for newer, one in pairwise(order)
        if templates[one] not in always and (ended := _moment(releases[newer].when)) and ended + keeping.grace > now
    }
    kept = frozenset(always | ends.keys())
    collected = tuple(version for version in order if templates[version] not in kept)
    return Choice(kept, collected, min(ends.values(), default=None))


def _undeployed(templates: Mapping[str, str], now: datetime, until: datetime) -> Choice:
    if now < until and templates:
        return Choice(frozenset(templates.values()), (), until)
    return Choice(frozenset(), tuple(sorted(templates)))


def _templates(releases: Mapping[str, PastRelease]) -> dict[str, str] | None:
    """Return the template keys of the releases that are not collected yet; None if one cannot be read."""
    found = {}
    for version, past in releases.items():
        if past.collected:
            continue
        release = past.read
        if release is None:
            return None
        found[version] = release.template_key
    return found


def _newest_first(live: LiveRelease, releases: Mapping[str, PastRelease], templates: Mapping[str, str]) -> list[str]:
    """Order versions by when they went live; those of earlier days, without a time, by the way that rollbacks go."""
    way = {version: number for number, version in enumerate(_way_back(live, releases))}
    others = len(way)
    order = sorted(templates, key=lambda version: (way.get(version, others), version))
    return sorted(order, key=lambda version: releases[version].when or "", reverse=True)


def _way_back(live: LiveRelease, releases: Mapping[str, PastRelease]) -> Iterator[str]:
    version, seen = live.object_version, set[str]()
    while version and version not in seen:
        yield version
        seen.add(version)
        version = releases[version].previous_version if version in releases else None


def _moment(when: str | None) -> datetime | None:
    return datetime.fromisoformat(when) if when else None


def functions(template: Template) -> list[str]:
    """Return the logical ids of a release's functions."""
    return [name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::Lambda::Function"]


def old_versions(
    published: Iterable[Published], needed: Collection[str], kept: Collection[FunctionRelease]
) -> list[Published]:
    """Return the versions of a function that may be deleted, the oldest first.

    Args:
        published: all of them.
        needed: the numbers of those that an alias or the stack needs.
        kept: of the releases that stay. Each keeps its newest version.
    """
    old, wanted = [], set(kept)
    for it in sorted((it for it in published if it.version.isdecimal()), key=lambda it: -int(it.version)):
        stamp = it.variables.get(RELEASE_VARIABLE) if it.variables is not None else None
        if not stamp:
            continue
        release = FunctionRelease(stamp, it.code_sha256)
        if it.version not in needed and release not in wanted:
            old.append(it)
        wanted.discard(release)
    return old[::-1]


def old_layers(arns: Iterable[str], needed: Collection[str]) -> list[str]:
    """Return the versions of an app's layer that no function of it has, by ARN."""
    return sorted(arn for arn in arns if arn not in needed)
