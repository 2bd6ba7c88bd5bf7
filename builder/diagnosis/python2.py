"""Tell Python 2 from ordinary syntax errors, by the Python 3 compiler's message and the line that it is about."""

from __future__ import annotations

import re

_MAX_CHARACTERS = 1000  # of a message or a line: no compiler says more
_MESSAGES = re.compile(
    r"Missing parentheses in call to '(print|exec)'"
    r"|multiple exception types must be parenthesized"
    r"|leading zeros in decimal integer literals"
    r"|invalid decimal literal.{0,200}\d[lL]\b",
)
_OLD_SYNTAX = re.compile(
    r"^\s*print\s+[^(=\s]"  # print "text", print >>file
    r"|^\s*exec\s+['\"\w]"
    r"|^\s*+except\s++[\w.()][\w.()\s,]{0,200},\s*+\w++\s*+:"
    r"|^\s*raise\s+[\w.]+\s*,"
    r"|<>"
    r"|\b(0[0-7]+|\d+[lL])\b"
    r"|\bur['\"]"
    r"|`[^`]+`"
)


def looks_like_python2(message: str, line: str) -> bool:
    """Return whether a syntax error comes from Python 2 code.

    Args:
        message: the compiler's.
        line: the source line that it is about.
    """
    return bool(_MESSAGES.search(message[:_MAX_CHARACTERS]) or _OLD_SYNTAX.search(line[:_MAX_CHARACTERS]))
