"""Read which variables a class of pydantic's settings takes its fields from; nothing of it runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_PLAIN = frozenset({
    "env_prefix", "extra", "case_sensitive", "env_file", "env_file_encoding", "frozen", "validate_default",
    "str_strip_whitespace", "env_ignore_empty", "arbitrary_types_allowed",
})  # fmt: skip
_NO_FIELDS = ("ClassVar", "Annotated", "")
_OWN_WAYS = ("settings_customise_sources", "customise_sources")
_OF_THE_WHOLE = ("model_validator", "root_validator")  # may add what is missing
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class SettingsClass:
    """A class of settings: the prefix of its variables, and its fields without a default with their aliases."""

    prefix: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> list[str]:
        """Its variables that have no default."""
        names = (alias or f"{self.prefix}{name}" for name, alias in self.fields.items())
        return [name.upper() for name in names if len(name) <= _LONGEST and name.isascii() and name.isidentifier()]


def read_class(statement: ast.ClassDef, base: SettingsClass) -> SettingsClass | None:
    """Read a class, None where it reads its variables in its own way.

    Args:
        statement: the class's.
        base: what it inherits.
    """
    prefix, fields = base.prefix, dict(base.fields)
    for one in statement.body:
        options = _options(one)
        if options is not None:
            if not options.keys() <= _PLAIN:
                return None
            given = options.get("env_prefix")
            prefix = (_text(given) or "") if given else prefix
        elif isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            if one.name in _OWN_WAYS or any(_last_name(by) in _OF_THE_WHOLE for by in one.decorator_list):
                return None
        elif isinstance(one, ast.ClassDef):
            return None
        else:
            _learn_field(one, fields)
    return SettingsClass(prefix, fields)


def _options(statement: ast.stmt) -> dict[str, ast.expr] | None:
    """Return pydantic's options, if a statement gives them: as a call, a dict, or a class ``Config``."""
    match statement:
        case (
            ast.Assign(targets=[ast.Name(id="model_config")], value=value)
            | ast.AnnAssign(target=ast.Name(id="model_config"), value=value)
        ):
            return dict(_of(value))
        case ast.ClassDef(name="Config", body=body):
            return dict(pair for one in body for pair in _of_class(one))
    return None


def _of(value: ast.expr | None) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(value, ast.Call) and not value.args:
        yield from ((one.arg or "**", one.value) for one in value.keywords)
    elif isinstance(value, ast.Dict):
        yield from ((_text(key) or "?", one) for key, one in zip(value.keys, value.values, strict=True))
    else:
        yield "?", ast.Constant(None)


def _of_class(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            pass
        case _:
            yield "?", ast.Constant(None)


def _learn_field(statement: ast.stmt, fields: dict[str, str]) -> None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            fields.pop(name, None)
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
            fields.pop(name, None)
            kind = annotation.value if isinstance(annotation, ast.Subscript) else annotation
            known = _last_name(kind) not in _NO_FIELDS or isinstance(kind, ast.BinOp | ast.Constant)
            if known and not name.startswith("_") and (alias := _alias(value)) is not None:
                fields[name] = alias


def _alias(value: ast.expr | None) -> str | None:
    """Return the variable that a field names itself, an empty text if none, None if it has a default."""
    if value is None:
        return ""
    if not (isinstance(value, ast.Call) and _last_name(value.func) == "Field"):
        return None
    options = {one.arg: one.value for one in value.keywords}
    default = value.args[0] if value.args else options.get("default", ast.Constant(...))
    if "default_factory" in options or not (isinstance(default, ast.Constant) and default.value is ...):
        return None
    given = [options[name] for name in ("validation_alias", "alias", "env") if name in options]
    return "" if not given else _text(given[0])


def _last_name(node: ast.AST) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
