"""The flex controller's own decision, for the simulator: it is part of an app, which is dropped and not installed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from auto_lambda_cli.sources import apps_folder

if TYPE_CHECKING:
    from checker.simulator.flex.model import Controller, Transition, View

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def controller() -> Controller:
    """Return the decision of `apps/flex_controller` as the simulator calls it, once a minute.

    Raises:
        ImportError: this installation has no such app.
    """
    from checker.simulator.flex.model import Transition

    step = _module("step")
    model = _module("model")

    def decide(view: View) -> Transition | None:
        action = step.step(_observed(step, model, view), _at(view.now))
        return Transition(action.phase, action.weight) if isinstance(action, step.Move) else None

    return decide


def _module(name: str) -> Any:
    folder = str(apps_folder())
    if folder not in sys.path:
        sys.path.append(folder)
    return import_module(f"flex_controller.chalicelib.{name}")


def _observed(step: Any, model: Any, view: View) -> Any:
    limits = view.thresholds
    settings = model.Settings(
        ttl=timedelta(seconds=limits.ttl_seconds),
        cool_down=timedelta(minutes=limits.cool_down),
        per_hour=limits.per_hour,
        min_tasks=limits.min_tasks,
        max_tasks=limits.max_tasks,
    )
    settled = _at(max(view.settled, -(10**5)))
    flex = model.Flex(
        arn="", name="al-Flex-app-dev", status="UPDATE_COMPLETE", phase=view.phase, weight=view.weight,
        mode=model.AUTO, updated=settled, settings=settings,
    )  # fmt: skip
    attempts = tuple(model.Attempt(_at(began), view.phase, view.weight, _at(began)) for began in view.moves)
    return step.Observed(
        flex=flex,
        history=model.History(settled, attempts),
        tasks=model.Tasks(view.healthy, view.healthy, view.healthy),
        high=model.ALARM if view.high else model.OK,
        low=model.ALARM if view.low else model.OK,
        answers=True,
    )


def _at(minute: int) -> datetime:
    return _EPOCH + timedelta(minutes=minute)
