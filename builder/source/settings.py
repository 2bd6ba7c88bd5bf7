"""Read the settings of chalice and zappa as data; no code of the upload runs.

The lookup rules are the frameworks' own (chalice 1.34 ``config.Config``, zappa 0.63 ``cli.ZappaCLI``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auto_lambda.errors import AppError, Code
from builder.source import documents

CHALICE_CONFIG = ".chalice/config.json"
CHALICE_DEFAULT_STAGE = "dev"
PLAIN_FILE = "lambda_function.py"
"""Module of the handler that Lambda's console and its guides name, ``lambda_function.lambda_handler``."""
MAX_STAGE_NAME = 100
ZAPPA_FILES = ("zappa_settings.json", "zappa_settings.toml", "zappa_settings.yml", "zappa_settings.yaml")
"""In the order in which zappa looks for them."""


@dataclass(frozen=True, slots=True)
class ChaliceConfig:
    """The content of ``.chalice/config.json``. ``stages`` maps names to their settings as written there."""

    data: Mapping[str, Any]
    stages: Mapping[str, Mapping[str, Any]]
    warnings: tuple[str, ...] = ()

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The deployable stages: those in the file, or chalice's default ``dev`` if there are none."""
        return tuple(self.stages) or (CHALICE_DEFAULT_STAGE,)

    def get(self, stage: str, key: str) -> Any:
        """Look a setting up as chalice does: in the stage, else at the top level, else None."""
        own = self.stages.get(stage, {}).get(key)
        return self.data.get(key) if own is None else own


@dataclass(frozen=True, slots=True)
class ZappaSettings:
    """The content of a zappa settings file, named ``file``. ``stages`` maps names to settings before ``extends``."""

    file: str
    stages: Mapping[str, Mapping[str, Any]]
    warnings: tuple[str, ...] = ()

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The deployable stages."""
        return tuple(self.stages)

    def stage(self, name: str) -> dict[str, Any]:
        """Merge a stage's settings with those it extends; the nearer wins.

        Raises:
            AppError: ``bad-config`` for an ``extends`` that leads nowhere or in a circle.
        """
        merged: dict[str, Any] = {}
        for settings in reversed(list(self._extends_chain(name))):
            merged |= settings
        return merged

    def get(self, stage: str, key: str) -> Any:
        """Look a setting up in a stage and those it extends; None if it is nowhere."""
        return self.stage(stage).get(key)

    def _extends_chain(self, name: str) -> Iterator[Mapping[str, Any]]:
        seen: dict[str, None] = {}
        follow: Any = name
        while follow:
            if isinstance(follow, str) and follow in seen:
                circle = " -> ".join([*list(seen)[-10:], follow])
                raise documents.bad_config(
                    self.file,
                    f"'extends' is circular: {circle}",
                    hint="Let one of these stages stand alone.",
                )
            if not isinstance(follow, str) or follow not in self.stages:
                raise documents.bad_config(
                    self.file,
                    f"stage {[*seen][-1]!r} extends {documents.short_repr(follow)}, which does not exist",
                    hint=f"Extend one of: {documents.join_names(self.stages)}.",
                )
            seen[follow] = None
            yield self.stages[follow]
            follow = self.stages[follow].get("extends")


@dataclass(frozen=True, slots=True)
class NoSettings:
    """Stands for the settings of a plain app, which has none but ``auto-lambda.toml``."""

    warnings: tuple[str, ...] = ()

    @property
    def stage_names(self) -> tuple[str, ...]:
        """None: what differs between stages is up to the app."""
        return ()

    def get(self, stage: str, key: str) -> Any:  # noqa: ARG002  (like the settings of the others)
        """Return None."""
        return None


Settings = ChaliceConfig | ZappaSettings | NoSettings


def is_chalice_project(root: Path) -> bool:
    """Return whether a folder has ``.chalice/config.json``."""
    return (root / CHALICE_CONFIG).is_file()


def zappa_settings_files(root: Path) -> tuple[str, ...]:
    """List the zappa settings files of a folder; zappa reads the first."""
    return tuple(name for name in ZAPPA_FILES if (root / name).is_file())


def read_chalice(root: Path, shown: str = "") -> ChaliceConfig:
    """Read ``.chalice/config.json``; ``stages`` and ``app_name`` are optional.

    Args:
        root: the app's folder.
        shown: the app's folder inside the zip, ``""`` or ending in a slash, for messages.

    Raises:
        AppError: ``bad-config``.
    """
    file = f"{shown}{CHALICE_CONFIG}"
    data = documents.read(root / CHALICE_CONFIG, file)
    stages = data.get("stages", {})
    if not isinstance(stages, dict):
        raise documents.bad_config(file, "'stages' is not a mapping", hint='Write "stages": {"dev": {}}.')
    return ChaliceConfig(data, *_stages(file, stages))


def read_zappa(root: Path, shown: str = "") -> ZappaSettings:
    """Read the settings file that zappa would read.

    Raises:
        AppError: ``bad-config``; ``no-framework`` when there is none.
    """
    files = zappa_settings_files(root)
    if not files:
        raise AppError(
            Code.NO_FRAMEWORK,
            f"no zappa settings file in {shown or 'the root'}",
            hint="Run `zappa init` and zip again.",
        )
    file = shown + files[0]
    stages, warnings = _stages(file, documents.read(root / files[0], file, comments=True))
    if not stages:
        raise documents.bad_config(file, "it defines no stage", hint='Write at least one, as in {"dev": {...}}.')
    return ZappaSettings(file, stages, warnings)


def _stages(file: str, found: Mapping[Any, Any]) -> tuple[dict[str, Mapping[str, Any]], tuple[str, ...]]:
    """Return the stages, and warnings about what stands among them but is none; the frameworks pass over that, too."""
    stages: dict[str, Mapping[str, Any]] = {name: stage for name, stage in found.items() if isinstance(stage, dict)}
    stray = documents.join_names(documents.short_repr(name) for name in found if name not in stages)
    for name, stage in stages.items():
        _check_stage(file, name, stage)
    return stages, (f"{stray} in {file} is ignored, as it is no stage with settings",) if stray else ()


def _check_stage(file: str, name: Any, stage: Mapping[Any, Any]) -> None:
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= MAX_STAGE_NAME:
        raise documents.bad_config(
            file,
            f"{documents.short_repr(name)} can't be a stage's name",
            hint="Use a short text, in quotes if it needs them.",
        )
    if not all(isinstance(key, str) for key in stage):
        raise documents.bad_config(
            file, f"stage {name!r} is not a mapping of settings", hint="Give each stage its own settings."
        )
