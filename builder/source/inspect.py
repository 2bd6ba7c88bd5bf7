"""Find out what an unpacked tree holds: where the app is, its framework, stage, Python and architecture.

Everything is read as data; nothing of the upload runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App, BadKey
from auto_lambda.model import Architecture, FrameworkName, GuessedSettings
from builder.model import Options, Source
from builder.source import documents, functions, settings
from builder.source import options as options_file
from builder.source.guess.handlers import handler_tables
from builder.source.guess.servers import server_app
from builder.source.guess.settings import FILE as GUESSED_FILE
from builder.source.guess.settings import Guess, guess, imported_tops
from builder.source.guess.settings import shown as shown_path
from builder.source.modules import parse
from builder.source.other_tools.find import functions_in_template, ignored_templates, other_tool
from builder.source.other_tools.tables import say_it
from builder.source.problems import Problems, together
from builder.source.runtime import Defaults, choose_python, parse_architecture

__all__ = ["SUBFOLDERS", "Defaults", "Inspection", "examine", "inspect"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

SUBFOLDERS = ("api", "backend", "runtime", "server", "service", "app", "src", "lambda", "function", "web")
"""Where an app is looked for besides the top, in the order in which messages name them."""

_SETTINGS_FILES = f"{settings.CHALICE_CONFIG}, {settings.ZAPPA_FILES[0]} or {settings.PLAIN_FILE}"

_GUESSED = "the zip holds no settings, so these are used; to change them, save them as {file}: {text}"


@dataclass(frozen=True, slots=True)
class _AppLocation:
    """A folder that holds an app of one framework; ``shown`` is its path in the zip, ``""`` or ending in a slash.

    ``guess`` stands for settings that are not there.
    """

    root: Path
    shown: str
    framework: FrameworkName
    guess: Guess | None = None

    def __str__(self) -> str:
        return f"{self.framework} in {self.shown or 'the root of the zip'}"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found out about an upload.

    Attributes:
        root: the app's folder.
        framework: of the app.
        stage: of the app's own settings; None if it has none by the name that is asked for.
        options: those of ``auto-lambda.toml`` that are right.
        problems: what is wrong so far.
        source: None if what is wrong leaves anything of it open.
    """

    root: Path
    framework: FrameworkName
    stage: str | None
    options: Options
    problems: Problems
    source: Source | None


def inspect(app: App, tree: Path, defaults: Defaults) -> Source:
    """Inspect an unpacked upload.

    Args:
        app: which one it is, by the zip's key.
        tree: where it was unpacked.
        defaults: for what the app does not say.

    Raises:
        AppError: ``no-framework``, ``ambiguous-framework``, ``bad-config``, ``unknown-stage``, ``unknown-python``,
            ``unknown-architecture``.
    """
    found = examine(app, tree, defaults)
    found.problems.raise_all()
    assert found.source is not None  # noqa: S101 - without problems, there is one
    return found.source


def examine(app: App, tree: Path, defaults: Defaults) -> Inspection:
    """Inspect an unpacked upload as far as that can be done, and note what is wrong; see `inspect`.

    Raises:
        AppError: there is no app, or its settings can't be read.
    """
    problems = Problems()
    top, shown = _skip_single_folder(tree)
    options = options_file.read(top, shown, problems)
    place = problems.attempt(_find_app, tree, top, shown, options)
    if place is None:
        raise together(problems.found[:-1] or problems.found)  # wrong options may be why there is none
    problems.attempt(functions.check_for, place.framework, options.functions, shown + options_file.FILE)
    config, warnings = _required(problems, _settings, place, options)
    plain = place.framework == "plain"
    stage = app.stage if plain else problems.attempt(_config_stage, app, config.stage_names, options, place)
    folders = _folders_above(place.root, tree)
    named = problems.attempt(_python_settings, options, place, config, stage)
    python = problems.attempt(choose_python, named or (), folders, defaults)
    architecture = options.architecture or problems.attempt(_architecture, place, config, stage, defaults)
    source = None
    if stage is not None and python and architecture:
        source = Source(
            app=app,
            tree=tree,
            root=place.root,
            framework=place.framework,
            config_stage=stage,
            python=python.python,
            architecture=architecture,
            options=options,
            warnings=(*warnings, *_stage_warning(app, stage, config, options, place), *python.warnings),
            other_pythons=python.others,
            guessed=GuessedSettings(place.shown + GUESSED_FILE, place.guess.text) if place.guess else None,
        )
    return Inspection(place.root, place.framework, stage, options, problems, source)


def _required(problems: Problems, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call what the rest depends on, and raise all problems so far if it fails."""
    result = problems.attempt(call, *args, **kwargs)
    if result is None:
        problems.raise_all()
    assert result is not None  # noqa: S101 - it returns no None
    return result


def _settings(place: _AppLocation, options: Options) -> tuple[settings.Settings, tuple[str, ...]]:
    """Return the framework's own settings, with warnings."""
    config: settings.Settings
    warnings: tuple[str, ...] = ()
    if place.framework == "chalice":
        config = settings.read_chalice(place.root, place.shown)
        _require_app_py(place)
    elif place.framework == "zappa":
        if place.guess:
            (place.root / GUESSED_FILE).write_text(place.guess.text)  # whoever reads settings finds them
            warnings = (_GUESSED.format(file=place.shown + GUESSED_FILE, text=place.guess.text),)
        config = settings.read_zappa(place.root, place.shown)
        warnings += _ignored_settings_files(place.root)
    else:
        config = settings.NoSettings()
        _require_handlers(place, options)
        if options.stages:
            warnings = (f"[stages] in {options_file.FILE} is ignored, as a plain app has no stages of its own",)
    return config, (*warnings, *config.warnings, *ignored_templates(place.root, place.shown))


def _skip_single_folder(tree: Path) -> tuple[Path, str]:
    """Return the tree, or its only folder if it holds nothing else, as in archives from code hosts."""
    entries = list(tree.iterdir())
    if len(entries) == 1 and entries[0].is_dir() and not entries[0].name.startswith("."):
        return entries[0], f"{entries[0].name}/"
    return tree, ""


def _find_app(tree: Path, top: Path, shown: str, options: Options) -> _AppLocation:
    folders = [
        (top / folder, shown if folder == "." else f"{shown}{folder}/")
        for folder in ((".", *SUBFOLDERS) if options.root is None else (options.root,))
    ]
    places = [place for root, name in folders for place in _apps_in(root, name)]
    places = [place for place in places if options.framework in (None, place.framework)]
    if not (places or options.root or options.framework or options.functions) and (error := other_tool(top, shown)):
        raise error
    places = places or _plain(folders, options) or _guessed(tree, top, options)
    if not places:
        raise _no_app_found(top, shown, options)
    if len(places) > 1:
        raise AppError(
            Code.AMBIGUOUS_FRAMEWORK,
            f"this zip holds more than one app: {'; '.join(map(str, places))}",
            hint=f"Choose one in {options_file.FILE}: set root = '...' or framework = '...'.",
        )
    place = places[0]
    if place.root != top and (place.root / options_file.FILE).is_file():
        raise AppError(
            Code.BAD_CONFIG,
            f"{place.shown}{options_file.FILE} is not at the top of the zip, where it would be read",
            hint=f"Move it to {shown}{options_file.FILE}.",
        )
    return place


def _apps_in(root: Path, shown: str) -> list[_AppLocation]:
    found: list[_AppLocation] = []
    if settings.is_chalice_project(root):
        found.append(_AppLocation(root, shown, "chalice"))
    if settings.zappa_settings_files(root):
        found.append(_AppLocation(root, shown, "zappa"))
    return found


def _plain(folders: list[tuple[Path, str]], options: Options) -> list[_AppLocation]:
    """Return where plain handlers are: these count only where nothing else does, unless the app asks for them."""
    if options.framework not in (None, "plain"):
        return []
    root, name = folders[0]
    if root.is_dir() and any(one.handler for one in options.functions.values()):
        return [_AppLocation(root, name, "plain")]
    return [_AppLocation(root, name, "plain") for root, name in folders if (root / settings.PLAIN_FILE).is_file()]


def _guessed(tree: Path, top: Path, options: Options) -> list[_AppLocation]:
    """Return where a web app without settings is."""
    if options.framework not in (None, "zappa") or (top / "zappa_settings.py").is_file():
        return []
    if options.root is None and _app_folders(top):
        return []  # guessed settings in their place would open to all what they protect
    root = top / (options.root or ".")
    found = guess(tree, root, fixed=options.root is not None) if root.is_dir() else None
    return [_AppLocation(found.root, shown_path(found.root, tree), "zappa", found)] if found else []


def _no_app_found(top: Path, shown: str, options: Options) -> AppError:
    where = shown or "the root of the zip"
    if options.root or options.framework:
        message = (
            f"{options_file.FILE} asks for {options.framework or 'an app'} in {options.root or where}, but "
            f"there is no such app"
        )
        return AppError(Code.NO_FRAMEWORK, message, hint=f"Correct root or framework in {options_file.FILE}.")
    if not _app_folders(top) and (error := functions_in_template(top, shown) or _of_own_server(top)):
        return error
    message = f"no chalice, zappa or plain app was found: no {_SETTINGS_FILES} in {where} or in {', '.join(SUBFOLDERS)}"
    if (top / "zappa_settings.py").is_file():
        message += "; zappa_settings.py holds no settings of zappa's"
    return AppError(Code.NO_FRAMEWORK, message, hint=_no_app_hint(top, shown))


def _of_own_server(top: Path) -> AppError | None:
    """Return the error for an app that only a server of its own runs, None if a hint knows something better."""
    found = None if handler_tables(top) else server_app(top)
    return AppError(Code.NO_FRAMEWORK, found.message, hint=found.hint) if found else None


def _no_app_hint(top: Path, shown: str) -> str:
    """Guess why no app was found."""
    if inner := _only_zip(top):
        return f"The zip holds only another one, {inner}: drop that one, or zip the app's folder itself."
    if (top / "zappa_settings.py").is_file():
        return "zappa's settings are a .json, .toml or .yml file: run `zappa init`, which writes zappa_settings.json."
    plain = [folder.name for folder in sorted(top.iterdir()) if (folder / settings.PLAIN_FILE).is_file()]
    if elsewhere := _app_folders(top) or plain:
        return f"There is an app in {elsewhere[0]}/: set root = '{elsewhere[0]}' in {shown}{options_file.FILE}."
    if tables := handler_tables(top):
        return say_it(tables)
    if (top / "app.py").is_file() and (tree := parse(top / "app.py")) and "chalice" in imported_tops(tree):
        return (
            "app.py makes a chalice app, whose hidden folder .chalice was left out: zip with `zip -r app.zip .`, as "
            '`*` does not match hidden names. If there is none, save {"version": "2.0"} as .chalice/config.json.'
        )
    if (top / "app.py").is_file():
        return (
            "If it is a chalice app, the hidden folder .chalice was left out: zip with `zip -r app.zip .`, as `*` "
            f"does not match hidden names. If it is a handler, name it in {options_file.FILE}, as in "
            '[functions.api] handler = "app.handler". If it is another kind of app, run `zappa init` first.'
        )
    return (
        f"Zip the folder that holds .chalice/, zappa_settings.json or {settings.PLAIN_FILE}, not its files one by "
        f'one; or name a handler in {options_file.FILE}, as in [functions.api] handler = "module.function".'
    )


def _app_folders(top: Path) -> list[str]:
    """Return the folders with a framework's settings, at any depth, in the order of their names."""
    folders = (Path(folder) for folder, _, _ in os.walk(top))
    return sorted(folder.relative_to(top).as_posix() for folder in folders if _apps_in(folder, ""))


def _only_zip(top: Path) -> str | None:
    """Return the name of the only file, if it is a zip."""
    names = [entry.name for entry in top.iterdir()]
    return names[0] if len(names) == 1 and names[0].lower().endswith(".zip") else None


def _require_app_py(place: _AppLocation) -> None:
    if not any((place.root / name).is_file() for name in ("app.py", "app/__init__.py")):
        raise AppError(
            Code.NO_FRAMEWORK,
            f"{place.shown}{settings.CHALICE_CONFIG} is there, but no {place.shown}app.py, which chalice imports",
            hint="Put app.py with the Chalice object beside the .chalice folder.",
        )


def _require_handlers(place: _AppLocation, options: Options) -> None:
    without = [name for name, one in options.functions.items() if not one.handler]
    if without and not (place.root / settings.PLAIN_FILE).is_file():
        raise documents.bad_config(
            options_file.FILE,
            f"{documents.join_names(f'functions.{name}' for name in without)} has no handler",
            hint=f'Name one, as in handler = "module.function"; without one it is that of {settings.PLAIN_FILE}.',
        )


def _ignored_settings_files(root: Path) -> tuple[str, ...]:
    read, *others = settings.zappa_settings_files(root)
    return tuple(f"{other} is ignored, as zappa reads only {read} if both exist" for other in others)


def _config_stage(app: App, names: tuple[str, ...], options: Options, place: _AppLocation) -> str:
    """Map a bucket stage to the app's own: as configured, else of the same name, else the only one."""
    if len(names) == 1 and app.stage not in options.stages:
        return names[0]
    chosen = options.stages.get(app.stage, app.stage)
    if chosen in names:
        return chosen
    reason = f" ({options_file.FILE} says so)" if app.stage in options.stages else ""
    raise AppError(
        Code.UNKNOWN_STAGE,
        f"the upload's stage {app.stage!r} would be stage {chosen!r} of this {place.framework} app{reason}, which "
        f"defines only: {documents.join_names(names)}",
        hint=f'{_drop_hint(names)} under [stages] in {options_file.FILE}: {app.stage} = "{names[0]}".',
    )


def _stage_warning(
    app: App, stage: str, config: settings.Settings, options: Options, place: _AppLocation
) -> tuple[str, ...]:
    """Warn of a stage that gets the settings of another, because the app has no others and nobody has said so."""
    written = () if place.guess or isinstance(config, settings.NoSettings) else tuple(config.stages)
    if stage not in written or stage == app.stage or app.stage in options.stages:
        return ()
    return (
        f"stage {app.stage} gets the settings of stage {stage}, the only one in the app's {place.framework} settings: "
        f'if that is meant, write {app.stage} = "{stage}" under [stages] in {options_file.FILE}, else add the stage',
    )


def _drop_hint(names: tuple[str, ...]) -> str:
    """Offer only stages that a key may name."""
    keys = [name for name in names if _may_be_key(name)]
    return f"Drop it under stage {documents.join_names(keys)}, or map it" if keys else "Map it"


def _may_be_key(stage: str) -> bool:
    try:
        App(stage, "any")
    except BadKey:
        return False
    return True


def _python_settings(
    options: Options, place: _AppLocation, config: settings.Settings, stage: str | None
) -> tuple[tuple[Any, str], ...]:
    named: list[tuple[Any, str]] = [(options.python, f"python in {options_file.FILE}")]
    if place.framework == "zappa" and stage is not None:
        named.append((config.get(stage, "runtime"), "'runtime' in the zappa settings"))
    return tuple(named)


def _folders_above(root: Path, tree: Path) -> tuple[Path, ...]:
    """Return the app's folder and those above it, up to the tree."""
    return tuple(folder for folder in (root, *root.parents) if folder.is_relative_to(tree))


def _architecture(
    place: _AppLocation, config: settings.Settings, stage: str | None, defaults: Defaults
) -> Architecture:
    key = "lambda_architecture" if place.framework == "chalice" else "architecture"
    value = config.get(stage, key) if stage is not None else None
    return (
        defaults.architecture
        if value is None
        else parse_architecture(value, f"{key!r} in the {place.framework} settings")
    )
