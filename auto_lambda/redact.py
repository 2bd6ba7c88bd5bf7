"""Removes secrets and control characters from text for people."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
_SHORTEST = 8  # a shorter value would hide ordinary words

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # window titles and links
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # device strings
    r"|\x1b[ -/]*[0-~]"
)
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
    (re.compile(rf"(?i)\b({_SECRET_NAME}['\"]?\s*[=:]\s*)(['\"]?)[^\s'\",;]{{8,}}\2"), r"\1" + HIDDEN),
)  # fmt: skip
_SECRET_VARIABLE = re.compile(rf"(?i){_SECRET_NAME}")


class Redactor:
    """Hides credentials: those of known forms, and given values.

    Args:
        secrets: values to hide wherever they occur; values of less than eight characters are ignored.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = sorted({value for value in secrets if len(value) >= _SHORTEST}, key=len, reverse=True)
        self._literal = re.compile("|".join(map(re.escape, values))) if values else None

    def __call__(self, text: str) -> str:
        """Replace every secret in a text by ``***``."""
        if self._literal:
            text = self._literal.sub(HIDDEN, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


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


def printable(text: str) -> str:
    """Reduce a text to what a terminal would show.

    Escape sequences, control and direction characters are removed, and of progress bars only the last state is kept.
    Line ends become LF; tabs stay; lone surrogates become ``?``, so that the result can be encoded as UTF-8.
    """
    text = _ESCAPES.sub("", text).replace("\r\n", "\n").translate(_DIRECTION)
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    plain = "".join(c for c in "\n".join(lines) if c in "\n\t" or unicodedata.category(c) != "Cc")
    return plain.encode("utf-8", "replace").decode("utf-8")
