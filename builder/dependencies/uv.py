"""How uv is run: in the sandbox, for one target, with the index configuration of this machine and nothing else of it.

It only downloads, until a distribution has no wheel: then it runs the distribution's own build. So there are two kinds
of it: one that builds nothing and shares its cache, one that may build and has a cache of its own in every run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from auto_lambda.errors import AppError, Code
from auto_lambda.model import Architecture, BuildLog
from auto_lambda.runtimes import RUNTIMES
from auto_lambda.tools import ToolError, uv_executable
from builder.actions import OurTrouble
from builder.dependencies.uv_output import FAILED, ErrorChain, error_chain
from builder.sandbox.limit_errors import stopped_error
from builder.sandbox.sandbox import MEGABYTE, Command, IndexAccess, Limits, Outcome, Sandbox

DOWNLOAD = Path(__file__).with_name("inside") / "download.py"
INDEX_FAILED = 75
"""How that script ends when the index failed, not the address (sysexits.h, ``EX_TEMPFAIL``)."""

_MOST_PROBED = 32 * MEGABYTE  # pages break off in their middle, too
_LIMITS = Limits(wall=900, cpu=1800, memory=8192 * MEGABYTE)
# The glibc of each manylinux platform that uv knows.
_MANYLINUX = ((2, 17), (2, 28), (2, 31), (2, 32), (2, 33), (2, 34))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the proxy has seen so far: how often an index has failed, and how many of its pages were too large."""

    failures: int
    too_large: int


_NOTHING = _Seen(0, 0)


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
        index: the way to the package indexes, on which the proxy counts what has failed; None without one.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        cache: Path | None,
        settings: Mapping[str, str],
        index: IndexAccess | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._cache = cache
        self._index = index
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
            AppError: it took too long or said too much; ``index-page-too-large``.
            IndexTrouble: with ``network``, the index or this machine failed it.
        """
        cache = self._cache or writable[0] / "uv-cache"
        cache.mkdir(parents=True, exist_ok=True)
        executable = Path(uv_executable())
        # Below another writable folder it is no mount of its own, and so files can be linked from one to the other.
        wanted = tuple(dict.fromkeys((*writable, cache)))
        folders = [one for one in wanted if not any(one != other and one.is_relative_to(other) for other in wanted)]
        before = self._seen() if network else _NOTHING
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
        if network and outcome.returncode == FAILED:
            self._require_working_index(error_chain(outcome.output, streamed=arguments[0] == "build"), before, target)
        return outcome

    def script(self, script: Path, arguments: tuple[str, ...], target: BuildTarget, work: Path) -> Outcome:
        """Run a plain Python script of ours that needs the index, as uv would reach it."""
        argv = (str(target.interpreter), "-I", str(script), *arguments)
        readable = (target.interpreter.parent.parent, script)
        return self._sandbox.run(Command(argv, work, self._environ, readable, (work,), network=True), lambda _: None)

    def _seen(self) -> _Seen:
        return _Seen(self._index.failures(), self._index.too_large()) if self._index else _NOTHING

    def _require_working_index(self, chain: ErrorChain, before: _Seen, target: BuildTarget) -> None:
        """Raise if it was the index or this machine that failed uv.

        What uv prints only says where to look, as a build can print, or have uv quote, what it likes. It is ours if the
        proxy saw the index fail, or if asking for the same address again, without a line of the upload's code, fails.
        Whatever stays unsure is the uploader's, who sees the output: trying again would most likely fail again.
        """
        if chain.machine_is_full:
            raise IndexTrouble(chain.links[-1])
        if not (url := chain.fetch):
            return
        now = self._seen()
        if now.too_large > before.too_large:
            raise _page_too_large(url)
        if now.failures > before.failures or not self._answers(url, target):
            raise IndexTrouble("; ".join(chain.links)[:500])

    def _answers(self, url: str, target: BuildTarget) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            outcome = self.script(DOWNLOAD, (url, "/dev/null", str(_MOST_PROBED)), target, Path(folder))
        return outcome.returncode != INDEX_FAILED and outcome.stopped != "time"


def _page_too_large(url: str) -> AppError:
    return AppError(
        Code.INDEX_PAGE_TOO_LARGE,
        f"a page of the package index is too large to be read: uv could not fetch {urlsplit(url).path[:300]}",
        hint="Show this to whoever runs the package index; once the page is smaller, upload the zip again.",
    )
