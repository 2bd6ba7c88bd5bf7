"""What pip's own configuration says, asked of pip itself, and again only when one of its files has changed.

Each command with a network asks, and starting pip takes as long as a small build. Files are looked at each time, as
some are rewritten while the worker runs: by whoever renews the token of a private index, for one.
"""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from auto_lambda.processes import programs

_TRIED = re.compile(r"For variant '\w+', will try loading '(.*)'")
_SECTIONS = ("global.", "install.", "user.", "site.")

_COARSE = 20_000_000  # nanoseconds: file systems take the time from a clock that ticks

_Stamp = tuple[int, int, int] | None


class PipConfiguration:
    """Remembers what pip said.

    Args:
        environ: what pip is asked in.
        ask: runs ``pip config list --verbose`` in an environment, for what it prints; None if it failed.
    """

    def __init__(
        self, environ: Mapping[str, str], ask: Callable[[Mapping[str, str]], str | None] | None = None
    ) -> None:
        self._environ = environ
        self._ask = ask or _pip
        self._stamps: dict[Path, _Stamp] | None = None
        self._options: dict[str, str] = {}
        self._asking = threading.Lock()

    def read_ahead(self) -> threading.Thread:
        """Ask in a thread, so that the first build finds the answer, or waits for the rest of it."""
        reading = threading.Thread(target=self.options, name="pip-configuration", daemon=True)
        reading.start()
        return reading

    def options(self) -> Mapping[str, str]:
        """Options by name (``index-url``), as its files have them for an installation; its variables are not here."""
        with self._asking:
            if self._stamps is None or self._stamps != _stamps(self._stamps):
                self._read()
            return self._options

    def _read(self) -> None:
        began = time.time_ns()
        lines = (self._ask(self._environ) or "").splitlines()
        self._options = dict(_option(line) for line in lines if line.startswith(_SECTIONS))
        stamps = _stamps(Path(found[1]) for line in lines if (found := _TRIED.match(line)))
        # Asked again next time: a pip that failed or named no files, and one whose files changed while it read them.
        changed = any(stamp and stamp[0] >= began - _COARSE for stamp in stamps.values())
        self._stamps = None if changed else stamps or None


def _pip(environ: Mapping[str, str]) -> str | None:
    argv = (sys.executable, "-m", "pip", "config", "list", "--verbose")
    done = programs.run(argv, environ)
    return None if done.returncode else done.stdout


def _option(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.partition(".")[2], value.strip("'\"").replace("\\n", " ")


def _stamps(files: Iterable[Path]) -> dict[Path, _Stamp]:
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> _Stamp:
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino
