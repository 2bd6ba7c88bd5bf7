"""The releases of an app, and how people name one: by the first characters of its id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from auto_lambda import drops
from auto_lambda.attempts import Attempt
from auto_lambda.aws.s3 import ObjectVersion
from auto_lambda.keys import App
from auto_lambda.receipts import Receipt, Serving
from auto_lambda_cli.queries.history import RecordedRelease
from auto_lambda_cli.queries.parts import Unknown, ask
from auto_lambda_cli.queries.services import Services

SHORTEST = 8
"""Characters of an id that are shown at least."""
LEAST = 4
"""Characters of an id that a person has to type at least."""
_ATTEMPTS = 200


class NoSuchRelease(Exception):
    """No version of the app's zip has an id that begins so, or several have; the message says which."""


@dataclass(frozen=True, slots=True)
class ListedRelease:
    """One version of an app's zip.

    Attributes:
        id: the version's, by S3.
        short: its beginning, which no other one of the list has.
        dropped: when S3 received it, in UTC; None if the bucket may not be listed.
        live_since: when it went live, in UTC; None if it never did, or without the ledger.
        live: whether it is live now.
        outcome: of its last attempt; None without the ledger.
        code: of its error.
        function_version: the number of the function's version.
        by: who dropped it.
        rollback: the id of the release that it restored.
        framework: of the release.
        python: of the release.
        size: of the zip, in bytes.
        restorable: whether a rollback restores it unchanged; None if that is not known.
    """

    id: str
    short: str
    dropped: datetime | None = None
    live_since: datetime | None = None
    live: bool = False
    outcome: str | None = None
    code: str | None = None
    function_version: str | None = None
    by: str | None = None
    rollback: str | None = None
    framework: str | None = None
    python: str | None = None
    size: int | None = None
    restorable: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """Return every field, with times as ISO 8601."""
        times = {
            name: moment.isoformat() if moment else None
            for name, moment in (("dropped", self.dropped), ("live_since", self.live_since))
        }
        return {**asdict(self), **times}


@dataclass(frozen=True, slots=True)
class Releases:
    """An app's releases, newest first, and what could not be told of them."""

    app: App
    listed: tuple[ListedRelease, ...]
    unknown: tuple[Unknown, ...] = ()


def releases(services: Services, app: App) -> Releases:
    """List every version of an app's zip that is in the bucket, or that the ledger knows as a release."""
    unknown = list[Unknown]()
    _, receipt = drops.latest(services.store, services.bucket, app)
    found: dict[str, ListedRelease] = {}
    versions = ask("versions", partial(_versions, services, app))
    if isinstance(versions, Unknown):
        unknown.append(versions)
    else:
        found |= {it.version: ListedRelease(it.version, "", it.modified, size=it.size) for it in versions}
    ledger = _from_ledger(services, app)
    if isinstance(ledger, Unknown):
        unknown.append(ledger)
    else:
        found = _merged(found, *ledger)
    found = _with_serving(found, receipt)
    ordered = sorted(found.values(), key=_order, reverse=True)
    return Releases(app, shortened(ordered), tuple(unknown))


def release_id(services: Services, app: App, given: str) -> str:
    """Return the id of a release that a person has named by its first characters, or whole.

    Raises:
        NoSuchRelease: none, or several begin so.
    """
    with_prefix = {it.version for it in _versions(services, app) if it.version.startswith(given)}
    if given in with_prefix or (len(with_prefix) == 1 and len(given) >= LEAST):
        return given if given in with_prefix else with_prefix.pop()
    if len(given) < LEAST:
        raise NoSuchRelease(f"{given!r} is too short to name a release of {app}: at least {LEAST} characters")
    if with_prefix:
        listed = ", ".join(sorted(with_prefix))
        raise NoSuchRelease(f"several zips of {app} have a version that begins with {given}: {listed}")
    raise NoSuchRelease(f"{app} has no zip {given}, or no longer")


def shortened(releases: Sequence[ListedRelease]) -> tuple[ListedRelease, ...]:
    """Give each the shortest beginning of its id that tells it from all others."""
    ids = [one.id for one in releases]
    length = SHORTEST
    while len({one[:length] for one in ids}) < len(set(ids)):
        length += 1
    return tuple(replace(one, short=one.id[:length]) for one in releases)


def _versions(services: Services, app: App) -> list[ObjectVersion]:
    return [it for key in app.keys for it in services.store.versions(services.bucket, key)]


def _from_ledger(services: Services, app: App) -> tuple[Mapping[str, RecordedRelease], Sequence[Attempt]] | Unknown:
    history = services.history
    if isinstance(history, Unknown):
        return history
    return ask("history", lambda: (history.releases(app), history.attempts(app, _ATTEMPTS)))


def _merged(
    found: Mapping[str, ListedRelease], past: Mapping[str, RecordedRelease], attempts: Iterable[Attempt]
) -> dict[str, ListedRelease]:
    merged = dict(found)
    for version, one in past.items():
        known = merged.get(version, ListedRelease(version, ""))
        merged[version] = replace(
            known,
            live_since=one.live_since,
            framework=one.framework,
            python=one.python,
            size=known.size or one.size,
            restorable=one.stored,
        )
    told = set[str]()
    for attempt in attempts:  # the newest first
        id_ = attempt.object_version
        if id_ is None or id_ not in merged or id_ in told:
            continue
        told.add(id_)
        known = merged[id_]
        merged[id_] = replace(
            known,
            outcome=attempt.outcome or "under way",
            code=attempt.code,
            function_version=attempt.function_version,
            by=str(attempt.by) if attempt.by else None,
            rollback=attempt.rollback,
            restorable=known.restorable or False,
        )
    return merged


def _with_serving(found: Mapping[str, ListedRelease], receipt: Receipt | None) -> dict[str, ListedRelease]:
    serving: Serving | None = receipt.live if receipt else None
    version = serving.object_version if serving else None
    if serving is None or version is None:
        return dict(found)
    known = found.get(version, ListedRelease(version, ""))
    number = known.function_version or serving.version
    return {**found, version: replace(known, live=True, function_version=number)}


def _order(one: ListedRelease) -> tuple[float, str]:
    moment = one.dropped or one.live_since
    return (moment.timestamp() if moment else 0.0, one.id)
