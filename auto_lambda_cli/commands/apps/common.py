"""What commands about one app have in common: options, the choice of the pipeline, and 'there is no such app'."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from botocore.exceptions import ClientError

from auto_lambda.aws.s3 import denied
from auto_lambda.keys import App
from auto_lambda_cli.commands.apps.completion import app_names, stages
from auto_lambda_cli.exits import Exit, leave, tell
from auto_lambda_cli.queries.apps import names
from auto_lambda_cli.queries.services import Services
from auto_lambda_cli.queries.state import state
from auto_lambda_cli.target import Target, app_named, choose

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The app's name.", show_default=False, autocompletion=app_names)
]
Stage = Annotated[
    str,
    typer.Option("--stage", "-s", help="The stage it is deployed to.", metavar="STAGE", autocompletion=stages),
]


@dataclass(frozen=True, slots=True)
class ChosenApp:
    """The app that a command is about, and the pipeline that has it."""

    app: App
    target: Target
    services: Services

    def require(self) -> None:
        """End the command as `missing` does if there is no such app; called where nothing was found."""
        if not state(self.services, self.app).exists:
            raise self.missing()

    def suggest(self) -> None:
        """Tell the nearest name, if there is one and no such app; called where that is no reason to end."""
        if not state(self.services, self.app).exists and (near := self._nearest()):
            tell(f"there is no app {self.app}{near}")

    def missing(self) -> typer.Exit:
        """Print that there is no such app, with the nearest name, and return the exception to raise."""
        return leave(Exit.FAILED, f"there is no app {self.app} in {self.target}{self._nearest()}")

    def _nearest(self) -> str:
        try:
            known = names(self.services, self.app.stage)
        except ClientError as error:
            if not denied(error):
                raise
            return ""
        if near := difflib.get_close_matches(self.app.name, known, 1, 0.5):
            return f"; is it {near[0]}?"
        elsewhere = self.app.name in names(self.services)
        return "; it is in another stage: use --stage" if elsewhere else ""


def asked(name: str, stage: str, *, local: bool, bucket: str | None) -> ChosenApp:
    """Choose the pipeline, and return the app in it."""
    app = app_named(name, stage)
    target = choose(local=local, bucket=bucket)
    return ChosenApp(app, target, Services.of(target.bucket, os.environ))


def moment(when: datetime | None) -> str:
    """Say when something was, to the second, in UTC."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if when else "unknown"
