"""Compiles apps for the tests of the front ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from building import make_parts, make_source

from builder.model import Built, Draft, Layer


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def compile_in(
    folder: Path, files: Mapping[str, str], *, said: list[str] | None = None, sandbox: Any = None, **more: Any
) -> Draft:
    root = write(folder / "app", {".chalice/config.json": '{"version": "2.0", "app_name": "hello"}', **files})
    site = write(folder / "layer" / "python", more["site"]) if "site" in more else None
    source = make_source(root, config_stage=more.get("stage", "dev"), environment=more.get("environment"))
    layer = Layer(folder / "layer", Path("layer.zip"), "layers/x.zip", 0, 0) if site else None
    work = folder / "work"
    work.mkdir()
    say = (said if said is not None else []).append
    parts = make_parts(folder / "actions", sandbox)
    return parts.frameworks["chalice"].compile(Built(source, "", layer), work, say)


@pytest.fixture(scope="session")
def compile_chalice() -> Callable[..., Draft]:
    """``compile_chalice(folder, files, said=, sandbox=, stage=, site=, environment=)``, files as name to text."""
    return compile_in
