"""The last lines of a function's log, as its author would read them."""

from __future__ import annotations

import re

TAIL_BYTES = 4096
"""What Lambda hands out of an invocation's log at most."""

_CUT = TAIL_BYTES - 16  # bytes from which a log may have been cut; a character has up to four
_PLATFORM = re.compile(
    r"(?:START|END|REPORT|INIT_START|INIT_REPORT|XRAY|EXTENSION)\b[^\n]{0,200}?(?:RequestId|Runtime|TraceId|Name)\b"
    r"|\{\"time\":\"[^\"\n]{1,40}\",\"type\":\"platform\."
)
# The runtime client ends a record before its traceback, so the next one begins in the traceback's last line.
_RECORD = re.compile(r"(?<=[^\n])(?=\[(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\]\t)")
_KEY_ENDS = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY-----")
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")


def last_lines(log: str) -> str:
    """Return what a function itself logged at the end of an invocation.

    Lambda's own lines are left out. Of a log that was cut, the first line is left out too, and a private key that has
    lost its beginning: nothing would show any more that they hold a secret.

    Args:
        log: the end of the log, as Lambda hands it out.
    """
    # The runtime client ends the lines of a traceback with CR, and indents them with spaces that do not break.
    lines = log.replace("\r\n", "\n").replace("\r", "\n").replace("\N{NO-BREAK SPACE}", " ").split("\n")
    if len(log.encode()) >= _CUT:
        del lines[0]
    own = _RECORD.sub("\n", "\n".join(line for line in lines if not _PLATFORM.match(line)))
    end = _KEY_ENDS.search(own)
    if end and not _KEY_BEGINS.search(own, 0, end.start()):
        own = own[end.end() :]
    return own.strip("\n")
