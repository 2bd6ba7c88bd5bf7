"""Runs on the build instance: every interpreter builds a C extension and proves an app with it.

It takes the worker's part. Each build runs as for an upload: in a builder with the settings of its unit, where uv,
isolated by bubblewrap, fetches the build requirements through the index proxy; then the app starts without network.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from auto_lambda.daemon.service import runtime_folder
from auto_lambda.errors import AppError
from auto_lambda.tools import ToolEnvironments, cache_folder, interpreters
from builder.protocol.messages import AppRequest
from worker.builds.action_cache import ActionCache
from worker.builds.client import Builds, check_isolation
from worker.builds.conversation import BuilderServices, BuildTrouble, NoListener
from worker.builds.launcher import SocketLauncher
from worker.builds.spares import Spares
from worker.builds.toolchain import IndexGate, Machine
from worker.builds.wheel_store import NoWheelStore
from worker.index.hosts import discover

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
from chalice import Chalice

assert native.answer() == 42
app = Chalice(app_name="selftest")

@app.route("/")
def index():
    return native.answer()
"""
_CONFIG = '{"version": "2.0", "app_name": "selftest", "stages": {"dev": {"lambda_architecture": "ARCHITECTURE"}}}'


class _Printed(NoListener):
    """Prints what the uploader would be told."""

    def say(self, text: str) -> None:
        print("\n".join(f"  {line}" for line in text.splitlines()), flush=True)  # noqa: T201


def build_and_prove(builds: Builds, minor: str, folder: Path) -> str:
    """Return what went wrong for one interpreter, "" if nothing did. ``folder`` is empty."""
    request = AppRequest(
        name="selftest", stage="dev", python=minor, pythons=[minor], today=datetime.now(UTC).date().isoformat()
    )
    into = folder / "result"
    into.mkdir()
    try:
        builds.build(request, _zipped(_upload(), folder / "upload.zip"), into, _Printed())
    except AppError as error:
        return f"Python {minor} does not build and start an app with a C extension: {error.message}"
    except BuildTrouble as error:
        return f"a build for Python {minor} failed: {error}"
    return ""


def _upload() -> Mapping[str, str]:
    architecture = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
    return {
        "app.py": _APP,
        ".chalice/config.json": _CONFIG.replace("ARCHITECTURE", architecture),
        "requirements.txt": "./native\n",
        "native/setup.py": _SETUP,
        "native/native.c": _NATIVE,
    }


def _zipped(files: Mapping[str, str], to: Path) -> Path:
    with zipfile.ZipFile(to, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return to


def main() -> int:
    """Run ``python -m ami.selftest SOCKET``, with the builders' socket; returns 0 if every interpreter passes."""
    machine = Machine(ToolEnvironments(), "bubblewrap", "us-east-1", os.environ)
    machine.tools.prepare()
    cache = ActionCache(cache_folder() / "actions", NoWheelStore())
    services = BuilderServices(Spares(SocketLauncher(Path(sys.argv[1])), 0), cache, machine)
    gate = IndexGate(partial(discover, os.environ), runtime_folder())
    problems = [_isolation(services)]
    if not problems[0]:
        with tempfile.TemporaryDirectory() as folder:
            for minor in sorted(interpreters()):
                own = Path(folder, minor)
                own.mkdir()
                problems.append(build_and_prove(Builds(services, gate), minor, own))
    gate.close()
    for problem in filter(None, problems):
        print(f"auto-lambda image: PROBLEM {problem}")  # noqa: T201
    return 1 if any(problems) else 0


def _isolation(services: BuilderServices) -> str:
    try:
        return check_isolation(services) or ""
    except BuildTrouble as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
