"""On the machine that becomes the image: every interpreter builds a C extension in the sandbox and runs an app with it.

It goes the way of an upload's dependencies: uv, isolated by bubblewrap, with the build's own requirements coming
through the index proxy. The app then runs without any network, under the tool environment that the image holds.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from auto_lambda.tools import ToolEnvironments, interpreters, uv_executable
from worker.build.bubblewrap import BubblewrapSandbox, SandboxMissing
from worker.build.indexes import discover
from worker.build.sandbox import Command, Limits, Outcome, PlainSandbox, Sandbox
from worker.build.uv import index_settings

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
import sys
sys.path.insert(0, "layer")
import native, awslambdaric
from chalice import Chalice
app = Chalice(app_name="selftest")
@app.lambda_function()
def handler(event, context):
    return native.answer()
assert handler({}, None) == 42
print("ran on Python", sys.version.split()[0])
"""


def build_and_run(sandbox: Sandbox, tools: ToolEnvironments, minor: str, folder: Path) -> str:
    """What went wrong for one interpreter, "" if nothing did. ``folder`` is empty and ours."""
    (folder / "native").mkdir(parents=True)
    (folder / "native" / "native.c").write_text(_NATIVE)
    (folder / "native" / "setup.py").write_text(_SETUP)
    (folder / "app.py").write_text(_APP)
    built = _build(sandbox, interpreters()[minor], folder)
    if not built.ok:
        return f"Python {minor} does not build a C extension: {built.output}"
    python = tools.python("compiler", minor)
    ran = sandbox.run(
        Command((str(python), "app.py"), folder, readable=(python.parents[1],), writable=(folder,),
                limits=Limits(wall=60)), _say,
    )  # fmt: skip
    return "" if ran.ok else f"Python {minor} does not run what it built: {ran.output}"


def _build(sandbox: Sandbox, interpreter: Path, folder: Path) -> Outcome:
    uv = Path(uv_executable())
    environ = {**index_settings(os.environ), "UV_NO_CACHE": "1", "UV_PYTHON_DOWNLOADS": "never"}
    command = Command(
        (str(uv), "pip", "install", "--quiet", "--python", str(interpreter), "--target", "layer", "./native"),
        folder, environ, readable=(uv, interpreter.parents[1]), writable=(folder,), network=True,
        limits=Limits(wall=300),
    )  # fmt: skip
    return sandbox.run(command, _say)


def _say(line: str) -> None:
    print(f"  {line}", flush=True)  # noqa: T201


def main() -> int:
    """``python -m ami.selftest FOLDER``: 0 if every interpreter does."""
    folder = Path(sys.argv[1])
    tools = ToolEnvironments()
    homes = {path.parents[1] for path in interpreters().values()} - {Path("/usr"), Path("/")}
    sandbox = BubblewrapSandbox(PlainSandbox(), homes, partial(discover, os.environ))
    try:
        sandbox.check()
    except SandboxMissing as error:
        print(f"auto-lambda image: PROBLEM {error}")  # noqa: T201
        return 1
    problems = [build_and_run(sandbox, tools, minor, folder / minor) for minor in sorted(interpreters())]
    for problem in filter(None, problems):
        print(f"auto-lambda image: PROBLEM {problem}")  # noqa: T201
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(main())
