"""Show a Python traceback as its author knows it: the app's own frames, no paths of this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_FRAME = re.compile(r'  File "(?P<file>.*)", line (?P<rest>\d+.*)')


def last_lines(text: str, shown: Mapping[Path, str], limit: int = 25) -> str:
    """Return the last lines of a formatted traceback.

    Args:
        text: as ``traceback.format_exception`` writes it.
        shown: folders whose frames are kept, each with what to call it: ``""`` or a name with a trailing slash.
        limit: how many lines.
    """
    kept: list[str] = []
    keep = True
    for line in text.splitlines():
        if frame := _FRAME.fullmatch(line):
            keep = any(Path(frame["file"]).is_relative_to(folder) for folder in shown)
        elif not line.startswith("    "):
            keep = True
        if keep:
            kept.append(with_names(line, shown))
    return "\n".join(kept[-limit:])


def with_names(text: str, shown: Mapping[Path, str]) -> str:
    """Replace folders in a text by their names."""
    for folder, name in sorted(shown.items(), key=lambda item: -len(str(item[0]))):
        if name != f"{folder}/":
            text = text.replace(f"{folder}/", name).replace(str(folder), name or ".")
    return text
