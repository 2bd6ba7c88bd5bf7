"""A builder's parts in this process: what they would have the worker do is done here, in a folder of the test's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from auto_lambda.keys import App
from auto_lambda.model import Architecture, BuildLog, FrameworkName
from auto_lambda.tools import ToolEnvironments, interpreters
from builder.actions import ActionResult, Actions
from builder.compose import Parts, compose
from builder.model import Options, Source
from builder.perform import ActionsHere
from builder.protocol.messages import Action, Index
from builder.sandbox.bubblewrap import BubblewrapSandbox
from builder.sandbox.sandbox import IndexAccess, PlainSandbox, Sandbox
from worker.builds.toolchain import IndexGate, Machine
from worker.index.hosts import Indexes, discover

NO_INDEXES = Indexes(("https://index.invalid/simple",), frozenset())
"""An index that does not exist."""


def quiet(_: str) -> None:
    """Take a line, and tell nobody."""


@contextmanager
def open_index(indexes: Callable[[], Indexes] | None = None, say: BuildLog = quiet) -> Iterator[Index]:
    """Give a way to the package indexes, by default to those of this machine; ``say`` hears of refused hosts."""
    gate = IndexGate(indexes or (lambda: discover(os.environ)))
    try:
        with gate.open(say) as index:
            yield index
    finally:
        gate.close()


def isolating(index: Index | None = None) -> BubblewrapSandbox:
    """Return the sandbox of a real builder."""
    homes = {python.parents[1] for python in interpreters().values()} - {Path("/usr"), Path("/")}
    access = IndexAccess(Path(index.socket), index.environment) if index else None
    return BubblewrapSandbox(PlainSandbox(), homes, access)


def make_parts(
    folder: Path,
    sandbox: Sandbox | None = None,
    *,
    index: Index | None = None,
    environ: Mapping[str, str] = os.environ,
    tools: ToolEnvironments | None = None,
    actions: Actions | None = None,
) -> Parts:
    """Return the parts of a builder.

    Args:
        folder: keeps the results of actions; made when missing.
        sandbox: runs commands; by default they are bounded, but not isolated.
        index: the way to the package indexes.
        environ: a worker's environment.
        tools: make tool environments.
        actions: run actions, by default with the same parts.
    """
    tools = tools or ToolEnvironments()
    toolchain = Machine(tools, "off", "us-east-1", environ).toolchain(index)
    actions = actions or ActionsHere(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = compose(toolchain, actions, lambda name, minor: tools.python(name, minor).parents[1], sandbox)
    if isinstance(actions, ActionsHere):
        actions.parts = parts
    return parts


class NoActions:
    """For tests that need none."""

    def run(self, action: Action, say: BuildLog) -> ActionResult:
        """Fail."""
        raise AssertionError(f"nobody was to ask for {action.kind}")


def make_source(
    root: Path,
    framework: FrameworkName = "chalice",
    python: str = "3.12",
    *,
    architecture: Architecture = "x86_64",
    environment: Mapping[str, str] | None = None,
    **more: Any,
) -> Source:
    """Return an app that lies at the top of its tree; ``more`` as for `Source`."""
    chosen = {"app": App("dev", "shop"), "config_stage": "dev", **more}
    options = Options(environment=environment or {})
    return Source(
        tree=root, root=root, framework=framework, python=python, architecture=architecture, options=options, **chosen
    )
