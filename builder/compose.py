"""Composition root of a builder: the toolchain of a request in, collaborators built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from auto_lambda.model import FrameworkName
from auto_lambda.redact import Redactor
from auto_lambda.tools import ToolError, environment_name, made_in
from builder.actions import Actions
from builder.dependencies.dependency_builder import DependencyBuilder
from builder.dependencies.layer import Layers
from builder.dependencies.lock import Resolver
from builder.dependencies.optional_groups import hint_of_groups
from builder.dependencies.uv import Uv
from builder.dependencies.wheel_builder import WheelBuilder
from builder.frameworks.base import Framework
from builder.frameworks.chalice.front_end import Chalice
from builder.frameworks.chalice.sam import Expander
from builder.frameworks.plain import Plain
from builder.frameworks.zappa.front_end import Zappa
from builder.proof.cold_start import Prover
from builder.protocol.messages import Toolchain
from builder.sandbox.bubblewrap import BubblewrapSandbox
from builder.sandbox.sandbox import IndexAccess, PlainSandbox, Sandbox


@dataclass(frozen=True, slots=True)
class Parts:
    """What a builder works with."""

    sandbox: Sandbox
    interpreters: Mapping[str, Path]
    uv: Uv
    wheel_builder: WheelBuilder
    layers: Layers
    dependencies: DependencyBuilder
    expander: Expander
    frameworks: Mapping[FrameworkName, Framework]
    prover: Prover


class RequestedTools:
    """Tool environments that the worker makes: a builder has no network to make one.

    Args:
        interpreters: Pythons of this machine, by minor.
        folders: where environments are.
        request: has an environment made, by name and minor, and returns its folder.
    """

    def __init__(
        self, interpreters: Mapping[str, Path], folders: Iterable[Path], request: Callable[[str, str], Path]
    ) -> None:
        self._interpreters = interpreters
        self._folders = tuple(folders)
        self._request = request

    def python(self, name: str, minor: str) -> Path:
        """Return the interpreter of an environment; see `auto_lambda.tools.Tools`."""
        base = self._interpreters.get(minor)
        if base is None:
            raise ToolError(f"this machine has no python{minor}")
        made = made_in(self._folders, environment_name(name, minor, base))
        return made or self._request(name, minor) / "bin" / "python"


def make_sandbox(toolchain: Toolchain, redact: Redactor | None = None) -> Sandbox:
    """Return what runs commands: bubblewrap, unless the toolchain says ``off``; ``redact`` hides secrets."""
    index = _index_access(toolchain)
    if toolchain.sandbox == "off":
        return PlainSandbox(index, redact=redact)
    homes = {Path(path).parents[1] for path in toolchain.interpreters.values()} - {Path("/usr"), Path("/")}
    return BubblewrapSandbox(PlainSandbox(redact=redact), homes, index)


def _index_access(toolchain: Toolchain) -> IndexAccess | None:
    found = toolchain.index
    return IndexAccess(Path(found.socket), found.environment) if found else None


def compose(
    toolchain: Toolchain, actions: Actions, request_tool: Callable[[str, str], Path], sandbox: Sandbox | None = None
) -> Parts:
    """Put a builder's collaborators together.

    Args:
        toolchain: the machine's tools.
        actions: work that others may have done before.
        request_tool: has a tool environment made, by name and minor, and returns its folder.
        sandbox: runs commands; by default the one that the toolchain names.
    """
    sandbox = sandbox or make_sandbox(toolchain)
    interpreters = {minor: Path(path) for minor, path in toolchain.interpreters.items()}
    tools = RequestedTools(interpreters, map(Path, toolchain.tools), request_tool)
    access = _index_access(toolchain)
    uv = Uv(sandbox, None, toolchain.settings, access)
    wheel_builder = WheelBuilder(uv, sandbox, tools, actions)
    layers = Layers(uv, wheel_builder, sandbox, actions)
    hosts = toolchain.index.hosts if toolchain.index else ()
    return Parts(
        sandbox=sandbox,
        interpreters=interpreters,
        uv=uv,
        wheel_builder=wheel_builder,
        layers=layers,
        dependencies=DependencyBuilder(Resolver(uv, actions), layers, interpreters, hosts),
        expander=Expander(sandbox, tools, toolchain.region),
        frameworks={
            "chalice": Chalice(sandbox, tools, actions, toolchain.region),
            "zappa": Zappa(sandbox, tools),
            "plain": Plain(),
        },
        prover=Prover(sandbox, tools, toolchain.region, hint=hint_of_groups),
    )
