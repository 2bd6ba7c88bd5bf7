"""How uv is run: in the sandbox, for one target, with the index configuration of this machine and nothing else of it.

It only downloads, until a distribution has no wheel: then it runs the distribution's own build. So there are two kinds
of it: one that builds nothing and shares its cache, one that may build and has a cache of its own in every run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from auto_lambda.model import Architecture, BuildLog
from auto_lambda.runtimes import RUNTIMES
from auto_lambda.tools import ToolError, uv_executable
from builder.actions import OurTrouble
from builder.sandbox.limit_errors import stopped_error
from builder.sandbox.sandbox import MEGABYTE, Command, Limits, Outcome, Sandbox

_LIMITS = Limits(wall=900, cpu=1800, memory=8192 * MEGABYTE)
# The glibc of each manylinux platform that uv knows.
_MANYLINUX = ((2, 17), (2, 28), (2, 31), (2, 32), (2, 33), (2, 34))


class IndexTrouble(OurTrouble):
    """The package index could not be reached, or this machine failed uv."""


@dataclass(frozen=True, slots=True)
class BuildTarget:
    """The Lambda runtime that a layer is for. ``platform`` is uv's word for system, architecture and C library."""

    python: str
    architecture: Architecture
    platform: str
    interpreter: Path


def target_of(python: str, architecture: Architecture, interpreters: Mapping[str, Path]) -> BuildTarget:
    """Return the target for a Python minor and an architecture.

    Args:
        python: the minor.
        architecture: of the Lambda.
        interpreters: those of this machine, by minor.

    Raises:
        ToolError: this machine has no such interpreter; `inspect` chose one that it has.
    """
    interpreter = interpreters.get(python)
    if interpreter is None:
        raise ToolError(f"this machine has no python{python}")
    ceiling = max(version for version in _MANYLINUX if version <= RUNTIMES[python].glibc)
    machine = "aarch64" if architecture == "arm64" else "x86_64"
    platform = f"{machine}-manylinux_{ceiling[0]}_{ceiling[1]}"
    return BuildTarget(python, architecture, platform, interpreter)


class Uv:
    """Runs uv in the sandbox.

    Args:
        sandbox: where it runs.
        cache: a cache kept between runs, for runs that build nothing; None for runs that may execute untrusted code:
            each has its own in its work folder, as who can write to a cache decides what others install from it.
        settings: variables for uv, as `auto_lambda.index_settings.build_settings` gives them.
    """

    def __init__(self, sandbox: Sandbox, cache: Path | None, settings: Mapping[str, str]) -> None:
        self._sandbox = sandbox
        self._cache = cache
        self._environ = {
            **settings,
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
            "UV_NO_CONFIG": "1",
            "NO_COLOR": "1",
        }

    def run(
        self, arguments: tuple[str, ...], target: BuildTarget, log: BuildLog, *, cwd: Path, writable: tuple[Path, ...],
        readable: tuple[Path, ...] = (), network: bool = True,
        env: Mapping[str, str] = MappingProxyType({}),
    ) -> Outcome:  # fmt: skip
        """Run to its end, successful or not; the first of ``writable`` takes what is only for this run.

        Raises:
            AppError: it took too long or said too much.
            IndexTrouble: with ``network``, the index or this machine failed it.
        """
        cache = self._cache or writable[0] / "uv-cache"
        cache.mkdir(parents=True, exist_ok=True)
        executable = Path(uv_executable())
        # Below another writable folder it is no mount of its own, and so files can be linked from one to the other.
        wanted = tuple(dict.fromkeys((*writable, cache)))
        folders = [one for one in wanted if not any(one != other and one.is_relative_to(other) for other in wanted)]
        outcome = self._sandbox.run(
            Command(
                (str(executable), *arguments, "--python", str(target.interpreter)), cwd,
                {**self._environ, **env, "UV_CACHE_DIR": str(cache)},
                (executable, target.interpreter.parent.parent, *readable), tuple(folders), network, _LIMITS,
            ),
            log,
        )  # fmt: skip
        if outcome.stopped:
            hint = "Use packages that offer wheels for Lambda, or fewer of them."
            raise stopped_error(outcome, "building the dependencies", hint=hint)
        if network and not outcome.ok and (trouble := _trouble(outcome.output)):
            raise IndexTrouble(trouble)
        return outcome

    def script(self, script: Path, arguments: tuple[str, ...], target: BuildTarget, work: Path) -> Outcome:
        """Run a plain Python script of ours that needs the index, as uv would reach it."""
        argv = (str(target.interpreter), "-I", str(script), *arguments)
        readable = (target.interpreter.parent.parent, script)
        return self._sandbox.run(Command(argv, work, self._environ, readable, (work,), network=True), lambda _: None)


# Only uv's own lines count: a build's output is indented, so it cannot claim to be an index that failed.
_OWN_LINES = ("error: ", "  cause: ")
_TROUBLE = re.compile(
    r"client error|dns error|error sending request|timed? ?out|Connection (?:refused|reset)|HTTP status server error"
    r"|status code: 5\d\d|\b5\d\d (?:Internal|Bad Gateway|Service|Gateway)|Too Many Requests|No space left on device"
    r"|Failed to (?:fetch|download|initialize cache)|Network is unreachable|Too many open files"
)


def _trouble(output: str) -> str | None:
    lines = [line for line in output.splitlines() if line.startswith(_OWN_LINES) and _TROUBLE.search(line)]
    return "; ".join(line.strip() for line in lines[:4])[:500] if lines else None
