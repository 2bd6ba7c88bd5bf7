"""The last lines of a function's log, as its author would read them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from auto_lambda.aws.lambda_ import Answer
from auto_lambda.aws.logs import LogGroups

TAIL_BYTES = 4096
"""What Lambda hands out of an invocation's log at most."""

_LATE = 10  # seconds until CloudWatch has an event of Lambda's; usually it takes a few
_CLOCKS = timedelta(minutes=1)  # how far ours and AWS's may be apart
_CUT = TAIL_BYTES - 16  # bytes from which a log may have been cut; a character has up to four
_PLATFORM = re.compile(
    r"(?:START|END|REPORT|INIT_START|INIT_REPORT|XRAY|EXTENSION)\b[^\n]{0,200}?(?:RequestId|Runtime|TraceId|Name)\b"
    r"|\{\"time\":\"[^\"\n]{1,40}\",\"type\":\"platform\."
)
# The runtime client ends a record before its traceback, so the next one begins in the traceback's last line.
_RECORD = re.compile(r"(?<=[^\n])(?=\[(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\]\t)")
_KEY_ENDS = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY-----")
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")


class FunctionLogs:
    """What functions log: Lambda returns its last 4 KB, CloudWatch has all of it.

    Args:
        groups: the account's; None: there is only what Lambda returns.
        sleep: waits so many seconds between two looks.
        now: the time, in UTC.
    """

    def __init__(
        self,
        groups: LogGroups | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._groups = groups
        self._sleep = sleep
        self.now = now

    def of(self, answer: Answer, group: str | None, since: datetime) -> str:
        """Return what a function itself logged during an invocation, all of it if that can be read, else its end.

        Args:
            answer: of the invocation.
            group: the function's; None if that is not known.
            since: when it began, or earlier, in UTC.
        """
        if not _cut(answer.log) or group is None:
            return last_lines(answer.log)
        whole = self._read(group, answer, since)
        return _own(whole) if whole is not None else last_lines(answer.log)

    def _read(self, group: str, answer: Answer, since: datetime) -> list[str] | None:
        if self._groups is None or answer.request is None:
            return None
        try:
            for look in range(_LATE):
                if look:
                    self._sleep(1)
                events = self._groups.of_request(group, answer.request, since - _CLOCKS)
                if events is not None:
                    return [line for event in events for line in _lines(event.rstrip("\n"))]
        except (BotoCoreError, ClientError):
            return None  # without the right to it, say: the end of the log has to do
        return None


def last_lines(log: str) -> str:
    """Return what a function itself logged at the end of an invocation.

    Lambda's own lines are left out. Of a log that was cut, the first line is left out too, and a private key that has
    lost its beginning: nothing would show any more that they hold a secret.

    Args:
        log: the end of the log, as Lambda hands it out.
    """
    return _own(_lines(log)[1 if _cut(log) else 0 :])


def _cut(log: str) -> bool:
    return len(log.encode()) >= _CUT


def _lines(log: str) -> list[str]:
    # The runtime client ends the lines of a traceback with CR, and indents them with spaces that do not break.
    return log.replace("\r\n", "\n").replace("\r", "\n").replace("\N{NO-BREAK SPACE}", " ").split("\n")


def _own(lines: Sequence[str]) -> str:
    own = _RECORD.sub("\n", "\n".join(line for line in lines if not _PLATFORM.match(line)))
    end = _KEY_ENDS.search(own)
    if end and not _KEY_BEGINS.search(own, 0, end.start()):
        own = own[end.end() :]
    return own.strip("\n")
