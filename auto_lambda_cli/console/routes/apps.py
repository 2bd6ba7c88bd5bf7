"""The apps, and what is known of one of them. Only reads."""

from __future__ import annotations

import difflib
from typing import Any

from auto_lambda.aws.urls import callable_url
from auto_lambda.keys import App
from auto_lambda_cli.console.answers import in_parts
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.problems import Problem
from auto_lambda_cli.console.requests import PageRequest
from auto_lambda_cli.console.views import help_path, receipt_json, row_json, state_json, unknown_json
from auto_lambda_cli.queries import apps as queries
from auto_lambda_cli.queries.configuration import listed
from auto_lambda_cli.queries.parts import Unknown, ask
from auto_lambda_cli.queries.releases import releases as list_releases
from auto_lambda_cli.queries.state import AppState, LiveState, live_state, state

_LOOKED_UP = 50  # apps whose newest zip is not what is live, so that only the ledger knows since when


def apps(context: ConsoleContext, _: PageRequest) -> Any:
    """List the apps by stage."""
    return in_parts({"apps": context.part(lambda: _apps(context))})


def _apps(context: ConsoleContext) -> dict[str, Any]:
    found, left = queries.apps(context.services, known=context.receipts), _LOOKED_UP
    stages = []
    for stage, listed_apps in found.by_stage.items():
        rows = []
        for one in listed_apps:
            live = live_state(one.receipt)
            if one.app and live and live.since is None and left:
                left -= 1
                live = _from_ledger(context, one) or live
            rows.append({**row_json(one, live), "url": _callable(context, one.url)})
        stages.append({"stage": stage, "apps": rows})
    return {"stages": stages, "unseen": found.unseen}


def _from_ledger(context: ConsoleContext, one: queries.ListedApp) -> LiveState | None:
    history, app = context.services.history, one.app
    if isinstance(history, Unknown) or app is None:
        return None
    told = ask("history", lambda: (history.live(app), history.attempts(app, 20)))
    return None if isinstance(told, Unknown) else live_state(one.receipt, *told)


def app(context: ConsoleContext, asked: PageRequest) -> Any:
    """Tell the state of one app, and its newest receipt."""
    return app_parts(context, asked.app)


def app_parts(context: ConsoleContext, about: App) -> dict[str, Any]:
    """Ask for the state of one app, and its newest receipt."""
    seen: list[AppState] = []

    def asked_once() -> AppState:
        seen.extend(() if seen else (state(context.services, about),))
        return seen[0]

    def told() -> dict[str, Any]:
        found = asked_once()
        if not found.exists:
            raise Problem("no-such-app", f"there is no app {about}", _nearest(context, about))
        return state_json(found, context.now(), _callable(context, found.live.url if found.live else None))

    def receipt() -> dict[str, Any] | None:
        found = asked_once().receipt
        return receipt_json(found, _callable(context, found.url)) if found else None

    return in_parts({"state": context.part(told), "receipt": context.part(receipt)})


def _nearest(context: ConsoleContext, about: App) -> str | None:
    found = ask("apps", lambda: queries.names(context.services, about.stage))
    near = [] if isinstance(found, Unknown) else difflib.get_close_matches(about.name, found, 1, 0.5)
    return f"Is it {near[0]}?" if near else None


def _callable(context: ConsoleContext, url: str | None) -> str | None:
    return callable_url(url, context.target.endpoint) if url else None


def releases(context: ConsoleContext, asked: PageRequest) -> Any:
    """List an app's releases."""
    about = asked.app

    def told() -> dict[str, Any]:
        found = list_releases(context.services, about)
        rows = [{**one.as_json(), "help": help_path(one.code) if one.code else None} for one in found.listed]
        return {"listed": rows, "unknown": unknown_json(found.unknown)}

    return in_parts({"releases": context.part(told)})


def configuration(context: ConsoleContext, asked: PageRequest) -> Any:
    """List an app's configuration; secrets stay encrypted, where they are."""
    about = asked.app

    def told() -> list[dict[str, Any]]:
        found = listed(context.services, about)
        return [{"name": one.name, "value": one.value, "secret": one.secret, "modified": one.modified} for one in found]

    return in_parts({"configuration": context.part(told)})
