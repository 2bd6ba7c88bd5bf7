"""Turns what an untrusted program prints into log lines: whole, clean, bounded."""

from __future__ import annotations

import codecs
import re

from auto_lambda.model import BuildLog
from auto_lambda.redact import LineRedactor, Redactor

_LONGEST_LINE = 16 * 1024
_LONGEST_SECRET = 4 * 1024  # all variables of a function have no more
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
)
# C0 but tab, DEL, C1, line and paragraph separators, marks that reorder text, byte order mark
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def printable(line: str) -> str:
    """Return a line of untrusted output without terminal escapes and control characters (tabs stay)."""
    return _CONTROLS.sub("", _ESCAPES.sub("", line))


class Lines:
    """Splits raw output into clean lines, tells them, and keeps them up to a number of bytes.

    Args:
        log: is told each line.
        limit: bytes of raw output.
        redact: hides secrets.
    """

    def __init__(self, log: BuildLog, limit: int, redact: Redactor | None = None) -> None:
        self._say = log
        self._redact = redact or Redactor()
        self._redact_line = LineRedactor(self._redact)
        self._limit = limit
        self._seen = 0
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._kept: list[str] = []

    @property
    def full(self) -> bool:
        """Whether more came than is taken."""
        return self._seen > self._limit

    @property
    def text(self) -> str:
        """All lines so far."""
        return "\n".join(self._kept)

    def feed(self, data: bytes) -> None:
        """Take the next bytes; what passes the limit is dropped."""
        self._seen += len(data)
        if self.full:
            data = data[: max(0, len(data) - (self._seen - self._limit))]
        *whole, self._rest = re.split(r"\r\n|[\r\n]", self._rest + self._decoder.decode(data))
        if len(self._rest) > _LONGEST_LINE:
            # A secret may end in what comes next, so whatever could be its beginning stays.
            hidden = self._redact(self._rest)
            whole.append(hidden[:-_LONGEST_SECRET])
            self._rest = hidden[-_LONGEST_SECRET:]
        for line in whole:
            self._tell(line)

    def finish(self) -> None:
        """There is no more: the last line may lack its end."""
        self._tell(self._rest + self._decoder.decode(b"", final=True))

    def _tell(self, line: str) -> None:
        if line and (clean := self._redact_line(printable(line).rstrip())):
            self._kept.append(clean)
            self._say(clean)
