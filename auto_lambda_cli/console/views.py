"""The forms in which the page gets apps, receipts and drops. Pure: nothing here asks AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from auto_lambda.drops import Drop
from auto_lambda.errors import Code
from auto_lambda.keys import App
from auto_lambda.receipts import Receipt, ReceiptError
from auto_lambda.redact import printable
from auto_lambda_cli.queries.apps import ListedApp
from auto_lambda_cli.queries.parts import Unknown
from auto_lambda_cli.queries.state import AppState, Failure, LiveState, UnderWay
from auto_lambda_cli.selection import Selection

STEPS = ("fetch", "unpack", "inspect", "build", "compile", "prove", "deploy", "verify")
_CODES = frozenset(map(str, Code))


def app_json(app: App) -> dict[str, str]:
    """Name an app."""
    return {"stage": app.stage, "name": app.name}


def help_path(code: str) -> str | None:
    """Return where the API explains an error code; None if nothing explains it."""
    return f"api/help/errors/{code}" if code in _CODES else None


def error_json(error: ReceiptError | None) -> dict[str, Any] | None:
    """Tell a receipt's error."""
    if error is None:
        return None
    text = {"message": printable(error.message), "hint": printable(error.hint)}
    return {"code": error.code, **text, "help": help_path(error.code)}


def row_json(one: ListedApp, live: LiveState | None) -> dict[str, Any]:
    """Tell one app of the list. ``live``: what is known of what serves."""
    receipt = one.receipt
    return {
        "key": one.key,
        "app": app_json(one.app) if one.app else None,
        "name": one.name,
        "status": one.status,
        "step": receipt.step if receipt and not receipt.final else None,
        "url": one.url,
        "live": live is not None,
        "since": live.since if live else None,
        "by": live.by if live else None,
        "release": live.release if live else None,
        "version": live.version if live else None,
        "framework": live.framework if live else None,
        "python": live.python if live else None,
        "updated": receipt.updated if receipt else None,
        "present": one.present,
        "error": error_json(receipt.error) if receipt else None,
    }


def state_json(seen: AppState, now: datetime, url: str | None) -> dict[str, Any]:
    """Tell the state of one app. ``url``: where what is live can be called."""
    return {
        "app": app_json(seen.app),
        "key": seen.key,
        "exists": seen.exists,
        "live": {**asdict(seen.live), "url": url} if seen.live else None,
        "under_way": _under_way(seen.under_way, now) if seen.under_way else None,
        "failures": [_failure(one) for one in seen.failures],
        "unknown": unknown_json(seen.unknown),
    }


def unknown_json(unknown: Sequence[Unknown]) -> list[dict[str, str]]:
    """Tell what could not be told."""
    return [asdict(one) for one in unknown]


def _under_way(one: UnderWay, now: datetime) -> dict[str, Any]:
    seconds = max(0.0, (now - one.since).total_seconds()) if one.since else None
    return {**asdict(one), "seconds": seconds}


def _failure(one: Failure) -> dict[str, Any]:
    return {**asdict(one), "help": help_path(one.code)}


def receipt_json(receipt: Receipt, url: str | None) -> dict[str, Any]:
    """Tell a receipt. ``url``: where the app can be called."""
    return {
        "status": receipt.status,
        "step": receipt.step,
        "release": receipt.object_version,
        "updated": receipt.updated,
        "framework": receipt.framework,
        "python": receipt.python,
        "architecture": receipt.architecture,
        "sandbox": receipt.sandbox,
        "worker": receipt.worker or None,
        "by": str(receipt.by) if receipt.by else None,
        "commit": receipt.commit.hash if receipt.commit else None,
        "repository": receipt.commit.repository if receipt.commit else None,
        "rollback": receipt.rollback,
        "url": url,
        "function": receipt.function,
        "version": receipt.version,
        "size": receipt.size,
        "warnings": [printable(line) for line in receipt.warnings],
        "function_log": [printable(line) for line in receipt.function_log],
        "error": error_json(receipt.error),
        "permissions": asdict(receipt.permissions) if receipt.permissions else None,
        "costs": str(receipt.costs) if receipt.costs else None,
        "settings": asdict(receipt.settings) if receipt.settings else None,
        "retry_at": receipt.retry_at,
        "steps": steps_json(receipt),
        "raw": receipt.stored or {},
    }


def steps_json(receipt: Receipt) -> list[dict[str, Any]]:
    """Tell each step: what it took, or that it runs, since when."""
    current = STEPS.index(receipt.step) if receipt.step in STEPS else None
    return [_step(number, step, current, receipt) for number, step in enumerate(STEPS)]


def _step(number: int, step: str, current: int | None, receipt: Receipt) -> dict[str, Any]:
    seconds = receipt.timings.get(step)
    if number == current and receipt.status in {"building", "deploying"}:
        return {"step": step, "status": "running", "seconds": seconds, "since": receipt.step_began or receipt.updated}
    if number == current and receipt.status == "failed":
        status = "failed"
    elif seconds is not None or (receipt.status == "live" and number == current):
        status = "done"
    else:
        status = "skipped" if receipt.final else "waiting"
    return {"step": step, "status": status, "seconds": seconds, "since": None}


def drop_json(dropped: Drop, selection: Selection | None = None) -> dict[str, Any]:
    """Tell what was dropped, and what of a folder was left out."""
    packing: Mapping[str, Any] | None = None
    if selection:
        left_out = {str(reason): list(names) for reason, names in selection.left_out.items()}
        packing = {"left_out": left_out, "kept": list(selection.kept)}
    return {
        "app": app_json(dropped.app),
        "key": dropped.key,
        "release": dropped.version,
        "size": dropped.size,
        "packing": packing,
    }
