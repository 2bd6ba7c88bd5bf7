"""As much of chalice as an app needs to be imported and called; chalice itself lives in another environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any


@dataclass
class Response:
    """What a route answers."""

    body: Any
    status_code: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Chalice:
    """Leaves functions as they are, and remembers each route by method and path."""

    app_name: str
    routes: dict[str, Any] = field(default_factory=dict)
    current_request: Any = None
    lambda_context: Any = None

    def route(self, path: str, methods: tuple[str, ...] = ("GET",), authorizer: object = None) -> Callable[[Any], Any]:
        def keep(function: Any) -> Any:
            self.routes.update(
                {f"{method} {path}": SimpleNamespace(call=function, authorizer=authorizer) for method in methods}
            )
            return function

        return keep

    def _leave(self, *_: object, **__: object) -> Callable[[Any], Any]:
        return lambda function: function

    schedule = on_cw_event = on_sns_message = _leave


def module() -> ModuleType:
    made = ModuleType("chalice")
    vars(made).update(
        Chalice=Chalice, Response=Response, IAMAuthorizer=lambda: "iam",
        Rate=lambda value, unit: None, MINUTES="minutes",
    )  # fmt: skip
    vars(made)["Rate"].MINUTES = "minutes"
    return made
