"""Rolling an app back: which release that leads to, if it is clear, and dropping its zip again."""

from __future__ import annotations

from auto_lambda import drops
from auto_lambda.keys import App
from auto_lambda.receipts import Receipt, Serving
from auto_lambda_cli.queries.releases import release_id
from auto_lambda_cli.queries.services import Services


class RollbackUnclear(Exception):
    """It is not clear which release is wanted; the message says what the state is.

    Attributes:
        keep: the release that is live, which a rollback to it would keep.
        earlier: the one that was live before it.
        live: whether anything is.
    """

    def __init__(self, state: str, *, keep: str | None = None, earlier: str | None = None, live: bool = True) -> None:
        super().__init__(state)
        self.keep = keep
        self.earlier = earlier
        self.live = live


def predecessor(app: App, receipt: Receipt | None, waiting: str | None) -> str:
    """Return the version of the zip that was live before the live one; while traffic shifts away from that, its own.

    Args:
        app: the app to roll back.
        receipt: its latest one.
        waiting: the key of a zip of it that no worker has received yet.

    Raises:
        RollbackUnclear: there is none, or it is not clear that it is meant.
    """
    serving = receipt.live if receipt else None
    if receipt is None or not serving:
        raise RollbackUnclear(f"{app} is not live: there is nothing to roll back.", live=False)
    if not serving.object_version:
        raise RollbackUnclear(f"the bucket of {app} is not versioned: there is nothing to roll back to", live=False)
    keep, earlier = serving.object_version, serving.previous_version
    if receipt.shifts and not waiting:
        return keep
    if waiting or not receipt.final:
        at = f"{waiting} was dropped and waits" if waiting else f"the newest zip of {app} is {receipt.status}"
        state = f"{at}, and {named(serving)} is live until that one is."
        raise RollbackUnclear(state, keep=keep, earlier=earlier)
    if receipt.status != "live":
        state = f"the newest zip of {app} is not live ({receipt.status}): {named(serving)} still is."
        raise RollbackUnclear(state, earlier=earlier)
    if not earlier:
        raise RollbackUnclear(f"{named(serving)} is live.")
    return earlier


def named(serving: Serving | None) -> str:
    """Name what is live."""
    return f"version {serving.version} (zip {serving.object_version})" if serving else "nothing live"


def release_named(services: Services, app: App, given: str) -> str:
    """Return the id of the release that a person has named, whole or by its first characters.

    Raises:
        auto_lambda_cli.queries.releases.NoSuchRelease: as it says.
    """
    whole = bool(given) and drops.has_version(services.store, services.bucket, app, given)
    return given if whole else release_id(services, app, given)


def roll_back(services: Services, app: App, to: str | None) -> drops.Drop:
    """Drop the zip of an earlier release again.

    Args:
        services: of the pipeline.
        app: the app to roll back.
        to: the release, named by its first characters or whole; None: the one that was live before.

    Raises:
        RollbackUnclear: without ``to``, as `predecessor`.
        auto_lambda_cli.queries.releases.NoSuchRelease: as it says.
        auto_lambda.aws.s3.ObjectMissing: its zip is not in the bucket any more.
    """
    if to:
        version = release_named(services, app, to)
    else:
        _, receipt = drops.latest(services.store, services.bucket, app)
        version = predecessor(app, receipt, drops.waiting(services.store, services.bucket, app))
    return drops.again(services.store, services.bucket, app, version)
