"""The ``auto-lambda`` command line. Commands import what they need when they run, so that `--help` is quick."""

from __future__ import annotations


def main() -> None:
    """The console script."""
    from auto_lambda_cli.app import app

    app(prog_name="auto-lambda")
