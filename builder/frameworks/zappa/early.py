"""Find what is wrong with a zappa app by its files alone, before anything is built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from builder.diagnosis.old_code import old_files, python2_error
from builder.diagnosis.syntax import clean
from builder.frameworks.zappa.events import called_functions
from builder.frameworks.zappa.settings import StageSettings, balancer_problems, settings_problems
from builder.frameworks.zappa.template import template_problems
from builder.lint.limits import why_reserved, why_too_large
from builder.model import Options
from builder.source import documents
from builder.source.guess.objects import MADE_BY
from builder.source.guess.places import made_by
from builder.source.guess.servers import server_of
from builder.source.modules import binds, is_dotted, module_of, modules, parse, reachable
from builder.source.problems import Problems
from builder.source.python_path import VARIABLE
from builder.source.settings import read_zappa

_LOADED_BEFORE = frozenset({"site", "os", "sys", "io", "abc", "codecs", "types", "json", "logging", "re", "time"})
"""Modules that are there before anything of the app is: one of the app by such a name is never imported."""

_MODULE_HINT = "Write module.object, with the module's path from the folder of the settings file, as in app.app."
_PYTHON2_HINT = "Port it to Python 3, or leave it out by `exclude`; Lambda runs no Python 2."
_EXCLUDED = ("pip", "docutils*", "setuputils*", ".git", ".venv", "*.Python", "*.hg")  # as zappa does by itself
_DOTTED = re.compile(r"\w+(\.\w+)+", re.ASCII)
_POLICY_FILES = ("attach_policy", "apigateway_policy")
_MANIFESTS = ("requirements*.txt", "requirements/*.txt", "*.toml", "Pipfile*", "*.lock", "setup.*", "environment.y*ml")
_MOST_BYTES = 1_000_000


def file_problems(root: Path, stage: str | None, app: App, options: Options) -> Iterator[AppError]:
    """Yield the problems of a zappa app.

    Args:
        root: the app's folder.
        stage: of its settings; None if it has none by the name that is asked for.
        app: which one it is, by the zip's key.
        options: of ``auto-lambda.toml``.

    Raises:
        AppError: the settings' ``extends`` leads nowhere.
    """
    settings = StageSettings(read_zappa(root).stage(stage) if stage is not None else {})
    yield from settings_problems(settings)
    yield from balancer_problems(StageSettings(settings.values, found=[]), options.flex)
    writes = settings.values.get("prebuild_script") or settings.values.get("callbacks")
    if stage is not None and not writes:  # a hook may write files and change settings
        yield from template_problems(app, settings)
        yield from _limit_problems(settings, options)
        yield from Modules(root, settings, options).problems()
        yield from _policy_problems(root, settings)
    if error := python2_error(root, _old(root, settings, loaded=True), _PYTHON2_HINT):
        yield error


def old_code_warnings(root: Path, settings: StageSettings) -> tuple[str, ...]:
    """Return a warning for code in Python 2 that is packaged, but not loaded with the app."""
    error = python2_error(root, _old(root, settings, loaded=False), "")
    return (f"{error.message.splitlines()[0]}; it would fail if anything imported it",) if error else ()


def _old(root: Path, settings: StageSettings, *, loaded: bool) -> Iterator[tuple[Path, SyntaxError]]:
    """Yield files that cannot be parsed, of those that are loaded with the app, or of the others."""
    found = [one for one in old_files(root) if not _is_excluded(one[0].relative_to(root), settings)]
    certain = loaded_modules(root, settings) if found else set()
    yield from (one for one in found if (one[0] in certain or not certain) == loaded)


def loaded_modules(root: Path, settings: StageSettings) -> set[Path]:
    """Return the modules that are loaded with what the settings name; empty if nothing of that is in the zip.

    Django loads what is named in its settings and URLs, which are code: all modules in packages count.
    """
    noting = StageSettings(settings.values, found=[])  # types are checked elsewhere
    named = (noting.text("app_function"), noting.text("lambda_handler"), *(one for _, one in called_functions(noting)))
    names = {noting.text("django_settings"), *(one.rpartition(".")[0] for one in named)}
    entries = [path for name in names if name and (path := module_of(root, name))]
    found = {path for entry in entries for path, _ in reachable(root, entry)}
    if noting.text("django_settings"):
        found |= {path for path in modules(root) if (path.parent / "__init__.py").is_file()}
    return found


def _limit_problems(settings: StageSettings, options: Options) -> Iterator[AppError]:
    noting = StageSettings(settings.values, found=[])  # types are checked elsewhere
    own = noting.text_mapping("aws_environment_variables")
    if own and (reason := why_too_large({**own, **options.environment})):
        yield AppError(
            Code.BAD_CONFIG, f"the zappa setting aws_environment_variables: {reason}",
            hint="Move them to environment_variables, which zappa keeps in a file, or into the parameter store.",
        )  # fmt: skip
    for reason in why_reserved(noting.text_mapping("tags")):
        yield AppError(Code.BAD_CONFIG, f"the zappa setting tags: {reason}", hint="Remove it, or give it another name.")


class Modules:
    """The modules and functions that a stage's settings name, looked up in the zip without importing them."""

    def __init__(self, root: Path, settings: StageSettings, options: Options) -> None:
        self._root = root
        self._settings = settings
        sections = (settings.values.get(name) for name in ("environment_variables", "aws_environment_variables"))
        named = (name for section in sections if isinstance(section, dict) for name in section)
        own_path = VARIABLE in {*options.environment, *named}
        self._installed = None if own_path else _manifests(root)

    def problems(self) -> Iterator[AppError]:
        """Yield an error for each that is missing."""
        for name, value in self._named():
            if error := self._problem(name, value):
                yield error

    def _named(self) -> Iterator[tuple[str, str]]:
        settings = StageSettings(self._settings.values, found=[])  # types are checked elsewhere
        if function := settings.text("app_function"):
            yield "app_function", function
        if project := settings.text("django_settings"):
            yield "django_settings", f"{project}."
        for name, function in called_functions(settings):
            if _DOTTED.fullmatch(function):  # if not, its event is wrong
                yield name, function

    def _problem(self, name: str, value: str) -> AppError | None:
        module, dot, wanted = value.rpartition(".")
        if name == "app_function" and (not dot or not wanted or value.endswith(".py")):
            what = f"app_function {clean(value)!r} is not of the form module.object"
            return AppError(Code.COMPILE_FAILED, what, hint=_MODULE_HINT)
        shown = f"{name} is {clean(value.rstrip('.'))!r}"
        path = module_of(self._root, module)
        if not is_dotted(module):
            return None  # zappa says what is wrong with it
        if path is None:
            if not self._is_missing(module):
                return None
            code = Code.COMPILE_FAILED if name in ("app_function", "django_settings") else Code.HANDLER_MISSING
            return AppError(code, f"{shown}, but there is no module {clean(module)!r}", hint=_MODULE_HINT)
        if name == "app_function" and (error := self._not_callable(path, module, wanted)):
            return error
        tree = parse(path)
        if not wanted or tree is None or binds(tree, wanted) or self._is_there(f"{module}.{wanted}"):
            return None
        file = path.relative_to(self._root)
        return AppError(
            Code.HANDLER_MISSING, f"{shown}, but {file} defines no {clean(wanted)!r}",
            hint="Correct the name in the settings, or define it there.",
        )  # fmt: skip

    def _not_callable(self, path: Path, module: str, wanted: str) -> AppError | None:
        """Return the error for an app that zappa cannot call as the settings say."""
        if module in _LOADED_BEFORE:
            what = f"app_function is in {path.name}, but Python has loaded a module {module!r} of its own before"
            return AppError(Code.HANDLER_MISSING, what, hint=f"Rename {path.name}, and change app_function.")
        tree = parse(path)
        made = made_by(tree, wanted) if tree else ""
        asgi = StageSettings(self._settings.values, found=[]).text("app_type") == "asgi"
        if server := server_of(made):
            what = f"app_function is an app of {server.name}, which only a server of its own can run"
            return AppError(Code.COMPILE_FAILED, what, hint=server.hint)
        if MADE_BY.get(made) == "asgi" and not asgi:
            what = f"app_function is an ASGI app ({made}), and zappa would call it as a WSGI app"
            return AppError(Code.BAD_CONFIG, what, hint='Add "app_type": "asgi" to the zappa settings.')
        if MADE_BY.get(made) == "wsgi" and asgi:
            what = f"app_function is a WSGI app ({made}), and app_type 'asgi' would have it called as an ASGI app"
            return AppError(Code.BAD_CONFIG, what, hint="Remove app_type from the zappa settings.")
        return None

    def _is_missing(self, module: str) -> bool:
        """Return whether a module is neither in the zip nor, as far as the manifests tell, installed."""
        if self._installed is None or self._is_there(module):
            return False
        top, _, rest = module.partition(".")
        if self._is_there(top):
            return bool(rest)
        return re.sub(r"[-_.]", "", top).lower() not in self._installed

    def _is_there(self, module: str) -> bool:
        """Return whether a folder or file of the zip may be that module."""
        path = self._root.joinpath(*module.split("."))
        return path.is_dir() or module_of(self._root, module) is not None or any(path.parent.glob(f"{path.name}.*"))


def _manifests(root: Path) -> str:
    """Return the letters of everything that may say what is installed."""
    files = (path for pattern in _MANIFESTS for path in root.glob(pattern) if path.is_file() and not path.is_symlink())
    texts = (path.read_bytes()[:_MOST_BYTES].decode(errors="replace") for path in files)
    return re.sub(r"[-_.]", "", "\n".join(texts)).lower()


def _policy_problems(root: Path, settings: StageSettings) -> Iterator[AppError]:
    for name in _POLICY_FILES:
        file = settings.values.get(name)
        if not isinstance(file, str) or not file:
            continue
        path = root / file
        if not path.is_file():
            what = f"{name} names the file {clean(file)!r}, which does not exist"
            yield AppError(Code.MISSING_POLICY_FILE, what, hint="Put the file into the zip, or remove the setting.")
        elif path.suffix == ".json" and path.resolve().is_relative_to(root.resolve()):
            problems = Problems()
            problems.attempt(documents.read, path, clean(file))
            yield from problems.found


def _is_excluded(path: PurePath, settings: StageSettings) -> bool:
    """Return whether zappa may leave a file out of the package."""
    noting = StageSettings(settings.values, found=[])
    patterns = [*noting.texts("exclude"), *noting.texts("exclude_glob"), *_EXCLUDED]
    names = [*path.parts, *(str(parent) for parent in (path, *path.parents))]
    return any(fnmatchcase(name, pattern.removesuffix("/*").strip("/")) for name in names for pattern in patterns)
