"""Tell which environment variables a module needs while it is imported; nothing of it runs.

Only code that runs in any case counts: a name that is missed is asked for by the next receipt, a false one misleads.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from builder.source.variables import settings_classes
from builder.source.variables.settings_classes import SettingsClass

_PARSERS = frozenset({"str", "int", "bool", "float", "decimal", "list", "dict", "json", "url", "uuid", "path", "db"})
_FAIL_ON_NONE = frozenset({"int", "float", "len", "bytes", "Path", "loads"})
_LONGEST = 255
_LONGEST_DOTTED = 10
_MOST_READERS = 1000  # that a module imports


@dataclass(frozen=True, slots=True)
class Reader:
    """What a name in a module has to do with variables.

    Attributes:
        kind: ``mapping`` (os.environ), ``getter`` (os.getenv), ``reader`` (called with a variable's name, fails without
            it), ``env``, ``config`` and ``dynaconf`` (classes of readers), ``validator`` (dynaconf's), ``settings`` (a
            class).
        prefix: of the variables.
        defaults: variables that it knows a default for.
        settings: of a class of settings.
    """

    kind: str
    prefix: str = ""
    defaults: frozenset[str] = frozenset()
    settings: SettingsClass = field(default_factory=SettingsClass)


_KNOWN = {
    "os.environ": "mapping", "os.getenv": "getter", "environs.Env": "env", "environs.env": "reader",
    "environ.Env": "env", "decouple.config": "reader", "starlette.config.Config": "config",
    "pydantic_settings.BaseSettings": "settings", "dynaconf.Dynaconf": "dynaconf", "dynaconf.Validator": "validator",
}  # fmt: skip
Imported = Callable[[ast.Import | ast.ImportFrom], Iterable[tuple[str, Reader]]]
"""Returns what an import of the app's own modules binds."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a module has to do with variables.

    Attributes:
        readers: what its names are.
        required: the variables that it reads in any case, without a default.
        aliases: what it keeps a variable as that it reads with no default, by name: of a module, an attribute, a key.
    """

    readers: Mapping[str, Reader]
    required: tuple[str, ...]
    aliases: Mapping[str, str]


def read_module(tree: ast.Module, imported: Imported = lambda _: ()) -> Reading:
    """Read one module.

    Args:
        tree: the module's.
        imported: knows the app's other modules.
    """
    known: dict[str, Reader] = {}
    found: list[str] = []
    kept: dict[str, str] = {}
    prefix = _dynaconf_prefix(tree)
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            known.update(_imported(statement))
            if len(known) < _MOST_READERS:
                known.update(islice(imported(statement), _MOST_READERS))
        elif isinstance(statement, ast.ClassDef):
            _learn_class(statement, known)
        elif isinstance(statement, ast.FunctionDef):
            _learn_function(statement, known)
        for node in _evaluated(statement):
            found += _reads(node, known, prefix)
        found += _refused(statement, known, kept)
        if isinstance(statement, ast.Assign):
            _learn_assignment(statement, known)
            for target in statement.targets:
                kept.pop(_identifier(target), None)
        kept.update(_aliases(statement, known))
    return Reading(known, tuple(found), kept)


def variables_at(tree: ast.Module, line: int, reading: Reading, aliases: Mapping[str, str]) -> list[str]:
    """Return the variables without a default that the statement on a line uses.

    Args:
        tree: the module's.
        line: of a traceback.
        reading: the module's.
        aliases: what the modules of the app keep variables as.
    """
    within = [
        one for one in ast.walk(tree) if isinstance(one, ast.stmt) and one.lineno <= line <= (one.end_lineno or 0)
    ]
    if not within:
        return []
    used = [
        _optional(node, reading.readers) or aliases.get(_identifier(node), "")
        for node in ast.walk(min(within, key=lambda one: (one.end_lineno or 0) - one.lineno))
    ]
    return list(filter(None, used))


def _imported(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Reader]]:
    if isinstance(statement, ast.Import):
        pairs = [(one.name, one.asname or one.name) for one in statement.names]
    elif not statement.level:
        pairs = [(f"{statement.module}.{one.name}", one.asname or one.name) for one in statement.names]
    else:
        return
    for full, name in pairs:
        for dotted, kind in _KNOWN.items():
            if dotted == full or dotted.startswith(f"{full}."):
                yield name + dotted[len(full) :], Reader(kind)


def _learn_class(statement: ast.ClassDef, known: dict[str, Reader]) -> None:
    bases = [one for base in statement.bases if (one := known.get(dotted(base))) and one.kind == "settings"]
    known.pop(statement.name, None)
    if len(bases) == 1 and (made := settings_classes.read_class(statement, bases[0].settings)):
        known[statement.name] = Reader("settings", settings=made)


def _learn_function(statement: ast.FunctionDef, known: dict[str, Reader]) -> None:
    """Learn a helper: it takes a variable's name first, and raises an exception if that is not set."""
    known.pop(statement.name, None)
    names = [*statement.args.posonlyargs, *statement.args.args]
    if not names:
        return
    nodes = list(ast.walk(statement))
    raises = any(_ends(one) for one in nodes)
    lenient = any(isinstance(one, ast.Try) for one in nodes) and not raises
    for node in nodes:
        strict = isinstance(node, ast.Subscript) and _kind(node.value, known) == "mapping"
        key = node.slice if strict and isinstance(node, ast.Subscript) else _asked_key(node, known)
        prefix = _prefix_before(key, names[0].arg) if key is not None else None
        if prefix is not None and ((strict and not lenient) or raises):
            known[statement.name] = Reader("reader", prefix)
            return


def _prefix_before(key: ast.expr, parameter: str) -> str | None:
    """Return what a key puts before a parameter, None if it is something else."""
    match key:
        case ast.Name(id=name) if name == parameter:
            return ""
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), ast.FormattedValue(value=ast.Name(id=name))]):
            return text if name == parameter else None
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Add(), right=ast.Name(id=name)):
            return text if name == parameter else None
    return None


def _learn_assignment(statement: ast.Assign, known: dict[str, Reader]) -> None:
    value = statement.value
    made = _instance(value, known) if isinstance(value, ast.Call) else known.get(dotted(value))
    for target in statement.targets:
        if isinstance(target, ast.Name):
            known.pop(target.id, None)
            if made:
                known[target.id] = made


def _instance(call: ast.Call, known: Mapping[str, Reader]) -> Reader | None:
    if _kind(call.func, known) not in ("env", "config"):
        return None
    prefix, defaults = "", set()
    for one in call.keywords:
        if one.arg in ("prefix", "env_prefix"):
            prefix = text(one.value) or ""
        elif isinstance(one.value, ast.Tuple):  # django-environ's: type and default
            defaults.add(one.arg or "")
        else:
            return None
    return Reader("reader", prefix, frozenset(defaults))


def _reads(node: ast.AST, known: Mapping[str, Reader], dynaconf: str) -> Iterator[str]:
    """Yield the variables that evaluating one expression fails without, what it is made of left aside."""
    match node:
        case ast.Subscript(value=value, slice=key, ctx=ast.Load()) if _kind(value, known) == "mapping":
            yield from filter(None, [_name("", key)])
        case ast.Call():
            yield from _called(node, known, dynaconf)
        case ast.Attribute(value=value) | ast.Subscript(value=value):
            yield from filter(None, [_optional(value, known)])
        case ast.BinOp(left=left, right=right, op=ast.Add()):
            yield from filter(None, [_optional(left, known), _optional(right, known)])


def _called(call: ast.Call, known: Mapping[str, Reader], dynaconf: str) -> Iterator[str]:
    reader = known.get(dotted(call.func))
    if reader and reader.kind == "settings" and not call.args and not call.keywords:
        yield from reader.settings.variables
    elif reader and reader.kind == "validator":
        yield from _validated(call, dynaconf)
    elif call.args and dotted(call.func).rpartition(".")[2] in _FAIL_ON_NONE:
        yield from filter(None, [_optional(call.args[0], known)])
    elif name := _asked(call, known):
        yield name


def _asked(call: ast.Call, known: Mapping[str, Reader]) -> str | None:
    """Return the variable that a reader is called for, without a default."""
    if len(call.args) != 1 or any(one.arg != "cast" for one in call.keywords):
        return None
    function = call.func
    if isinstance(function, ast.Attribute) and function.attr in _PARSERS:
        function = function.value
    reader = known.get(dotted(function))
    name = _name(reader.prefix, call.args[0]) if reader and reader.kind == "reader" else None
    return name if reader and name not in reader.defaults else None


def _validated(call: ast.Call, prefix: str) -> Iterator[str]:
    options = {one.arg: one.value for one in call.keywords}
    required = [options.pop(name, None) for name in ("must_exist", "required")]
    if any(isinstance(one, ast.Constant) and one.value is True for one in required) and not options.keys() & {
        "default", "when", "env"
    }:  # fmt: skip
        names = (_name(prefix, ast.Constant((text(one) or "").replace(".", "__").upper())) for one in call.args)
        yield from filter(None, names)


def _dynaconf_prefix(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in ("Dynaconf", "LazySettings"):
            given = next((one.value for one in node.keywords if one.arg == "envvar_prefix"), None)
            if isinstance(given, ast.Constant):
                return f"{given.value}_" if isinstance(given.value, str) else ""
    return "DYNACONF_"


def _refused(statement: ast.stmt, known: Mapping[str, Reader], kept: Mapping[str, str]) -> Iterator[str]:
    """Yield the variables without which a statement raises an exception of its own."""
    if isinstance(statement, ast.Assert):
        test: ast.expr | None = statement.test
    elif isinstance(statement, ast.If) and _ends(statement.body[-1]):
        test = _opposite(statement.test)
    else:
        return
    if test is not None:
        yield from filter(None, [_optional(test, known) or kept.get(_identifier(test))])


def _ends(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        node = node.value
    return isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and dotted(node.func) in ("sys.exit", "exit"))


def _opposite(test: ast.expr) -> ast.expr | None:
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return inner
        case ast.Compare(left=inner, ops=[ast.Is()], comparators=[ast.Constant(value=None)]):
            return inner
    return None


def _aliases(statement: ast.stmt, known: Mapping[str, Reader]) -> Iterator[tuple[str, str]]:
    for node in ast.walk(statement):
        pairs: list[tuple[ast.AST | None, ast.expr | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.Dict):
            pairs = list(zip(node.keys, node.values, strict=True))
        elif isinstance(node, ast.keyword) and node.arg and (name := _optional(node.value, known)):
            yield node.arg, name
        for target, value in pairs:
            if target is not None and (name := _optional(value, known)) and (kept := _identifier(target)):
                yield kept, name


def _identifier(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
    return ""


def _optional(node: ast.AST | None, known: Mapping[str, Reader]) -> str | None:
    """Return the variable that an expression reads, which is None if it is not set."""
    key = _asked_key(node, known)
    return _name("", key) if key is not None else None


def _asked_key(node: ast.AST | None, known: Mapping[str, Reader]) -> ast.expr | None:
    if not isinstance(node, ast.Call) or node.keywords:
        return None
    gets = (
        isinstance(node.func, ast.Attribute) and node.func.attr == "get" and _kind(node.func.value, known) == "mapping"
    )
    if not (gets or _kind(node.func, known) == "getter"):
        return None
    match node.args:
        case [key] | [key, ast.Constant(value=None)]:
            return key
    return None


def _evaluated(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the expressions that a statement evaluates in any case."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.IfExp | ast.If | ast.While):
            todo.append(node.test)
        elif isinstance(node, ast.BoolOp):
            todo.append(node.values[0])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            todo += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif isinstance(node, ast.AnnAssign):
            todo += filter(None, [node.value])
        elif not isinstance(
            node, ast.Lambda | ast.Try | ast.For | ast.With | ast.Match | ast.TryStar
            | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
        ):  # fmt: skip
            todo += reversed(list(ast.iter_child_nodes(node)))


def dotted(node: ast.AST) -> str:
    """Return the dotted name that an expression is, else an empty text."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < _LONGEST_DOTTED:
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def text(node: ast.AST) -> str | None:
    """Return the text that an expression is, else None."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _kind(node: ast.AST, known: Mapping[str, Reader]) -> str | None:
    found = known.get(dotted(node))
    return found.kind if found else None


def _name(prefix: str, node: ast.AST) -> str | None:
    name = f"{prefix}{text(node) or ''}"
    return name if text(node) and len(name) <= _LONGEST and name.isascii() and name.isidentifier() else None
