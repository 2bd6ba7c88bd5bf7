"""Refuses an app whose domain belongs to another one already: whoever has a name gets the requests meant for it."""

from __future__ import annotations

from collections.abc import Callable

from auto_lambda.aws.existence import Existing
from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.namespace import APP_TAG, STAGE_TAG
from worker.deploy.gate.template import TemplateView
from worker.model import Bundle


def check_domains(existing: Existing, bundle: Bundle, warn: Callable[[str], None]) -> None:
    """Return if the domains of a bundle are not there yet, or are the app's own.

    Args:
        existing: asks AWS.
        bundle: which has passed the gate.
        warn: takes look-ups that failed.

    Raises:
        AppError: ``domain-taken``.
    """
    view = TemplateView(bundle.template["Resources"])
    for kind in ("ApiGateway::DomainName", "ApiGatewayV2::DomainName"):
        for _, properties in view.of(kind):
            _check(existing, bundle.app, str(properties["DomainName"]), warn)


def _check(existing: Existing, app: App, name: str, warn: Callable[[str], None]) -> None:
    try:
        tags = existing.domain(name)
    except Exception as error:  # noqa: BLE001 - whatever it is, API Gateway itself refuses a name that is taken
        warn(f"the domain {name} could not be looked up, so it may be taken: {error}")
        return
    if tags is None or (tags.get(APP_TAG), tags.get(STAGE_TAG)) == (app.name, app.stage):
        return
    owner = f"{tags[STAGE_TAG]}/{tags[APP_TAG]}" if {APP_TAG, STAGE_TAG} <= tags.keys() else "something else"
    raise AppError(
        Code.DOMAIN_TAKEN,
        f"The domain {name} exists in this account and region, and belongs to {owner}.",
        hint="Ask for another name, or have it given up there first: drop that app without it, or delete the custom "
        "domain name in API Gateway. Nothing was changed.",
    )
