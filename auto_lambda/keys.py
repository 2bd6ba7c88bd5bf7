"""The grammar of object keys: which key deploys which app, the objects beside it, and the approvals of its rights."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_STAGE = "dev"
PREFIX = "apps/"
SUFFIX = ".zip"
ENDINGS = (SUFFIX, ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".7z", ".rar")
"""Of archives, in lower case. No object that the pipeline itself writes into the bucket has one."""
RECEIPT_SUFFIX = ".receipt.json"
GRANTS, APPROVALS = "grants/", ".approvals/"
"""Of the artifacts bucket."""
ROLLBACK = "auto-lambda-rollback"
"""Metadata of a zip that was uploaded for a rollback: the object version whose release is wanted."""
PROMOTION = "auto-lambda-promotion"
"""Metadata of a zip that was promoted: ``<stage>@<object version>`` of the same app, whose packages are wanted."""
AT_ONCE = "auto-lambda-at-once"
"""Metadata of a zip that was uploaded to get all traffic at once, whatever its ``[traffic]`` says: `YES`."""
YES = "yes"
_VERSION = re.compile(r"[A-Za-z0-9._~+/=-]{1,100}")  # S3's have 32 characters
NAME_PATTERN = "[a-z0-9][a-z0-9-]{0,39}"
"""Of an app's name and of a stage."""
_WORD = re.compile(NAME_PATTERN)
_OTHER, _LONGEST = re.compile(r"[^a-z0-9]+"), 40
_RESERVED = "al-"
"""Begins the names of stacks, ``al-<name>-<stage>``: of two apps, one would own names that begin with the other's."""
_RULE = "use 1 to 40 lower-case letters, digits and hyphens, the first one not a hyphen"


class BadKey(ValueError):
    """The key is under ``apps/`` but names no app; the message says which part is wrong."""


@dataclass(frozen=True, slots=True, order=True)
class App:
    """One deployment: an app in one stage. Everything in AWS is named after it."""

    stage: str
    name: str

    def __post_init__(self) -> None:
        for part, word in (("stage", self.stage), ("name", self.name)):
            if not _WORD.fullmatch(word):
                raise BadKey(f"the {part} {word!r} is not valid: {_RULE}{_suggestion(part, word)}")
        if f"{self.name}-".startswith(_RESERVED):
            other = plain_name(self.name) or "app"
            raise BadKey(f"the name {self.name!r} is not valid: stacks begin with {_RESERVED!r}, for example {other!r}")

    def __str__(self) -> str:
        return f"{self.stage}/{self.name}"

    @property
    def key(self) -> str:
        """The canonical upload key, always with the stage."""
        return f"{PREFIX}{self.stage}/{self.name}{SUFFIX}"

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that deploys the app, the canonical one first."""
        short = f"{PREFIX}{self.name}{SUFFIX}"
        return (self.key, short) if self.stage == DEFAULT_STAGE else (self.key,)

    @property
    def stack(self) -> str:
        """The CloudFormation stack. Not ``<name>-<stage>``, which ``zappa update`` would replace."""
        return f"al-{self.name}-{self.stage}"

    @property
    def flex_stack(self) -> str:
        """The stack of what an app needs on Fargate. No app's own: names and stages have no capital letters."""
        return f"{_RESERVED}Flex-{self.name}-{self.stage}"

    @property
    def function(self) -> str:
        """The function of an app with only one, named so that ``zappa status|tail|invoke`` find it."""
        return f"{self.name}-{self.stage}"


def parse(key: str) -> App:
    """Read ``apps/<stage>/<name>.zip`` or ``apps/<name>.zip`` (stage ``dev``).

    Raises:
        BadKey: the key has neither form, or a part of it is not valid.
    """
    if not (key.startswith(PREFIX) and key.endswith(SUFFIX)):
        raise BadKey(f"{key!r} is not apps/<name>.zip or apps/<stage>/<name>.zip")
    parts = key[len(PREFIX) : -len(SUFFIX)].split("/")
    if len(parts) == 1:
        return App(DEFAULT_STAGE, parts[0])
    if len(parts) == 2:
        return App(parts[0], parts[1])
    raise BadKey(f"{key!r} is nested too deep: use apps/<name>.zip or apps/<stage>/<name>.zip")


def wanted_release(metadata: Mapping[str, str]) -> str | None:
    """Return the object version that a zip's metadata asks to roll back to; None if it names none."""
    wanted = metadata.get(ROLLBACK, "")
    return wanted if _VERSION.fullmatch(wanted) else None


@dataclass(frozen=True, slots=True)
class Promotion:
    """The release that a promoted zip comes from: the same app's, in another stage. ``version``: of the zip there."""

    app: App
    version: str

    def __str__(self) -> str:
        return f"{self.app.stage}@{self.version}"


def promotion(app: App, metadata: Mapping[str, str]) -> Promotion | None:
    """Return the release that a zip's metadata says it was promoted from; None if it names none."""
    stage, _, version = metadata.get(PROMOTION, "").partition("@")
    if not _VERSION.fullmatch(version) or not _WORD.fullmatch(stage):
        return None
    return Promotion(App(stage, app.name), version)


def plain_word(text: str) -> str:
    """Return the nearest text that has only what names and stages may have; empty if nothing is left of it."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _OTHER.sub("-", plain).strip("-")[:_LONGEST].strip("-")


def plain_name(text: str) -> str:
    """Return the nearest text that an app may be called; empty if nothing is left of it."""
    word = plain_word(text)
    while f"{word}-".startswith(_RESERVED):
        word = word.removeprefix("al").removeprefix("-")
    return word


def _suggestion(part: str, text: str) -> str:
    better = plain_name(text) if part == "name" else plain_word(text)
    return f", for example {better!r}" if better else ""


def receipt_key(upload_key: str) -> str:
    """The key of the receipt beside an upload, even if the upload's key is not valid."""
    return upload_key.removesuffix(SUFFIX) + RECEIPT_SUFFIX


def upload_key(receipt_key: str) -> str:
    """The key of the upload that a receipt belongs to."""
    stem = receipt_key.removesuffix(RECEIPT_SUFFIX)
    # A receipt leaves out the ending .zip alone, and once: shop.zip.zip has the receipt shop.zip.receipt.json.
    misnamed = stem.lower().endswith(ENDINGS) and not stem.endswith(SUFFIX)
    return stem if misnamed else stem + SUFFIX


def log_key(upload_key: str) -> str:
    """The key of the build log beside an upload."""
    return upload_key.removesuffix(SUFFIX) + ".log"


def approval_key(app: App, digest: str) -> str:
    """Return the key of the approval of a set of permissions, named after its hash."""
    return f"{GRANTS}{app.stage}/{app.name}{APPROVALS}{digest}.json"
