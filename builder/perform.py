"""Performs actions: each writes the files of its result into a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from auto_lambda.files import remove_tree
from auto_lambda.model import BuildLog
from builder.actions import ActionResult
from builder.compose import Parts
from builder.dependencies.layer import base_of, lock_of
from builder.dependencies.lock import resolve, write_resolution
from builder.dependencies.question import question_of
from builder.dependencies.uv import BuildTarget, target_of
from builder.dependencies.wheel_builder import input_of
from builder.frameworks.chalice.sam import EXPANDED
from builder.protocol import tree_files
from builder.protocol.files import describe
from builder.protocol.messages import Action, ActionKind, File, LayerBase
from builder.sandbox.bubblewrap import BubblewrapSandbox, SandboxMissing

CHECK = "check.json"
"""The file of a ``check``: ``{"problem": ...}``, null where untrusted code can be isolated."""


def perform(action: Action, parts: Parts, into: Path, work: Path, log: BuildLog, base: LayerBase | None = None) -> bool:
    """Do what an action asks for.

    Args:
        action: what to do.
        parts: what to do it with.
        into: an empty folder for the files of the result.
        work: an empty writable folder.
        log: takes lines for the uploader's log.
        base: what a layer may be made on.

    Returns:
        Whether the result's ``tree`` has only what the base's has not.

    Raises:
        AppError: the uploader can fix it.
        OurTrouble: our side failed.
    """
    if action.kind == "layer":
        return _layer(action.inputs, parts, into, work, log, base)
    _PERFORMERS[action.kind](action.inputs, parts, into, work, log)
    return False


def describe_result(into: Path, opened: ExitStack) -> list[tuple[File, int]]:
    """Describe and open the files of a result, its folder ``tree`` as two files; ``opened`` closes them."""
    if (tree := into / "tree").is_dir():
        tree_files.write_tree(tree, into / tree_files.INDEX, into / tree_files.CONTENT)
    return [describe(path, path.name, opened) for path in sorted(into.iterdir()) if path.is_file()]


class ActionsHere:
    """Performs actions in this process, for who has no worker to ask: the image's self-test, and tests.

    Args:
        folder: an existing folder for results.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.parts: Parts | None = None

    def run(self, action: Action, log: BuildLog) -> ActionResult:
        """Perform it; see `Actions.run`. A result that is there already is taken."""
        assert self.parts is not None  # noqa: S101 - they hold each other, so one is set afterwards
        into = self._folder / action.kind / action.key
        if not into.exists():
            work, fresh = (into.with_name(f"{into.name}.{suffix}") for suffix in ("work", "new"))
            try:
                work.mkdir(parents=True)
                fresh.mkdir()
                perform(action, self.parts, fresh, work, log)
                fresh.rename(into)
            finally:
                remove_tree(work)
                remove_tree(fresh)
        return ActionResult(into, action.key)


def _check(_: Mapping[str, Any], parts: Parts, into: Path, _work: Path, _say: BuildLog) -> None:
    problem = None
    if isinstance(parts.sandbox, BubblewrapSandbox):
        try:
            parts.sandbox.check()
        except SandboxMissing as error:
            problem = str(error)
    (into / CHECK).write_text(json.dumps({"problem": problem}))


def _resolve(inputs: Mapping[str, Any], parts: Parts, into: Path, work: Path, log: BuildLog) -> None:
    found = resolve(question_of(inputs), _target(inputs, parts), parts.uv, work, log)
    write_resolution(found, into)


def _layer(
    inputs: Mapping[str, Any], parts: Parts, into: Path, work: Path, log: BuildLog, base: LayerBase | None
) -> bool:
    on = base_of(Path(base.folder), base.inputs) if base else None
    return parts.layers.make(lock_of(inputs), _target(inputs, parts), into, work, log, on)


def _wheel(inputs: Mapping[str, Any], parts: Parts, into: Path, work: Path, log: BuildLog) -> None:
    target = _target(inputs, parts)
    out = parts.wheel_builder.build(input_of(inputs, target), target, work, log)
    for path in out.iterdir():
        shutil.move(path, into / path.name)


def _expand(inputs: Mapping[str, Any], parts: Parts, into: Path, work: Path, log: BuildLog) -> None:
    text = parts.expander.expand(inputs["sam"], inputs["tracing"], inputs["python"], work, log)
    (into / EXPANDED).write_text(text)


def _target(inputs: Mapping[str, Any], parts: Parts) -> BuildTarget:
    return target_of(inputs["python"], inputs["architecture"], parts.interpreters)


_PERFORMERS: Mapping[ActionKind, Callable[[Mapping[str, Any], Parts, Path, Path, BuildLog], None]] = {
    "check": _check, "resolve": _resolve, "wheel": _wheel, "expand": _expand,
}  # fmt: skip
