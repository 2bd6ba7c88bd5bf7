"""The grammar of object keys: which key deploys which app, and what lies beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_STAGE = "dev"
PREFIX = "apps/"
SUFFIX = ".zip"
RECEIPT_SUFFIX = ".receipt.json"
ROLLBACK = "auto-lambda-rollback"
"""Metadata of an uploaded zip that is an earlier one again: the version of the object whose release is wanted."""
_WORD = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class BadKey(ValueError):
    """The key lies under ``apps/`` but names no app; the message says which part is wrong."""


@dataclass(frozen=True, slots=True, order=True)
class App:
    """One deployment: an app name in one stage. Everything in AWS is named after it."""

    stage: str
    name: str

    def __post_init__(self) -> None:
        for part, word in (("stage", self.stage), ("name", self.name)):
            if not _WORD.fullmatch(word):
                raise BadKey(f"the {part} {word!r} is not of the form [a-z0-9][a-z0-9-]{{0,39}}")

    def __str__(self) -> str:
        return f"{self.stage}/{self.name}"

    @property
    def key(self) -> str:
        """The canonical upload key, always with the stage."""
        return f"{PREFIX}{self.stage}/{self.name}{SUFFIX}"

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that deploys it, the canonical one first."""
        short = f"{PREFIX}{self.name}{SUFFIX}"
        return (self.key, short) if self.stage == DEFAULT_STAGE else (self.key,)

    @property
    def stack(self) -> str:
        """The CloudFormation stack. Never ``<name>-<stage>``: ``zappa update`` would replace that one."""
        return f"al-{self.name}-{self.stage}"

    @property
    def function(self) -> str:
        """The function name where one function is the app, so that ``zappa status|tail|invoke`` find it."""
        return f"{self.name}-{self.stage}"


def parse(key: str) -> App:
    """Read ``apps/<stage>/<name>.zip`` or ``apps/<name>.zip`` (stage ``dev``).

    Raises:
        BadKey: the key is none of the two forms, or a part of it is not a valid word.
    """
    if not (key.startswith(PREFIX) and key.endswith(SUFFIX)):
        raise BadKey(f"{key!r} is not apps/<name>.zip or apps/<stage>/<name>.zip")
    parts = key[len(PREFIX) : -len(SUFFIX)].split("/")
    if len(parts) == 1:
        return App(DEFAULT_STAGE, parts[0])
    if len(parts) == 2:
        return App(parts[0], parts[1])
    raise BadKey(f"{key!r} is nested too deep: use apps/<name>.zip or apps/<stage>/<name>.zip")


def receipt_key(upload_key: str) -> str:
    """The receipt beside an upload, whatever the upload's key looks like."""
    return upload_key.removesuffix(SUFFIX) + RECEIPT_SUFFIX


def upload_key(receipt_key: str) -> str:
    """The upload that a receipt lies beside."""
    return receipt_key.removesuffix(RECEIPT_SUFFIX) + SUFFIX


def log_key(upload_key: str) -> str:
    """The build log beside an upload."""
    return upload_key.removesuffix(SUFFIX) + ".log"
