"""An app's functions, and invoking one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auto_lambda import drops
from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.aws.lambda_ import Answer, Functions
from auto_lambda.keys import App
from auto_lambda_cli.queries.parts import Unknown, ask
from auto_lambda_cli.queries.runtime_log import plain
from auto_lambda_cli.queries.services import Services

_LONGEST = 900.0  # seconds, Lambda's limit
_ALIAS = "AutoLambdaAlias"  # begins the outputs of a stack that hold the ARN of an alias


class NoSuchFunction(Exception):
    """The app has no function of that name, or none at all; the message lists those that it has."""


@dataclass(frozen=True, slots=True)
class FunctionAlias:
    """A function by its name in the app, with the ARN of its alias ``live``. ``main``: what the app's URL calls."""

    name: str
    arn: str
    main: bool


def functions(services: Services, app: App) -> list[FunctionAlias] | Unknown:
    """List the functions of what is live, the main one first; none if nothing is."""
    described = ask("functions", lambda: Stacks(services.client("cloudformation")).describe(app.stack))
    if isinstance(described, Unknown):
        return described
    return _of_outputs(described.outputs) if described else []


def _of_outputs(outputs: Mapping[str, str]) -> list[FunctionAlias]:
    main = outputs.get("AutoLambdaFunction")
    found = [
        FunctionAlias(name.removeprefix(_ALIAS), arn, arn.split(":")[6] == main)
        for name, arn in outputs.items()
        if name.startswith(_ALIAS)
    ]
    return sorted(found, key=lambda it: (not it.main, it.name))


def function_alias(services: Services, app: App, name: str | None) -> FunctionAlias:
    """Return one of an app's functions, by default its main one.

    Without permission to describe the app's stack, the receipt tells the main one.

    Raises:
        NoSuchFunction: as it says.
    """
    found = functions(services, app)
    if isinstance(found, Unknown):
        return _of_receipt(services, app, name, found)
    if not found:
        raise NoSuchFunction(f"{app} is not live: it has no function")
    if name is None:
        return found[0]
    for one in found:
        if plain(name) in (plain(one.name), plain(one.arn.split(":")[6])):
            return one
    raise NoSuchFunction(f"{app} has no function {name}; it has {', '.join(one.name for one in found)}")


def _of_receipt(services: Services, app: App, name: str | None, why: Unknown) -> FunctionAlias:
    if name is not None:
        raise NoSuchFunction(f"the functions of {app} cannot be listed: {why.reason}")
    _, receipt = drops.latest(services.store, services.bucket, app)
    serving = receipt.live if receipt else None
    if serving is None or serving.function is None:
        raise NoSuchFunction(f"{app} is not live: it has no function")
    return FunctionAlias(serving.function, f"{serving.function}:live", main=True)


def invoke(services: Services, function: FunctionAlias, event: Any) -> Answer:
    """Invoke the live version of a function, and wait for its result."""
    # Invoked once: a second attempt after a lost connection would do it again.
    client = services.client("lambda", read_timeout=_LONGEST, attempts=1)
    return Functions(client).invoke(function.arn, event)
