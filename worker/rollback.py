"""Rollbacks: which release an upload asks for again, and where a rollback from what is live leads."""

from __future__ import annotations

from dataclasses import replace

from worker.journal import Attempt
from worker.ledger import Live
from worker.model import Release, Upload


def release_again(upload: Upload, earlier: Attempt | None) -> Release | None:
    """The release that a rollback asks for, as the upload's own; None if it is not known any more.

    Args:
        upload: the rollback.
        earlier: the attempt by which what it asks for went live.
    """
    release = Release.of(earlier.release) if earlier and earlier.release else None
    return replace(release, object_version=upload.version, timings={}) if release else None


def leads_to(template_key: str, live: Live | None, earlier: Attempt | None) -> str | None:
    """The version of the zip that a rollback from a release leads to: what was live before it and was not the same.

    A rollback takes the place of what it asked for, so that the next one goes further back, and not forth again.

    Args:
        template_key: of the release that goes live.
        live: what was live until then.
        earlier: of a rollback, the attempt by which what it asked for went live.
    """
    if earlier is not None:
        return earlier.before
    if live is None:
        return None
    return live.before if live.template_key == template_key else live.object_version
