"""``auto-lambda url`` and ``auto-lambda open``."""

from __future__ import annotations

import json
import webbrowser

from auto_lambda_cli.commands.apps.common import ChosenApp, Name, Stage, asked
from auto_lambda_cli.exits import Exit, leave, plain_errors, say, tell
from auto_lambda_cli.options import AsJson, Bucket, Local
from auto_lambda_cli.outcome import words
from auto_lambda_cli.queries.state import state


def url(name: Name, stage: Stage = "dev", as_json: AsJson = False, local: Local = False, bucket: Bucket = None) -> None:
    """Print the URL of an app: that of what is live, whatever became of its newest zip.

    Exit codes: 0 printed, 1 nothing is live or it has no URL.

    Example: `curl "$(auto-lambda url shop --stage prod)"`
    """
    about = asked(name, stage, local=local, bucket=bucket)
    with plain_errors():
        found = _url(about)
    say(json.dumps({"url": found}) if as_json else found)


def open_(name: Name, stage: Stage = "dev", local: Local = False, bucket: Bucket = None) -> None:
    """Open an app in the browser, and print its URL.

    Exit codes: 0 printed, 1 nothing is live or it has no URL.
    """
    about = asked(name, stage, local=local, bucket=bucket)
    with plain_errors():
        found = _url(about)
    say(found)
    if not found.startswith(("https://", "http://")):
        raise leave(Exit.FAILED, "that is no web address, so it is not opened")
    if not webbrowser.open(found):
        tell("no browser could be opened")


def _url(about: ChosenApp) -> str:
    seen = state(about.services, about.app)
    if not seen.exists:
        raise about.missing()
    if seen.live is None:
        raise leave(Exit.FAILED, f"{about.app} is not live: auto-lambda status {words(about.app)}")
    if seen.live.url is None:
        raise leave(Exit.FAILED, f"{about.app} has no URL; to call it: auto-lambda invoke {words(about.app)}")
    return seen.live.url
