"""Take uv's last error apart by position, so that what it says itself is not taken for what it quotes.

uv has no machine-readable errors. What it prints has a fixed shape: ``error: ...`` at the beginning of a line, then
each cause on a line of its own, then, after an empty line and indented, what a build has printed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FAILED = 2
"""uv's exit code for errors; without a solution, or after a failed build, it is 1 (`uv build` always ends with 2)."""

_HEAD, _CAUSE, _CONTINUED = "error: ", "  cause: ", "         "
_MOST_LINES = 2000
_FETCH = re.compile(r"Failed to fetch: `?(https?://[^\s`]{1,4000})`?")
_BUILD = re.compile(r"(?:Failed to (?:build|download and build)|Building) `(.+)`")
# The only link that tells of it if what was built is a folder whose name is not known.
_BACKEND_FAILED = "The build backend returned an error"
_MACHINE_FULL = ("No space left on device (os error 28)", "Too many open files in system (os error 23)")


@dataclass(frozen=True, slots=True)
class ErrorChain:
    """uv's error and its causes, one text each. Whatever they quote of an upload is part of a text, never all of it."""

    links: tuple[str, ...]

    @property
    def fetch(self) -> str | None:
        """The address that could not be fetched; None if that is not what failed."""
        if _BACKEND_FAILED in self.links:
            return None
        return next((match[1] for link in self.links if (match := _FETCH.fullmatch(link))), None)

    @property
    def build(self) -> str | None:
        """What could not be built, "" if that is not known; None if no build failed."""
        named = next((match[1] for link in self.links if (match := _BUILD.fullmatch(link))), None)
        return "" if named is None and _BACKEND_FAILED in self.links else named

    @property
    def unsolvable(self) -> bool:
        """Whether there is no solution."""
        return any(link.startswith("No solution found") for link in self.links)

    @property
    def machine_is_full(self) -> bool:
        """Whether the system refused because all of the machine's disk or files are taken."""
        return bool(self.links) and self.links[-1] in _MACHINE_FULL


def error_chain(output: str, *, streamed: bool = False) -> ErrorChain:
    """Return uv's error in its output.

    Args:
        output: of uv, with carriage returns as ends of lines: a build's lines may then begin where uv's do.
        streamed: uv has passed on what a build printed, as `uv build` does, so its own error is the last. Else it comes
            before anything that a build printed.
    """
    lines = output.split("\n")
    errors = (number for number, line in enumerate(lines) if line.startswith(_HEAD))
    first = max(errors, default=len(lines)) if streamed else next(errors, len(lines))
    links: list[list[str]] = []
    for line in lines[first : first + _MOST_LINES]:
        if line.startswith((_HEAD, _CAUSE)):
            links.append([line.partition(": ")[2].strip()])
        elif line.startswith(_CONTINUED):
            links[-1].append(line.strip())
        else:
            break
    return ErrorChain(tuple(" ".join(link) for link in links))
