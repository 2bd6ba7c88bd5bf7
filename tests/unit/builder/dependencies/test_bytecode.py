from __future__ import annotations

import marshal
import sys
from pathlib import Path

from auto_lambda.model import BuildLog
from builder.dependencies.bytecode import compile_tree, drop
from builder.dependencies.uv import BuildTarget
from builder.sandbox.sandbox import Command, Outcome, PlainSandbox

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
TARGET = BuildTarget(MINOR, "x86_64", "x86_64-manylinux_2_34", Path(sys.executable).resolve())
FILES = {
    "shop/__init__.py": "def price():\n    return 'it''s 3'\n",
    "shop/template.py": "print 'not of this Python'\n",
    "shop/tests/test_shop.py": "x = 1\n",
    "tests/__init__.py": "x = 1\n",
    "setuptools/__init__.py": "x = 1\n",
    "single.py": "import shop\nraise SystemExit('compiling must not run this')\n",
}


def fill(site: Path) -> Path:
    for name, text in FILES.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    return site


def compiled(site: Path) -> dict[str, bytes]:
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*.pyc")}


def test_what_production_imports_is_compiled_and_the_same_everywhere(tmp_path: Path) -> None:
    one = fill(tmp_path / "one" / "python")
    two = fill(tmp_path / "tests" / "elsewhere" / "python")
    assert compile_tree(PlainSandbox(), one, TARGET)
    assert compile_tree(PlainSandbox(), two, TARGET)
    assert compiled(one) == compiled(two)
    tag = f"cpython-{MINOR.replace('.', '')}"
    assert set(compiled(one)) == {f"shop/__pycache__/__init__.{tag}.pyc", f"__pycache__/single.{tag}.pyc"}
    data = compiled(one)[f"shop/__pycache__/__init__.{tag}.pyc"]
    assert marshal.loads(data[16:]).co_filename == "/opt/python/shop/__init__.py"
    assert data[4] == 1  # PEP 552: by hash, not checked


class Failing:
    def run(self, command: Command, say: BuildLog) -> Outcome:
        (command.cwd / "shop" / "__pycache__").mkdir(exist_ok=True)
        return Outcome(-11, "", 0.1)


def test_a_parser_that_fell_over_leaves_no_half_of_it(tmp_path: Path) -> None:
    site = fill(tmp_path)
    assert not compile_tree(Failing(), site, TARGET)
    assert not (site / "shop" / "__pycache__").exists()


def test_bytecode_can_be_dropped(tmp_path: Path) -> None:
    site = fill(tmp_path)
    compile_tree(PlainSandbox(), site, TARGET)
    drop(site)
    assert compiled(site) == {}
