"""JSON, TOML and YAML of an upload, read as plain data within bounds.

These files come from strangers and are parsed on the trusted side, so nothing here may take long or much memory:
the files are small by rule, and YAML's aliases are counted as if written out before anything is built from them.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from worker.errors import AppError, Code

MAX_BYTES = 256 * 1024
MAX_YAML_NODES = 50_000
_UNPRINTABLE = re.compile(r"[^ -~]")


def read(path: Path, shown: str) -> dict[str, Any]:
    """Read one settings file, a mapping at its top, by what its name ends in.

    Args:
        path: a plain file ending in json, toml, yml or yaml.
        shown: what to call it in messages: its path inside the zip.

    Raises:
        AppError: ``bad-config``, with the place of the first mistake.
    """
    text = _text(path, shown)
    try:
        data = _PARSERS[path.suffix](text)
    except RecursionError:
        raise refuse(shown, "it is nested too deeply", hint=f"Flatten {shown}.") from None
    except (ValueError, yaml.YAMLError) as error:
        raise refuse(shown, f"it can't be read: {_oneline(error)}", hint=f"Correct {shown} at that place.") from None
    if not isinstance(data, dict):
        raise refuse(shown, "its top level is not a mapping of names to values", hint=f"Start {shown} with a mapping.")
    return data


def refuse(shown: str, what: str, *, hint: str) -> AppError:
    """The error for a settings file that says something it can't mean."""
    return AppError(Code.BAD_CONFIG, f"{shown}: {what}", hint=hint)


def _text(path: Path, shown: str) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise refuse(shown, f"it is larger than {MAX_BYTES // 1024} KB", hint="Keep data out of settings files.")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise refuse(shown, "it is not UTF-8 text", hint=f"Save {shown} as UTF-8.") from None


def _yaml(text: str) -> Any:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        return None
    _written_out(node, {})
    return yaml.safe_load(text)


def _written_out(node: yaml.Node, known: dict[int, int]) -> int:
    """How many nodes there are with every alias written out; merge keys really do write them out."""
    if (count := known.get(id(node))) is not None:
        if count == 0:
            raise ValueError("an alias contains itself")
        return count
    known[id(node)] = 0
    count = 1
    if isinstance(node, yaml.SequenceNode):
        count += sum(_written_out(child, known) for child in node.value)
    elif isinstance(node, yaml.MappingNode):
        count += sum(_written_out(part, known) for pair in node.value for part in pair)
    if count > MAX_YAML_NODES:
        raise ValueError("its aliases multiply into too many values")
    known[id(node)] = count
    return count


def _oneline(error: Exception) -> str:
    """The parser's own words in one line, without bytes that could disturb a terminal."""
    return _UNPRINTABLE.sub("?", " ".join(str(error).split()))[:300]


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    ".json": json.loads,
    ".toml": tomllib.loads,
    ".yml": _yaml,
    ".yaml": _yaml,
}
