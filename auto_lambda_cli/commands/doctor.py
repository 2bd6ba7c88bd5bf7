"""``auto-lambda doctor``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from auto_lambda import settings
from auto_lambda_cli.exits import Exit, leave, say, tell
from auto_lambda_cli.running_stacks import running
from auto_lambda_cli.target import BUCKET, choose

if TYPE_CHECKING:
    from worker.operations.doctor.finding import Finding

_NAMES = ("AUTO_LAMBDA_QUEUE_URL", "AUTO_LAMBDA_ARTIFACTS_BUCKET", "AUTO_LAMBDA_TABLE", "AUTO_LAMBDA_BOUNDARY_ARN")
"""Settings of a worker only: an uploader's environment has only the bucket."""
_SIGNS = {"fine": ("ok", "green"), "warning": ("!", "yellow"), "broken": ("X", "red"), "unknown": ("?", "yellow")}


def doctor(*, as_json: bool, local: bool, only_machine: bool) -> int:
    """Print each finding as it comes, and return whether anything is broken as exit code."""
    findings = []
    for finding in _findings(local=local, only_machine=only_machine):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        say(json.dumps([asdict(finding) for finding in findings], indent=2))
    broken = sum(finding.verdict == "broken" for finding in findings)
    tell(f"{len(findings)} checks, {broken} broken")
    return Exit.FAILED if broken else Exit.OK


def _findings(*, local: bool, only_machine: bool) -> Iterator[Finding]:
    from auto_lambda.aws.session import client, make_session
    from auto_lambda.daemon.start import SettingsUnreadable, load_settings
    from worker.operations.doctor import examine
    from worker.operations.doctor.finding import Finding

    if local and only_machine:
        raise leave(Exit.USAGE, "--local checks a stack, --machine does not: use only one of them")
    if only_machine:
        yield from examine.machine(None)
        return
    named = any(name in os.environ for name in _NAMES)
    if local or (not named and BUCKET not in os.environ and running()):
        tell(f"pipeline: {choose(local=True, bucket=None)}")
    elif not named:
        tell("checking only this machine: to check a pipeline, set the settings of a worker, AUTO_LAMBDA_*")
        yield from examine.machine(None)
        return
    try:
        chosen = load_settings(settings.WorkerSettings)
    except settings.SettingsError as error:
        for problem in error.problems:
            yield Finding("settings", "broken", problem)
        yield from examine.machine(None)
        return
    except SettingsUnreadable as error:
        yield Finding("settings", "unknown", str(error), "See to the machine's role and its way to AWS.")
        yield from examine.machine(None)
        return
    yield Finding("settings", "fine", f"valid for a worker, for {chosen.uploads_bucket}")
    yield from examine.machine(chosen)
    yield from examine.pipeline(
        chosen, lambda service: client(make_session(chosen.region), service, read_timeout=10, attempts=2)
    )


def _print(finding: Finding) -> None:
    sign, colour = _SIGNS[finding.verdict]
    typer.secho(f"{sign:<3}", fg=colour, nl=False)
    say(f"{finding.what}: {finding.found}")
    if finding.advice:
        say(f"   {finding.advice}")
