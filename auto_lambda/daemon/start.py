"""How a daemon gets its settings: those of the fleet first, then its environment."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from auto_lambda import fleet_settings, logs, settings
from auto_lambda.aws.parameters import Parameters
from auto_lambda.daemon.service import runtime_folder
from auto_lambda.settings import Settings, SettingsError
from auto_lambda.tools import cache_folder

S = TypeVar("S", bound=Settings)


class SettingsUnreadable(Exception):
    """AWS does not answer when it is asked for the fleet's settings."""


_ENDPOINTS = ("secretsmanager", "ssm")


def load_settings(kind: type[S], environ: MutableMapping[str, str] = os.environ) -> S:
    """Read and check the settings of a daemon, and put those of its fleet into its environment.

    Raises:
        SettingsError: with every problem, not only the first.
        SettingsUnreadable: AWS does not answer.
    """
    return _load(kind, environ, _folder)


def _load(kind: type[S], environ: MutableMapping[str, str], folder: Callable[[Mapping[str, str]], Path]) -> S:
    # Without a region there is no one to ask, and the check of the environment says that it is missing.
    asked = any(environ.get(name) for name in settings.REGION_NAMES) and environ.get(fleet_settings.PATH_VARIABLE)
    try:
        found = fleet_settings.adopt(kind, environ, _source(environ), folder(environ)) if asked else frozenset()
    except (BotoCoreError, ClientError) as error:
        raise SettingsUnreadable(f"the fleet's settings cannot be read: {error}") from error
    try:
        return settings.load(kind, {name: environ[name] for name in found})
    except SettingsError as error:
        where = f"{environ.get(fleet_settings.PATH_VARIABLE)}/"
        problems = (where + it if it.split(" ", 1)[0] in found else it for it in error.problems)
        raise SettingsError(tuple(problems)) from None


def may_start(kind: type[Settings], name: str) -> bool:
    """Tell whether a daemon could start with the settings of its fleet as they are now; log why it could not."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            _load(kind, dict(os.environ), lambda _: Path(folder))
    except SettingsError as error:
        logs.get(name).error("not reloaded: it could not start", problems=list(error.problems))
        return False
    except SettingsUnreadable as error:
        logs.get(name).error("not reloaded", error=str(error))
        return False
    logs.get(name).info("reloading")
    return True


def _source(environ: Mapping[str, str]) -> Parameters:
    from auto_lambda.aws.lean import make_lean_session
    from auto_lambda.aws.session import client

    region = next(environ[name] for name in settings.REGION_NAMES if environ.get(name))
    session = make_lean_session(region, _ENDPOINTS)
    return Parameters(
        client(session, "ssm", read_timeout=10, connections=1),
        client(session, "secretsmanager", read_timeout=10, connections=1),
    )


def _folder(environ: Mapping[str, str]) -> Path:
    """Return a folder that builders can read: systemd's, or one in the cache."""
    if runtime := runtime_folder(environ):
        return runtime
    folder = cache_folder(environ) / "settings"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
