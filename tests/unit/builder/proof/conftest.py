"""Proves packages made of a few lines, in the real sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from building import isolating, make_source

from auto_lambda.model import Proof
from auto_lambda.tools import ToolEnvironments
from builder.dependencies.optional_groups import hint_of_groups
from builder.model import Built, Draft, Foreseen, Layer, Packaging
from builder.proof.cold_start import Prover
from builder.sandbox.sandbox import PlainSandbox, Sandbox

HANDLER = "def handler(event, context):\n    return {'event': event}\n"


@dataclass
class Proving:
    """``proving(files, ...)`` proves a package of one function ``Main``."""

    folder: Path
    sandbox: Sandbox
    init_seconds: float = 10.0
    slim: bool = False
    ahead: Foreseen | bool = False  # what stands by, and may start already

    def __call__(
        self,
        files: Mapping[str, str | bytes],
        site: Mapping[str, str | bytes] | None = None,
        functions: Mapping[str, Mapping[str, Any]] | None = None,
        said: list[str] | None = None,
        architecture: Any = "x86_64",
        environment: Mapping[str, str] | None = None,
        **draft: Any,
    ) -> Proof:
        code = write(self.folder / "code", files)
        layer = None
        if site is not None:
            write(self.folder / "tree" / "python", site)
            layer = Layer(self.folder / "tree", Path("layer.zip"), f"layers/{self.folder.name}.zip", 5, 70)
        source = make_source(code, architecture=architecture, environment=environment)
        source = replace(source, options=replace(source.options, package=Packaging(slim=self.slim)))
        functions = functions or {"Main": {}}
        template = {
            "Resources": {
                name: {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "app.handler", **more}}
                for name, more in functions.items()
            }
        }
        zipped = self.folder / "code.zip"
        zipped.write_bytes(b"123456789")
        prover = Prover(self.sandbox, ToolEnvironments(), init_seconds=self.init_seconds, hint=hint_of_groups)
        work = self.folder / "work"
        work.mkdir()
        made, built = replace(Draft(template, code, "Main"), **draft), Built(source, "", layer)
        with prover.standby(built, work) as standby:
            if self.ahead:
                standby.begin(code, self.ahead if isinstance(self.ahead, Foreseen) else None)
            return prover.prove(made, built, zipped, work, ([] if said is None else said).append, standby)


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.fixture
def proving(tmp_path: Path) -> Proving:
    return Proving(tmp_path, isolating())


@pytest.fixture
def proving_plainly(tmp_path: Path) -> Callable[..., Proof]:
    return Proving(tmp_path, PlainSandbox())
