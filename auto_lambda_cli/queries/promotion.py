"""Promoting a release of an app to another stage."""

from __future__ import annotations

from dataclasses import dataclass

from auto_lambda import drops, keys
from auto_lambda_cli.queries.releases import release_id
from auto_lambda_cli.queries.services import Services
from auto_lambda_cli.queries.state import state


class NothingToPromote(Exception):
    """The app has nothing live, and no release was named; or both stages are the same."""


class NoSuchApp(Exception):
    """Nothing is known of the app."""


@dataclass(frozen=True, slots=True)
class PlannedPromotion:
    """What a promotion would do. ``to``: the app in the other stage."""

    source: keys.Promotion
    to: keys.App


def plan_promotion(services: Services, app: keys.App, stage: str, release: str | None) -> PlannedPromotion:
    """Find the release to promote.

    Args:
        services: of the pipeline.
        app: in the stage that it comes from.
        stage: that it is promoted to.
        release: named by its first characters or whole; None: the live one.

    Raises:
        NothingToPromote, NoSuchApp: as they say.
        auto_lambda_cli.queries.releases.NoSuchRelease: as it says.
        auto_lambda.keys.BadKey: no stage can have that name.
    """
    to = keys.App(stage, app.name)
    if to == app:
        raise NothingToPromote(f"both stages are {stage}: there is nothing to promote")
    seen = state(services, app)
    if not seen.exists:
        raise NoSuchApp(f"there is no app {app}")
    live = seen.live.release if seen.live else None
    if release is None and live is None:
        raise NothingToPromote(f"{app} is not live")
    version = str(live) if release is None else release_id(services, app, release)
    return PlannedPromotion(keys.Promotion(app, version), to)


def promote(services: Services, planned: PlannedPromotion) -> drops.Drop:
    """Drop the release's zip in the other stage.

    Raises:
        auto_lambda.aws.s3.ObjectMissing: the zip is not in the bucket any more.
    """
    return drops.promote(services.store, services.bucket, planned.source, planned.to)
