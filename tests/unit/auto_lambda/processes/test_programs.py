"""Programs outside of the sandbox have exactly the environment that was said, and one module starts them all."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import auto_lambda
from auto_lambda.processes import programs

ROOT = Path(auto_lambda.__path__[0]).parent
# A person's own tools, auto_lambda_cli and ami, run as that person, in a terminal, and never meet an upload.
PACKAGES = ("auto_lambda", "builder", "checker", "worker")
_OF_OS = ("exec", "spawn", "posix_spawn", "system", "popen", "fork")
_MODULES = {"multiprocessing", "pty", "concurrent.futures.process", "_posixsubprocess"}
_OF_SUBPROCESS = {"Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"}
_NAMES = {"ProcessPoolExecutor", "create_subprocess_exec", "create_subprocess_shell", "subprocess_exec"}


def trusted() -> Iterator[Path]:
    """Yield what runs outside of the sandbox; the programs in ``inside`` run in it."""
    for package in PACKAGES:
        yield from (path for path in sorted((ROOT / package).rglob("*.py")) if "inside" not in path.parts)


def starts(source: str) -> Iterator[str]:
    """Yield each place where a module starts a process."""
    tree = ast.parse(source)
    annotations = {id(part) for note in _annotations(tree) for part in ast.walk(note)}
    for node in ast.walk(tree):
        if id(node) in annotations:
            continue
        match node:
            case ast.Attribute(value=ast.Name(id="subprocess"), attr=name) if name in _OF_SUBPROCESS:
                yield f"{node.lineno}: subprocess.{name}"
            case ast.Attribute(value=ast.Name(id="os"), attr=name) if name.startswith(_OF_OS):
                yield f"{node.lineno}: os.{name}"
            case ast.Attribute(attr=name) | ast.Name(id=name) if name in _NAMES:
                yield f"{node.lineno}: {name}"
            case ast.ImportFrom(module="subprocess" | "os", names=names):
                found = (one.name for one in names)
                yield from (f"{node.lineno}: {one}" for one in found if one in _OF_SUBPROCESS or one.startswith(_OF_OS))
            case ast.ImportFrom(module=str(module)) if module in _MODULES:
                yield f"{node.lineno}: {module}"
            case ast.Import(names=names):
                yield from (f"{node.lineno}: {one.name}" for one in names if one.name in _MODULES)


def _annotations(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(annotation=note) | ast.arg(annotation=ast.expr() as note):
                yield note
            case ast.FunctionDef(returns=ast.expr() as note):
                yield note


def test_no_other_module_starts_a_process() -> None:
    found = {path.relative_to(ROOT).as_posix(): list(starts(path.read_text())) for path in trusted()}
    assert {path for path, places in found.items() if places} == {"auto_lambda/processes/programs.py"}, found


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess\nsubprocess.run(['x'])",
        "import subprocess\nstart = subprocess.Popen",
        "from subprocess import check_output",
        "import os\nos.execv('x', [])",
        "import os\nos.posix_spawn('x', [], {})",
        "import os\nif os.fork(): pass",
        "from os import system",
        "import multiprocessing",
        "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor()",
        "import asyncio\nasync def f(): await asyncio.create_subprocess_exec('x')",
    ],
)
def test_each_way_to_start_one_would_be_found(source: str) -> None:
    assert list(starts(source))


def test_a_type_is_no_start() -> None:
    assert not list(starts("import subprocess\ndef f(p: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]: return p"))


OBEYED = ("LD_PRELOAD", "BASH_ENV", "PYTHONPATH", "GCONV_PATH", "SHELLOPTS")


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OBEYED:
        monkeypatch.setenv(name, "/nowhere")


@pytest.mark.usefixtures("surroundings")
def test_the_environment_is_the_one_given() -> None:
    assert programs.run(["/usr/bin/env"]).stdout.splitlines() == [f"{k}={v}" for k, v in programs.FIXED.items()]
    assert programs.run(["/usr/bin/env"], {"A": "b"}).stdout == "A=b\n"
    with programs.start(["/usr/bin/env"], {"A": "b"}, stdout=subprocess.PIPE) as process:
        assert process.communicate()[0] == b"A=b\n"


def test_how_it_ended_is_returned() -> None:
    done = programs.run([sys.executable, "-c", "import sys; print(1); sys.stderr.write('\\xff'); sys.exit(3)"])
    assert (done.returncode, done.stdout) == (3, "1\n")
    assert done.stderr


def test_a_missing_program_and_one_that_does_not_end_have_failed() -> None:
    with pytest.raises(programs.ProgramFailed, match="no-such-program"):
        programs.run(["/no-such-program"])
    with pytest.raises(programs.ProgramFailed, match="timed out"):
        programs.run(["/bin/sleep", "600"], timeout=0.1)
