"""The proof: the package as it will be deployed is audited, then started as Lambda would start it."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from auto_lambda.errors import AppError, Code
from auto_lambda.model import BuildLog, Proof
from auto_lambda.runtimes import RUNTIMES
from auto_lambda.tools import Tools
from builder.diagnosis.missing_libraries import missing_by_name
from builder.diagnosis.syntax import clean
from builder.model import Built, Draft, Source
from builder.proof.audit import OPT, TASK, audit
from builder.proof.health import hangs, judge
from builder.proof.lambda_libraries import libraries
from builder.proof.standby import Standby
from builder.proof.starts import LONGEST_EVENT, Start, foreseen_start, starts
from builder.proof.system_libraries import visible
from builder.proof.verdict import Result, failure
from builder.sandbox.limit_errors import stopped_error, tampered
from builder.sandbox.result_file import ResultFile
from builder.sandbox.sandbox import MEGABYTE, Command, Limits, Outcome, Sandbox, read_json

INIT_SECONDS = 10.0
"""What Lambda gives a function to start (Lambda Developer Guide, 'Lambda execution environment', init phase)."""

_LONGEST_STANDBY = 3600.0  # longer than any build; from when they are told, starts have the time that they need
_INSIDE = Path(__file__).with_name("inside")
_RUNTIME = "/var/runtime"
_MACHINES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


HintOfGroups = Callable[[Iterable[str], Source], str | None]
"""Says which group or extra of an app would bring missing modules."""


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)
    starts: list[Result]


class Prover:
    """Proves packages.

    Args:
        sandbox: runs the starts.
        tools: hands out the environment like Lambda's, with its runtime client.
        region: that functions find in their environment.
        init_seconds: that a function has to start.
        hint: says what would bring missing modules, None if it does not know.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        tools: Tools,
        region: str = "us-east-1",
        init_seconds: float = INIT_SECONDS,
        hint: HintOfGroups = lambda _modules, _source: None,
    ) -> None:
        self._hint = hint
        self._sandbox = sandbox
        self._tools = tools
        self._region = region
        self._init_seconds = init_seconds

    def standby(self, built: Built, work: Path) -> Standby:
        """Return what enters the sandbox before the app is compiled; `prove` takes it and the same folder."""
        return Standby(
            self._sandbox,
            partial(self._prepare, built),
            partial(foreseen_start, environment=built.source.options.environment, region=self._region),
            work,
            dataclasses.replace(self._limits(()), wall=_LONGEST_STANDBY),
            possible=_is_of_this_machine(built),
        )

    def prove(
        self, draft: Draft, built: Built, code_zip: Path, work: Path, log: BuildLog, standby: Standby | None = None
    ) -> Proof:
        """Show that every function starts, before anything in AWS changes.

        Args:
            draft: its functions and their code, and what makes the main function load the app.
            built: its dependency layer, Python, architecture and options.
            code_zip: the code as it will be deployed.
            work: a writable folder, empty but for what ``standby`` has there.
            log: takes what the app prints, and what was measured.
            standby: has entered the sandbox already, perhaps.

        Raises:
            AppError: it cannot run on Lambda.
        """
        warnings = audit(built, draft.code)
        unzipped = sum(_sizes(draft.code)) + (built.layer.tree_bytes if built.layer else 0)
        zipped = code_zip.stat().st_size + (built.layer.zip_bytes if built.layer else 0)
        if _is_of_this_machine(built):
            init, more = self._start(draft, built, work, log, standby)
        else:
            init, more = None, (f"built for {built.source.architecture}: not started on this {platform.machine()}",)
        return Proof(init, unzipped, zipped, (*warnings, *more))

    def _start(
        self, draft: Draft, built: Built, work: Path, log: BuildLog, standby: Standby | None
    ) -> tuple[int | None, tuple[str, ...]]:
        wanted = starts(draft, built.source.options.environment, self._region)
        outcome, result = self._outcome(wanted, draft.code, built, work, log, standby)
        results = _read(result, outcome, len(wanted))
        for one, told in zip(wanted, results, strict=True):
            if told.ended == "started":
                log(f"{one.function} starts: {told.init_ms} ms, {told.peak_mb} of {one.memory} MB")
                continue
            if hangs(draft, one, told, _shown(draft, built)):
                continue
            if name := _lacking_here(told):
                return None, (f"{name} is on Lambda, but not on this machine: only the deployment will show a start",)
            error = failure(
                one, told, outcome.output, _shown(draft, built), built.source.python, self._init_seconds, draft.code
            )
            if not draft.remote_environment:
                error = _with_groups(error, told, built.source, self._hint)
                raise _without_slim(error, told) if built.source.options.package.slim else error
            return None, (f"its variables come from elsewhere, so only the deployment will show it: {error.message}",)
        return results[0].init_ms, self._asked(draft, built, wanted[0], results[0])

    def _asked(self, draft: Draft, built: Built, main: Start, told: Result) -> tuple[str, ...]:
        """Return a warning, or raise the error, of an app that starts and then answers 5xx, or not at all."""
        source = built.source
        verdict = judge(draft, main, told, _shown(draft, built), source.python, source.options.asked_path)
        if isinstance(verdict, AppError):
            raise verdict
        return (verdict,) if verdict else ()

    def _outcome(
        self, wanted: tuple[Start, ...], code: Path, built: Built, work: Path, log: BuildLog, standby: Standby | None
    ) -> tuple[Outcome, ResultFile]:
        limits = self._limits(wanted)
        if standby and (found := standby.outcome(code, wanted, limits, log)):
            return found
        more = {"starts": [dataclasses.asdict(one) for one in wanted]}
        command, result = self._prepare(built, code, more, work)
        return self._sandbox.run(dataclasses.replace(command, limits=limits), log), result

    def _prepare(self, built: Built, code: Path, more: Mapping[str, Any], work: Path) -> tuple[Command, ResultFile]:
        """Return the server's command, with a request that has its starts, or says where they will be told."""
        python = self._tools.python("runtime", built.source.python)
        site = python.parent.parent / "lib" / f"python{built.source.python}" / "site-packages"
        tree = built.layer.tree if built.layer else None
        names = libraries(RUNTIMES[built.source.python])
        result, request = ResultFile(work / "result.json"), work / "request.json"
        request.write_text(
            json.dumps(
                {
                    "task": [TASK, str(code)],
                    "layer": [OPT, str(tree)] if tree else None,
                    "runtime": [_RUNTIME, str(site)],
                    "libraries": sorted(names),
                    "init_seconds": self._init_seconds,
                    **more,
                }
            )
        )
        command = Command(
            argv=(str(python), "-I", "-B", "-u", str(_INSIDE / "server.py"), str(request), str(result.path)),
            cwd=Path("/"),
            readable=(python.parent.parent, _INSIDE),
            writable=(work,),
            mounts=((code, TASK), (site, _RUNTIME), *(((tree, OPT),) if tree else ())),
            libraries=visible(names, python, built.source.python),
        )
        return command, result

    def _limits(self, wanted: tuple[Start, ...]) -> Limits:
        """Generous: the server inside stops what is too slow or too large; this is for what stops the server.

        Those of no starts are enough for one of an ordinary function, or two.
        """
        each = self._init_seconds + 2 * max((one.seconds for one in wanted), default=LONGEST_EVENT)
        wall = 30 + 3 * each * max(1, math.ceil(len(wanted) / 2))
        memory = max([4096, *(one.memory + 2048 for one in wanted)])
        return Limits(wall=wall, cpu=wall, memory=memory * MEGABYTE)


def _is_of_this_machine(built: Built) -> bool:
    return _MACHINES.get(platform.machine()) == built.source.architecture


def _lacking_here(told: Result) -> str | None:
    """Return the library of Lambda's own that a start failed without."""
    problem = told.problem
    return missing_by_name(problem.messages, problem.types, problem.lacking) if problem else None


def _with_groups(error: AppError, told: Result, source: Source, hint_of_groups: HintOfGroups) -> AppError:
    """Name the group or extra of the app's own that would bring a missing module."""
    problem = told.problem
    if error.code != Code.APP_DOES_NOT_IMPORT or problem is None or problem.missing is None:
        return error
    hint = hint_of_groups([problem.missing, *problem.absent], source)
    return type(error)(error.code, error.message, hint=hint) if hint else error


def _without_slim(error: AppError, told: Result) -> AppError:
    missing = told.problem.missing if told.problem else None
    if missing is None or "tests" not in missing.split("."):
        return error
    hint = "slim leaves out folders that are called tests, and this one is needed: remove slim from auto-lambda.toml."
    return AppError(error.code, error.message, hint=hint)


def _shown(draft: Draft, built: Built) -> Mapping[Path, str]:
    real = {built.layer.tree / "python": f"{OPT}/python/"} if built.layer else {}
    return {Path(TASK): "", draft.code: "", Path(OPT, "python"): f"{OPT}/python/", **real}


def _read(result: ResultFile, outcome: Outcome, expected: int) -> list[Result]:
    if outcome.stopped:
        raise stopped_error(
            outcome,
            "starting the app",
            hint="Lambda allows 10 seconds for it: do slow work and network calls inside functions, print little.",
        )
    if not result.begun:
        raise RuntimeError(f"the proof did not run ({outcome.returncode}):\n{clean(outcome.output)[-2000:]}")
    try:
        found = _Answer.model_validate(read_json(result.path)).starts
        if len(found) != expected:
            raise ValueError("not one result for each start")
    except ValueError as error:
        raise tampered("the proof") from error
    return found


def _sizes(folder: Path) -> list[int]:
    return [Path(path, name).lstat().st_size for path, _, names in os.walk(folder) for name in names]
