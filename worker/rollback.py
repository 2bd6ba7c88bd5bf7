"""Rollbacks: the release that an upload asks for, and the version that a rollback from what is live leads to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from auto_lambda.aws.dynamodb import Put
from auto_lambda.keys import App
from worker.model import Release, Upload
from worker.records.ledger import LiveRelease, PastRelease, put_past_release

UNKNOWN = (
    "version {version} of this zip is asked for again, but it is not known to have been live: "
    "the zip is built anew, with what its requirements resolve to today"
)
COLLECTED = (
    "version {version} of this zip is asked for again, but its release was collected on {day}: newer ones have taken "
    "its place. The zip is built anew, with what its requirements resolve to today"
)


def promoted_release(upload: Upload, past: PastRelease | None, sha256: str) -> Release | None:
    """Return the release that a zip was promoted from, if it was made from the very same zip; else None.

    Anybody who may drop writes the metadata that names it: without the same bytes, it tells nothing about another's.

    Args:
        upload: what was promoted.
        past: the release that it names.
        sha256: of its zip.
    """
    release = past.read if past and upload.promotion else None
    return release if release and release.sha256 == sha256 else None


def rollback_release(upload: Upload, past: PastRelease | None) -> Release | None:
    """Return the release that a rollback asks for, as the upload's own; None if it is not known.

    Args:
        upload: the rollback.
        past: the release of the version that it asks for.
    """
    release = past.read if past else None
    return replace(release, object_version=upload.version, timings={}, warnings=()) if release else None


def why_unknown(version: str, past: PastRelease | None) -> str:
    """Return the warning about a rollback that restores no release.

    Args:
        version: of the zip, which it asks for.
        past: the record of that version.
    """
    if past and past.collected:
        return COLLECTED.format(version=version, day=past.collected[:10])
    return UNKNOWN.format(version=version)


def rollback_target(
    upload: Upload, template_key: str, live: LiveRelease | None, past: PastRelease | None
) -> str | None:
    """Return the version of the zip that a rollback from a release leads to: the one before it that was different.

    A rollback takes the place of the release that it asked for, so the next rollback goes further back.

    Args:
        upload: what goes live.
        template_key: of its release.
        live: what was live until then.
        past: of a rollback, the release of the version that it asks for.
    """
    if upload.rollback:
        return past.previous_version if past else None
    if live is None:
        return None
    return live.previous_version if live.template_key == template_key else live.object_version


def rollback_records(app: App, release: Release, previous_version: str | None, when: datetime) -> tuple[Put, ...]:
    """Return what a later rollback to a release will look up; nothing without a version to name the release by.

    Args:
        app: the release's.
        release: what goes live.
        previous_version: the version that a rollback from it leads to.
        when: the time, in UTC.
    """
    if release.object_version is None:
        return ()
    text = replace(release, timings={}).text()
    past = PastRelease(text, previous_version, when.isoformat())
    return (put_past_release(app, release.object_version, past),)
