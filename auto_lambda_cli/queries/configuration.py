"""An app's configuration: list and change it, and have what is live start again with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auto_lambda import drops
from auto_lambda.aws.parameters import ConfigurationStore, Parameter
from auto_lambda.keys import App
from auto_lambda.namespace import configuration_path
from auto_lambda_cli.queries.services import Services
from auto_lambda_cli.queries.state import state

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_RESERVED = re.compile(r"(?:AWS|LAMBDA|AUTO_LAMBDA|LD)_.*|_.*|PATH|PYTHONPATH|PYTHONHOME|TZ")
_MOST_BYTES = 4096  # of a standard parameter


class BadConfiguration(Exception):
    """It cannot be set; the message says why. Nothing was changed."""


class DeploymentUnderWay(Exception):
    """The app is being deployed: what would be changed now may count for that, or not. Nothing was done."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What was changed. ``drop``: has what is live start again with it; None if nothing is live."""

    app: App
    drop: drops.Drop | None


def listed(services: Services, app: App) -> list[Parameter]:
    """List an app's configuration, by name; the values of secrets stay encrypted."""
    return _parameters(services).listed(configuration_path(app))


def change(
    services: Services, app: App, values: Mapping[str, str], unset: Sequence[str] = (), *, secret: bool = False
) -> Changed:
    """Set and unset parts of an app's configuration, and drop what is live again, which then starts with it.

    Args:
        services: of the pipeline.
        app: whose.
        values: to set, by name. What is a secret stays one.
        unset: names.
        secret: whether to encrypt the values.

    Raises:
        BadConfiguration: as it says.
        DeploymentUnderWay: as it says.
        auto_lambda.aws.s3.ObjectMissing: the zip of what is live is not in the bucket any more; the values are changed.
    """
    check(values)
    seen = state(services, app)
    if seen.under_way:
        raise DeploymentUnderWay(f"{app} is being deployed ({seen.under_way.status}): try again when that has ended")
    parameters, path = _parameters(services), configuration_path(app)
    known = {one.name: one for one in parameters.listed(path)}
    if missing := [name for name in unset if name not in known]:
        raise BadConfiguration(f"{app} has no {', '.join(missing)} in its configuration")
    for name, value in values.items():
        there = known.get(name)
        encrypted = secret or (there is not None and there.secret)
        if there and there.secret != encrypted:  # Parameter Store changes no parameter's kind
            parameters.delete(path, [name])
        parameters.put(path, name, value, secret=encrypted)
    parameters.delete(path, unset)
    live = seen.live.release if seen.live else None
    return Changed(app, drops.again(services.store, services.bucket, app, live) if live else None)


def check(values: Mapping[str, str]) -> None:
    """Check names and values.

    Raises:
        BadConfiguration: one cannot be set.
    """
    for name, value in values.items():
        if not _NAME.fullmatch(name):
            raise BadConfiguration(f"{name!r} is no name for a variable: use letters, digits and _, no digit first")
        if _RESERVED.fullmatch(name.upper()):
            raise BadConfiguration(f"{name} is a variable of Lambda's or Python's own: take another name")
        if not value:
            raise BadConfiguration(f"{name} is empty, which Parameter Store does not take; to remove it, unset it")
        if len(value.encode()) > _MOST_BYTES:
            raise BadConfiguration(
                f"{name} has {len(value.encode()):,} bytes; Parameter Store takes {_MOST_BYTES:,}. Put it into a bucket"
            )


def _parameters(services: Services) -> ConfigurationStore:
    return ConfigurationStore(services.client("ssm"))
