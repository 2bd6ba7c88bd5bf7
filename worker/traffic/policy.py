"""A stage may require that releases take the traffic over gradually."""

from __future__ import annotations

from auto_lambda.errors import AppError, Code
from auto_lambda.grants import Grants
from auto_lambda.keys import App
from builder.protocol.traffic import TrafficMessage


def require_gradual(app: App, grants: Grants, plan: TrafficMessage | None) -> None:
    """Return if a release says how it takes the traffic over, or need not.

    Args:
        app: whose release it is.
        grants: of the app, those of its stage included.
        plan: what the zip says; orders of people to lead all traffic to it at once come later.

    Raises:
        AppError: ``traffic-required``.
    """
    if grants.traffic != "gradual" or plan:
        return
    except_it = f"`auto-lambda grants set {app.name} --stage {app.stage} --add traffic=any`"
    raise AppError(
        Code.TRAFFIC_REQUIRED,
        f"In the stage {app.stage}, releases have to take the traffic over gradually, and this one does not say how.",
        hint='Add a section such as [traffic] with canary = {percent = 10, interval = "10m"} to auto-lambda.toml. '
        f"An app that flexes needs an exception: ask the platform team for {except_it}.",
    )
