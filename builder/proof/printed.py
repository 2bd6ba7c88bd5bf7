"""Read the exception out of what a program printed."""

from __future__ import annotations

import re

from builder.proof.verdict import ExceptionReport

_HEADER = "Traceback (most recent call last):"
_CHAINED = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
# Lambda's runtime client ends a record before its traceback, so the next one begins in the traceback's last line.
_RECORD = re.compile(r"\[(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\]\t")
_MOST_LINES = 4_000
_MOST_BELOW = 20  # lines of a message
_EXCEPTION = re.compile(r"((?:[A-Za-z_]\w{0,100}\.){0,10})([A-Za-z_]\w{0,100})(?:: (.*))?")
_MISSING = re.compile(r"No module named '([\w.]{1,200})'")
_ERRNO = re.compile(r"\[Errno (\d{1,4})\] [^:'\n]{0,200}(?:: '([^'\n]{1,500})')?")
_OS_FRAME = re.compile(r'  File "(?:<frozen os>|[^"\n]{1,500}/os\.py)", line \d+, in __getitem__')
_KEY = re.compile(r"'([A-Za-z_]\w{0,254})'")


def last_exception(text: str, where: str) -> ExceptionReport | None:
    """Return the last exception whose traceback stands in a text, with those that led to it; None without any.

    Args:
        text: untrusted; what Python, its `logging` or its `traceback` wrote.
        where: for the report.
    """
    lines = _RECORD.sub(r"\n\g<0>", text).splitlines()[-_MOST_LINES:]
    headers = [number for number, line in enumerate(lines) if line.endswith(_HEADER)]
    if not headers:
        return None
    blocks = [_block(lines, start) for start in headers]
    first = len(headers) - 1
    while first and _leads_on(lines[_end(headers[first - 1], blocks[first - 1]) : headers[first]]):
        first -= 1
    chain = [match for block in blocks[first:] if (match := _raised(block))]
    last = _raised(blocks[-1])
    if last is None:
        return None
    message = "\n".join([last[3] or "", *_below(blocks[-1])]).rstrip()
    missing, system = _MISSING.search(message), _ERRNO.match(message)
    return ExceptionReport(
        where=where,
        type=last[2],
        message=message,
        traceback="\n".join([_HEADER, *lines[headers[first] + 1 : _end(headers[-1], blocks[-1])]]),
        origins=sorted({match[1].partition(".")[0] or "builtins" for match in chain}),
        types=sorted({match[2] for match in chain}),
        missing=missing[1] if missing and last[2] == "ModuleNotFoundError" else None,
        errno=int(system[1]) if system else None,
        file=(system[2] or "") if system else "",
        unset=_unset(blocks[first:]),
        messages=[match[3] or "" for match in reversed(chain)],
    )


def _block(lines: list[str], start: int) -> list[str]:
    """Return the lines of one traceback: its header, frames, and the exception with what belongs to its message."""
    end = start + 1
    while end < len(lines) and lines[end].startswith("  "):
        end += 1
    end += 1
    most = min(len(lines), end + _MOST_BELOW)
    while end < most and lines[end].startswith("  "):
        end += 1
    return lines[start:end]


def _end(start: int, block: list[str]) -> int:
    return start + len(block)


def _leads_on(between: list[str]) -> bool:
    said = [line.strip() for line in between if line.strip()]
    return len(said) == 1 and said[0] in _CHAINED


def _raised(block: list[str]) -> re.Match[str] | None:
    line = next((line for line in block[1:] if not line.startswith("  ")), "")
    return _EXCEPTION.fullmatch(line.rstrip())


def _below(block: list[str]) -> list[str]:
    position = next((number for number, line in enumerate(block) if number and not line.startswith("  ")), len(block))
    return block[position + 1 :]


def _unset(blocks: list[list[str]]) -> str | None:
    """Return the environment variable whose absence was raised."""
    for block in blocks:
        raised = _raised(block)
        if raised and raised[2] == "KeyError" and any(map(_OS_FRAME.match, block)):
            name = _KEY.fullmatch(raised[3] or "")
            return name[1] if name else None
    return None
