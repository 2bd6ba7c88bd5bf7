"""Read JSON, TOML and YAML of an upload as plain data, within bounds.

The files are untrusted, so parsing them must take little time and memory: they are small by rule, and YAML's aliases
are counted as if written out before anything is built from them.
"""

from __future__ import annotations

import json
import re
import reprlib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import hjson
import yaml

from auto_lambda.errors import AppError, Code

MAX_BYTES = 256 * 1024
MAX_YAML_BYTES = 64 * 1024
"""PyYAML takes ten seconds for a hostile megabyte."""
MAX_YAML_NODES = 50_000
MAX_DEPTH = 40
MAX_LISTED = 20
_MAX_DOTS_PER_LINE = 500  # tomllib's time grows with the square of the parts of a dotted key
_SHORT_TAGS = ("!Ref", "!Condition")
_UNPRINTABLE = re.compile(r"[^ -~]")


def read(path: Path, shown: str, *, comments: bool = False) -> dict[str, Any]:
    """Read one settings file, a mapping at its top, by what its name ends in.

    Args:
        path: a plain file ending in json, toml, yml or yaml.
        shown: what to call it in messages: its path inside the zip.
        comments: JSON may also be Hjson, with comments and trailing commas, as zappa reads it.

    Raises:
        AppError: ``bad-config``, with the place of the first mistake.
    """
    text = _text(path, shown)
    try:
        data = _hjson(text) if comments and path.suffix == ".json" else _PARSERS[path.suffix](text)
        _check_depth(data)
    except RecursionError:
        raise bad_config(shown, "it is nested too deeply", hint=f"Flatten {shown}.") from None
    except (ValueError, yaml.YAMLError) as error:
        raise bad_config(
            shown, f"it can't be read: {_one_line(error)}", hint=f"Correct {shown} at that place."
        ) from None
    if not isinstance(data, dict):
        raise bad_config(
            shown, "its top level is not a mapping of names to values", hint=f"Start {shown} with a mapping."
        )
    return data


def read_template(path: Path, shown: str) -> dict[str, Any]:
    """Read YAML whose tags mean something to another program: every scalar as text.

    What has such a tag is a mapping of one key, as CloudFormation writes it in full: ``!Ref X`` is ``{"Ref": "X"}``,
    ``!Sub x`` is ``{"Fn::Sub": "x"}``.

    Raises:
        AppError: ``bad-config``.
    """
    try:
        node = yaml.compose(_text(path, shown), Loader=yaml.SafeLoader)
        if node is not None:
            _count_nodes(node, {})
        data = _untagged(node)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise bad_config(shown, f"it can't be read: {_one_line(error)}", hint=f"Correct {shown}.") from None
    return data if isinstance(data, dict) else {}


def _untagged(node: yaml.Node | None) -> Any:
    if isinstance(node, yaml.MappingNode):
        value: Any = {str(_untagged(name)): _untagged(value) for name, value in node.value}
    elif isinstance(node, yaml.SequenceNode):
        value = [_untagged(one) for one in node.value]
    else:
        value = None if node is None else node.value
    tag = str(node.tag) if node is not None else ""
    if not tag.startswith("!"):
        return value
    return {tag[1:] if tag in _SHORT_TAGS else f"Fn::{tag[1:]}": value}


def bad_config(shown: str, what: str, *, hint: str) -> AppError:
    """Return the error for a settings file with a value that makes no sense."""
    return AppError(Code.BAD_CONFIG, f"{shown}: {what}", hint=hint)


def short_repr(value: Any) -> str:
    """Return a value for a message: quoted, escaped, and short however large or deep it is."""
    try:
        return reprlib.repr(value)
    except ValueError:  # a number of more digits than Python writes out; TOML and YAML have it in base 16
        return f"a very long {type(value).__name__}"


def join_names(names: Iterable[str]) -> str:
    """Join names for a message, at most `MAX_LISTED` of them."""
    names = list(names)
    return ", ".join(names[:MAX_LISTED]) + (", ..." if len(names) > MAX_LISTED else "")


def _text(path: Path, shown: str) -> str:
    limit = MAX_YAML_BYTES if _PARSERS[path.suffix] is _yaml else MAX_BYTES
    if path.stat().st_size > limit:
        raise bad_config(shown, f"it is larger than {limit // 1024} KB", hint="Keep data out of settings files.")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise bad_config(shown, "it is not UTF-8 text", hint=f"Save {shown} as UTF-8.") from None
    if text.startswith("\ufeff") and path.suffix in (".json", ".toml"):  # no parser of these takes one
        raise bad_config(
            shown, "it begins with a byte order mark (BOM)",
            hint=f"Save {shown} as UTF-8 without a byte order mark (in editors: UTF-8, not UTF-8 with BOM).",
        )  # fmt: skip
    return text


def _check_depth(data: Any) -> None:
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise RecursionError


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML, but refuse lines with so many dots that a dotted key in them would take tomllib very long.

    Raises:
        ValueError: it is not TOML.
        RecursionError: it is nested too deeply.
    """
    if max(line.count(".") for line in text.split("\n")) > _MAX_DOTS_PER_LINE:
        raise RecursionError
    return tomllib.loads(text)


def _hjson(text: str) -> Any:
    """Parse Hjson. Of what is neither, JSON's own parser says best what is wrong."""
    try:
        return json.loads(text)
    except ValueError as error:
        try:
            return hjson.loads(text)
        except (ValueError, LookupError):
            raise error from None


def _yaml(text: str) -> Any:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        return None
    _count_nodes(node, {})
    try:
        return yaml.safe_load(text)
    except (LookupError, AttributeError):  # PyYAML's, of a text that is not what its tag says
        raise ValueError("a value is not of the kind that its tag (!!) names") from None


def _count_nodes(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the nodes with every alias written out, as merge keys really do."""
    if (count := known.get(id(node))) is not None:
        if count == 0:
            raise ValueError("an alias contains itself")
        return count
    known[id(node)] = 0
    count = 1
    if isinstance(node, yaml.SequenceNode):
        count += sum(_count_nodes(child, known) for child in node.value)
    elif isinstance(node, yaml.MappingNode):
        count += sum(_count_nodes(part, known) for pair in node.value for part in pair)
    if count > MAX_YAML_NODES:
        raise ValueError("it has too many values, each alias written out")
    known[id(node)] = count
    return count


def _one_line(error: Exception) -> str:
    """Return the parser's message and position in one line, without control characters or the text around it."""
    words = str(error)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        words = f"{error.problem} (at line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1})"
    return _UNPRINTABLE.sub("?", " ".join(words.split()))[:300]


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    ".json": json.loads,
    ".toml": parse_toml,
    ".yml": _yaml,
    ".yaml": _yaml,
}
