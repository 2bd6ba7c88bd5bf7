"""Proves packages made of a few lines, in the real sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.keys import App
from auto_lambda.model import Proof
from auto_lambda.tools import ToolEnvironments, interpreters
from builder.index.hosts import Indexes
from builder.model import Built, Draft, Layer, Source
from builder.proof.audit import Audits
from builder.proof.cold_start import Prover
from builder.sandbox.bubblewrap import BubblewrapSandbox
from builder.sandbox.sandbox import PlainSandbox, Sandbox
from worker.model import Artifact, Bundle, Upload

HANDLER = "def handler(event, context):\n    return {'event': event}\n"


def isolating() -> Sandbox:
    homes = {python.parents[1] for python in interpreters().values()} - {Path("/usr")}
    return BubblewrapSandbox(PlainSandbox(), homes, lambda: Indexes((), frozenset()))


@dataclass
class Proving:
    """``proving(files, ...)`` proves a package of one function ``Main``."""

    folder: Path
    sandbox: Sandbox
    init_seconds: float = 10.0

    def __call__(
        self,
        files: Mapping[str, str | bytes],
        site: Mapping[str, str | bytes] | None = None,
        functions: Mapping[str, Mapping[str, Any]] | None = None,
        said: list[str] | None = None,
        architecture: Any = "x86_64",
        **draft: Any,
    ) -> Proof:
        code = write(self.folder / "code", files)
        layer = None
        if site is not None:
            write(self.folder / "tree" / "python", site)
            layer = Layer(self.folder / "tree", Path("layer.zip"), f"layers/{self.folder.name}.zip", 5, 70)
        source = Source(
            upload=Upload(App("dev", "shop"), "uploads", "apps/dev/shop.zip"), tree=code, root=code, sha256="", size=0,
            framework="chalice", config_stage="dev", python="3.12", architecture=architecture,
        )  # fmt: skip
        functions = functions or {"Main": {}}
        template = {
            "Resources": {
                name: {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "app.handler", **more}}
                for name, more in functions.items()
            }
        }
        zipped = self.folder / "code.zip"
        zipped.write_bytes(b"123456789")
        bundle = Bundle(
            app=source.upload.app, framework="chalice", python="3.12", architecture=architecture, template=template,
            template_key="", artifacts=(Artifact(zipped, "bundles/1.zip"),), main="Main", has_url=False,
            health_path="/",
        )  # fmt: skip
        prover = Prover(
            self.sandbox, ToolEnvironments(), Audits(self.folder / "audits"), init_seconds=self.init_seconds
        )
        work = self.folder / "work"
        work.mkdir()
        made = replace(Draft(template, code, "Main"), **draft)
        return prover.prove(made, bundle, Built(source, "", layer), work, ([] if said is None else said).append)


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
