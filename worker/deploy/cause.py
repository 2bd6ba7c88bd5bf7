"""Find the exception behind a failed request, in what a function answered or logged."""

from __future__ import annotations

import re

_TRACEBACK = "Traceback (most recent call last):"
_INNERMOST = '\n  File "'
_MOST = 20_000  # characters behind a traceback's first line that are looked at
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]{0,200}(?:: |$)")
# zappa answers with a list of lines, as Python shows it, inside JSON: separators and quotes are in between.
_FRAME = re.compile(r"""^['"\[\],\s]{0,6}?(?=\s{2}\S|[A-Za-z_])""")


def cause(*texts: str) -> str | None:
    """Return the last line of the last traceback in the first text that has one: the exception with its message."""
    return next((found for text in texts if (found := _last_exception(text))), None)


def _last_exception(text: str) -> str | None:
    _, found, rest = text.rpartition(_TRACEBACK)
    if not found:
        _, found, rest = text.rpartition(_INNERMOST)  # of a log, Lambda hands out the last 4 KB
    if not found:
        return None
    escaped = "\\n" in rest[:10]
    plain = re.sub(r"\\+(['\"])", r"\1", re.sub(r"\\+n", "\n", rest[:_MOST])) if escaped else rest[:_MOST]
    for line in plain.splitlines()[1:]:
        said = _FRAME.sub("", line)
        if _EXCEPTION.match(said):
            return said.rstrip()
    return None
