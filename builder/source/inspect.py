"""Find out what an unpacked tree holds: where the app is, its framework, stage, Python and architecture.

Everything is read as data; nothing of the upload runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App, BadKey
from auto_lambda.model import Architecture, FrameworkName
from builder.model import Options, Source
from builder.source import documents, settings
from builder.source import options as options_file
from builder.source.runtime import Defaults, choose_python, parse_architecture

__all__ = ["SUBFOLDERS", "Defaults", "inspect"]

SUBFOLDERS = ("api", "backend", "runtime", "server", "service", "app", "src", "lambda", "function", "web")
"""Where an app is looked for besides the top, in the order in which messages name them."""

_SETTINGS_FILES = f"{settings.CHALICE_CONFIG} or {settings.ZAPPA_FILES[0]}"


@dataclass(frozen=True, slots=True)
class _AppLocation:
    """A folder that holds an app of one framework; ``shown`` is its path in the zip, ``""`` or ending in a slash."""

    root: Path
    shown: str
    framework: FrameworkName

    def __str__(self) -> str:
        return f"{self.framework} in {self.shown or 'the root of the zip'}"


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
    top, shown = _skip_single_folder(tree)
    options = options_file.read(top, shown)
    place = _find_app(top, shown, options)
    warnings: tuple[str, ...] = ()
    config: settings.ChaliceConfig | settings.ZappaSettings
    if place.framework == "chalice":
        config = settings.read_chalice(place.root, place.shown)
        _require_app_py(place)
    else:
        config = settings.read_zappa(place.root, place.shown)
        warnings = _ignored_settings_files(place.root)
    warnings += config.warnings
    stage = _config_stage(app, config.stage_names, options, place)
    python = choose_python(_python_settings(options, place, config, stage), _folders_above(place.root, tree), defaults)
    return Source(
        app=app,
        tree=tree,
        root=place.root,
        framework=place.framework,
        config_stage=stage,
        python=python.python,
        architecture=options.architecture or _architecture(place, config, stage, defaults),
        options=options,
        warnings=warnings + python.warnings,
        other_pythons=python.others,
    )


def _skip_single_folder(tree: Path) -> tuple[Path, str]:
    """Return the tree, or its only folder if it holds nothing else, as in archives from code hosts."""
    entries = list(tree.iterdir())
    if len(entries) == 1 and entries[0].is_dir() and not entries[0].name.startswith("."):
        return entries[0], f"{entries[0].name}/"
    return tree, ""


def _find_app(top: Path, shown: str, options: Options) -> _AppLocation:
    folders = (".", *SUBFOLDERS) if options.root is None else (options.root,)
    places = [
        place
        for folder in folders
        for place in _apps_in(top / folder, shown if folder == "." else f"{shown}{folder}/")
        if options.framework in (None, place.framework)
    ]
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


def _no_app_found(top: Path, shown: str, options: Options) -> AppError:
    where = shown or "the root of the zip"
    if options.root or options.framework:
        message = (
            f"{options_file.FILE} asks for {options.framework or 'an app'} in {options.root or where}, but "
            f"there is no such app"
        )
        return AppError(Code.NO_FRAMEWORK, message, hint=f"Correct root or framework in {options_file.FILE}.")
    message = f"no chalice or zappa app was found: no {_SETTINGS_FILES} in {where} or in {', '.join(SUBFOLDERS)}"
    if (top / "zappa_settings.py").is_file():
        message += "; zappa_settings.py holds no settings of zappa's"
    return AppError(Code.NO_FRAMEWORK, message, hint=_no_app_hint(top))


def _no_app_hint(top: Path) -> str:
    """Guess why no app was found."""
    if inner := _only_zip(top):
        return f"The zip holds only another one, {inner}: drop that one, or zip the app's folder itself."
    if (top / "zappa_settings.py").is_file():
        return "zappa's settings are a .json, .toml or .yml file: run `zappa init`, which writes zappa_settings.json."
    elsewhere = [folder for folder in sorted(top.iterdir()) if folder.is_dir() and _apps_in(folder, "")]
    if elsewhere:
        return f"There is an app in {elsewhere[0].name}/: set root = '{elsewhere[0].name}' in {options_file.FILE}."
    if (top / "app.py").is_file():
        return (
            "If it is a chalice app, the hidden folder .chalice was left out: zip with `zip -r app.zip .`, as `*` "
            "does not match hidden names. If it is another kind of app, run `zappa init` first."
        )
    return "Zip the folder that holds .chalice/ or zappa_settings.json, not its files one by one."


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
    options: Options, place: _AppLocation, config: settings.ChaliceConfig | settings.ZappaSettings, stage: str
) -> tuple[tuple[Any, str], ...]:
    named: list[tuple[Any, str]] = [(options.python, f"python in {options_file.FILE}")]
    if place.framework == "zappa":
        named.append((config.get(stage, "runtime"), "'runtime' in the zappa settings"))
    return tuple(named)


def _folders_above(root: Path, tree: Path) -> tuple[Path, ...]:
    """Return the app's folder and those above it, up to the tree."""
    return tuple(folder for folder in (root, *root.parents) if folder.is_relative_to(tree))


def _architecture(
    place: _AppLocation, config: settings.ChaliceConfig | settings.ZappaSettings, stage: str, defaults: Defaults
) -> Architecture:
    key = "lambda_architecture" if place.framework == "chalice" else "architecture"
    value = config.get(stage, key)
    return (
        defaults.architecture
        if value is None
        else parse_architecture(value, f"{key!r} in the {place.framework} settings")
    )
