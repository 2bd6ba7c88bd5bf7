"""Removes secrets and control characters from text for people."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
_CUT = "..."
_SHORTEST = 8  # a shorter value would hide ordinary words

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # window titles and links
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # device strings
    r"|\x1b[ -/]*[0-~]"
)
_ORDINARY = re.compile(r"[\t\n\x20-\x7e]*")
_DIRECTION = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C])
# Every repetition before a sure match is bounded, since these run over the output of hostile builds.
_SECRET_NAME = r"[\w.-]{0,40}(?:secret|token|passw(?:or)?d|api_?key|access_?key|private_?key|credential)[\w.-]{0,40}"  # noqa: S105
# Forms of tokens that need no name before them: GitHub, GitLab, Slack, Stripe, npm, PyPI, SendGrid, JSON Web Tokens.
_TOKENS = (
    r"(?<![\w-])(?:gh[oprsu]_\w{36}|github_pat_\w{22}|gl(?:agent|cbt|dt|ft|oas|pat|ptt|rt|soat)-[\w-]{20}|xox[abeoprs]-[\w-]{10}"
    r"|[rs]k_live_\w{24}|npm_\w{36}|pypi-AgE[\w-]{50}|SG\.[\w-]{22}\.[\w-]{43}|eyJ[\w-]{8,200}\.eyJ[\w-]{8})[\w.-]*"
)
_PATTERNS = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b"), HIDDEN),
    (re.compile(_TOKENS), HIDDEN),
    (re.compile(r"(?<=://)[^\s/@'\"<>]+(?=@)"), HIDDEN),
    (re.compile(r"(?i)([?&](?:x-amz-)?(?:signature|credential|security-token|token)=)[^&\s'\"]+"), r"\1" + HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}"), r"\1 " + HIDDEN),
    (
        re.compile(
            rf"(?i)\b({_SECRET_NAME}(?<!secretsmanager)(?<!\d:secret)['\"]?\s*[=:]\s*)"
            r"(?!os\.(?:environ|getenv)\b)(['\"]?)[^\s'\",;]{8,}\2"  # code that reads a variable is no secret
        ),
        r"\1" + HIDDEN,
    ),
)  # fmt: skip
_SECRET_VARIABLE = re.compile(rf"(?i){_SECRET_NAME}(?<!_file)(?<!_path)")  # where a secret lies is none
_MAX_VALUES = 1_000
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_KEY_ENDS = re.compile(r"-----END [A-Z ]*PRIVATE KEY-----")
_KEY_LINE = re.compile(r"\s*[A-Za-z0-9+/=]+\s*")
_KEY_PART = re.compile(r"[A-Za-z0-9+/=]{16,}")  # behind what a logger puts before each line
_MAX_KEY_LINES = 400  # the largest keys have some 200
_PLAIN = re.compile(
    r"[A-Z]?[a-z]{1,20}|[A-Z]{1,12}|[a-z]{2}(?:-[a-z]+){1,2}-\d|[a-z_]\w*(?:\.[a-z_]\w*)+|(?:/[a-z_]+)+/?|[0-9.]{1,12}"
)


class Redactor:
    """Hides credentials: those of known forms, and given values.

    Args:
        secrets: values to hide wherever they occur; values of less than eight characters are ignored.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._values: tuple[str, ...] = ()
        self.hide(secrets)

    def hide(self, secrets: Iterable[str]) -> None:
        """Hide more values from now on, also where they are printed line by line or with escapes."""
        found = {form for value in secrets for form in _forms(value) if len(form) >= _SHORTEST}
        self._values = tuple(sorted({*self._values, *found}, key=len, reverse=True)[:_MAX_VALUES])

    def __call__(self, text: str) -> str:
        """Replace every secret in a text by ``***``."""
        if len(text) < _SHORTEST:
            return text
        text = self.without_values(text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def without_values(self, text: str) -> str:
        """Replace the given values only."""
        for value in self._values:
            text = text.replace(value, HIDDEN)
        return text


class LineRedactor:
    """Hides credentials in a text that comes line by line, private keys of several lines among them."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact
        self._key_lines = 0  # that may still follow

    def __call__(self, line: str) -> str:
        """Return a line, or some lines at once, without their secrets."""
        if "\n" in line:
            return "\n".join(map(self, self._redact.without_values(line).split("\n")))
        inside, self._key_lines = self._key_lines, max(self._key_lines - 1, 0)
        if began := _KEY_BEGINS.search(line):
            self._key_lines = 0 if _KEY_ENDS.search(line, began.end()) else _MAX_KEY_LINES
        elif inside:
            if end := _KEY_ENDS.search(line):
                self._key_lines, line = 0, HIDDEN + line[end.end() :]
            line = HIDDEN if _KEY_LINE.fullmatch(line) else _KEY_PART.sub(HIDDEN, line)
        return self._redact(line)


def confidential(variables: Mapping[str, str]) -> frozenset[str]:
    """Return the values of an app's variables to hide: all but plain words, names of modules, folders, and numbers."""
    return frozenset(
        value for name, value in variables.items() if _SECRET_VARIABLE.fullmatch(name) or not _PLAIN.fullmatch(value)
    )


def _forms(value: str) -> set[str]:
    """Return a value as programs print it: whole, line by line, and escaped as in JSON or a Python literal."""
    lines = value.splitlines()
    escaped = {json.dumps(value)[1:-1], repr(value)[1:-1]} if len(lines) > 1 or not value.isprintable() else set()
    return {value, value.strip(), *(line.strip() for line in lines), *escaped}


def secrets_of(environ: Mapping[str, str] = os.environ) -> frozenset[str]:
    """Return the values of an environment to hide: variables whose names suggest secrets, and passwords in URLs."""
    found: set[str] = set()
    for name, value in environ.items():
        if _SECRET_VARIABLE.fullmatch(name):
            found.add(value)
        for word in value.split():
            found |= _passwords(word)
    return frozenset(found)


def _passwords(word: str) -> set[str]:
    try:
        password = urlsplit(word).password
    except ValueError:
        return set()
    return {password, unquote(password)} if password else set()


def one_line(text: str, most: int | None = None) -> str:
    """Reduce a text to one line as a terminal would show it, in its middle to so many characters."""
    line = " ".join(printable(text).split())
    if most is None or len(line) <= most:
        return line
    begin = (most - len(_CUT) + 1) // 2
    return f"{line[:begin]}{_CUT}{line[len(line) - (most - len(_CUT) - begin) :]}"


def printable(text: str) -> str:
    """Reduce a text to what a terminal would show.

    Escape sequences, control and direction characters are removed, and of progress bars only the last state is kept.
    Line ends become LF; tabs stay; lone surrogates become ``?``, so that the result can be encoded as UTF-8.
    """
    if _ORDINARY.fullmatch(text):  # most of a long log
        return text
    text = _ESCAPES.sub("", text).replace("\r\n", "\n").translate(_DIRECTION)
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    plain = "".join(c for c in "\n".join(lines) if c in "\n\t" or unicodedata.category(c) != "Cc")
    return plain.encode("utf-8", "replace").decode("utf-8")
