"""Objects in the uploads bucket that look meant as an app, and are not named as one."""

from __future__ import annotations

from auto_lambda.keys import DEFAULT_STAGE, ENDINGS, PREFIX, SUFFIX, App, BadKey, parse, plain_name, plain_word

ANNOUNCED = (
    ".zip", ".ZIP", ".Zip", ".tar.gz", ".TAR.GZ", ".tgz", ".TGZ", ".tar.bz2", ".tar.xz", ".tar", ".TAR", ".7z", ".rar",
)  # fmt: skip
"""The endings that the bucket announces: its filters tell cases apart. No ending may be the end of another one."""
_STAGES = frozenset({"dev", "development", "prod", "production", "qa", "stage", "staging", "test", "testing"})
_FOLDERS = frozenset({"app", "apps"})
_ANY_NAME = "app"


def looks_meant(key: str) -> bool:
    """Tell whether an object looks meant as an app: an archive below ``apps/``, or where one is put by mistake.

    That is the top of the bucket, and a folder there that is called like ``apps`` or a usual stage. Archives elsewhere
    are somebody's own business.
    """
    if _ending(key) is None:
        return False
    first, *more = key.split("/")
    return key.startswith(PREFIX) or not more or first.lower() in _FOLDERS | _STAGES


def reason(key: str) -> str:
    """Return why the key names no app."""
    ending = _ending(key)
    if ending is None or key.endswith(SUFFIX):
        try:
            parse(key)
        except BadKey as error:
            return str(error)
        return f"{key!r} is taken"
    if ending == SUFFIX:
        return f"keys end in {SUFFIX!r}, in lower case, and this one in {key[-len(ending) :]!r}"
    return f"only zips are taken, and {key!r} is named like an archive of another kind"


def nearest(key: str) -> str:
    """Return the valid key that is nearest to one."""
    ending = _ending(key) or ""
    parts = [plain_word(part) for part in key[: len(key) - len(ending)].split("/")]
    if len(parts) > 1 and parts[0] in _FOLDERS:
        del parts[0]
    *folders, name = parts
    stage = next((part for part in folders if part in _STAGES), folders[-1] if folders else "")
    after = folders[folders.index(stage) + 1 :] if stage else []
    name = after[0] if after and after[0] else name
    short = not folders
    app = App(stage or DEFAULT_STAGE, plain_name(name) or _ANY_NAME)
    return f"{PREFIX}{app.name}{SUFFIX}" if short else app.key


def _ending(key: str) -> str | None:
    return next((ending for ending in ENDINGS if key.lower().endswith(ending)), None)
