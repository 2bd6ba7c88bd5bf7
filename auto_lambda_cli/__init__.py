"""The ``auto-lambda`` command line. Commands import what they need when they run, so that `--help` is quick."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line."""
    # A shell without job control starts background processes with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from auto_lambda_cli.app import app

    app(prog_name="auto-lambda")
