"""Rollbacks: which release an upload asks for again, and where a rollback from what is live leads."""

from __future__ import annotations

from dataclasses import replace

from auto_lambda.aws.dynamodb import Put
from auto_lambda.keys import App
from worker.model import Release, Upload
from worker.records.ledger import Earlier, Live, put_earlier

UNKNOWN = (
    "version {version} of this zip is asked for again, but it is not known to have been live: "
    "the zip is built anew, with what its requirements resolve to today"
)


def release_again(upload: Upload, earlier: Earlier | None) -> Release | None:
    """The release that a rollback asks for, as the upload's own; None if it is not known.

    Args:
        upload: the rollback.
        earlier: what the version that it asks for was.
    """
    release = Release.of(earlier.release) if earlier else None
    return replace(release, object_version=upload.version, timings={}, warnings=()) if release else None


def leads_to(upload: Upload, template_key: str, live: Live | None, earlier: Earlier | None) -> str | None:
    """The version of the zip that a rollback from a release leads to: what was live before it and was not the same.

    A rollback takes the place of what it asked for, so that the next one goes further back, and not forth again.

    Args:
        upload: what goes live.
        template_key: of its release.
        live: what was live until then.
        earlier: of a rollback, what the version that it asks for was.
    """
    if upload.rollback:
        return earlier.before if earlier else None
    if live is None:
        return None
    return live.before if live.template_key == template_key else live.object_version


def kept(app: App, release: Release, before: str | None) -> tuple[Put, ...]:
    """What a rollback to a release that goes live will look for; nothing without a version to name it by.

    Args:
        app: the release's.
        release: what goes live.
        before: where a rollback from it leads.
    """
    if release.object_version is None:
        return ()
    text = replace(release, timings={}).text()
    return (put_earlier(app, release.object_version, Earlier(text, before)),)
