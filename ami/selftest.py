"""Runs on the build instance: every interpreter builds a C extension and proves an app with it.

As for an upload: uv, isolated by bubblewrap, fetches the build requirements through the index proxy; then the app
starts without network, in the tool environment of the image.
"""

from __future__ import annotations

import os
import platform
import sys
from functools import partial
from pathlib import Path

from auto_lambda.errors import AppError
from auto_lambda.keys import App
from auto_lambda.model import Architecture
from auto_lambda.tools import ToolEnvironments, ToolError, interpreters, uv_executable
from builder.dependencies.uv import index_settings
from builder.index.hosts import discover
from builder.model import Built, Draft, Layer, Source
from builder.proof.audit import Audits
from builder.proof.cold_start import Prover
from builder.sandbox.bubblewrap import BubblewrapSandbox, SandboxMissing
from builder.sandbox.sandbox import Command, Limits, Outcome, PlainSandbox, Sandbox
from worker.model import Bundle, Upload

_NATIVE = """
#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *unused) { return PyLong_FromLong(6 * 7); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "native", "", -1, methods};
PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }
"""
_SETUP = "from setuptools import Extension, setup\n"
_SETUP += "setup(name='native', version='1', ext_modules=[Extension('native', ['native.c'])])\n"
_APP = """
import native
assert native.answer() == 42
def handler(event, context):
    return native.answer()
"""
_TEMPLATE = {"Resources": {"Main": {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "app.handler"}}}}


def build_and_prove(sandbox: Sandbox, minor: str, folder: Path) -> str:
    """Return what failed for one interpreter, "" if nothing did. ``folder`` is missing or empty."""
    code = folder / "code"
    for path, text in (
        (folder / "native" / "native.c", _NATIVE), (folder / "native" / "setup.py", _SETUP), (code / "app.py", _APP)
    ):  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    built = _build(sandbox, interpreters()[minor], folder)
    if not built.ok:
        return f"Python {minor} does not build a C extension: {built.output}"
    try:
        _prove(sandbox, minor, folder, code)
    except (AppError, RuntimeError, ToolError) as error:
        return f"Python {minor} does not start what it built: {error}"
    return ""


def _prove(sandbox: Sandbox, minor: str, folder: Path, code: Path) -> None:
    architecture: Architecture = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    source = Source(
        upload=Upload(App("dev", "selftest"), "none", "apps/dev/selftest.zip"), tree=code, root=code, sha256="", size=0,
        framework="chalice", config_stage="dev", python=minor, architecture=architecture,
    )  # fmt: skip
    bundle = Bundle(
        app=source.upload.app, framework="chalice", python=minor, architecture=architecture, template=_TEMPLATE,
        template_key="", artifacts=(), main="Main", has_url=False, health_path="/",
    )  # fmt: skip
    layer = Layer(folder / "layer", folder / "layer.zip", "", 0, 0)
    work = folder / "work"
    work.mkdir()
    prover = Prover(sandbox, ToolEnvironments(), Audits(folder / "audits"))
    prover.prove(Draft(_TEMPLATE, code, "Main"), bundle, Built(source, "", layer), work, _say)


def _build(sandbox: Sandbox, interpreter: Path, folder: Path) -> Outcome:
    uv = Path(uv_executable())
    environ = {**index_settings(os.environ), "UV_NO_CACHE": "1", "UV_PYTHON_DOWNLOADS": "never"}
    command = Command(
        (str(uv), "pip", "install", "--quiet", "--python", str(interpreter), "--target", "layer/python", "./native"),
        folder, environ, readable=(uv, interpreter.parents[1]), writable=(folder,), network=True,
        limits=Limits(wall=300),
    )  # fmt: skip
    return sandbox.run(command, _say)


def _say(line: str) -> None:
    print(f"  {line}", flush=True)  # noqa: T201


def main() -> int:
    """Run ``python -m ami.selftest FOLDER``; returns 0 if every interpreter passes."""
    folder = Path(sys.argv[1])
    homes = {path.parents[1] for path in interpreters().values()} - {Path("/usr"), Path("/")}
    sandbox = BubblewrapSandbox(PlainSandbox(), homes, partial(discover, os.environ))
    try:
        sandbox.check()
    except SandboxMissing as error:
        print(f"auto-lambda image: PROBLEM {error}")  # noqa: T201
        return 1
    problems = [build_and_prove(sandbox, minor, folder / minor) for minor in sorted(interpreters())]
    for problem in filter(None, problems):
        print(f"auto-lambda image: PROBLEM {problem}")  # noqa: T201
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(main())
