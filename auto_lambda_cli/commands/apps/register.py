"""Adds the commands about one app to the command line."""

from __future__ import annotations

import typer

from auto_lambda_cli.commands.apps.address import open_, url
from auto_lambda_cli.commands.apps.configuration import config
from auto_lambda_cli.commands.apps.invoke import invoke
from auto_lambda_cli.commands.apps.promote import promote
from auto_lambda_cli.commands.apps.releases import releases
from auto_lambda_cli.commands.apps.run import run
from auto_lambda_cli.commands.apps.watch import watch


def add_to(app: typer.Typer) -> None:
    """Add them."""
    app.command()(releases)
    app.command()(watch)
    app.command()(promote)
    app.command()(config)
    app.command()(invoke)
    app.command()(run)
    app.command()(url)
    app.command("open")(open_)
