from __future__ import annotations

import ast
from pathlib import Path

import pytest

from builder.source.modules import binds, module_of, modules, parse, parse_strictly, reachable


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("app = 1", True),
        ("app: object = 1", True),
        ("def app(): ...", True),
        ("async def app(): ...", True),
        ("class app: ...", True),
        ("import app", True),
        ("import shop as app", True),
        ("from shop import app", True),
        ("from shop import *", True),
        ("try:\n  import x\nexcept ImportError:\n  app = 1", True),
        ("if x:\n  app, other = 1, 2", True),
        ("with x as app: ...", True),
        ("for app in x: ...", True),
        ("(app := 1)", True),
        ("def f():\n  global app\n  app = 1", True),
        ("globals()['app'] = 1", True),
        ("import sys\nsys.modules[__name__] = 1", True),
        ("def __getattr__(name): ...", True),
        ("def f():\n  app = 1", False),
        ("class A:\n  def app(self): ...", False),
        ("application = 1", False),
        ("import shop.app", False),
    ],
)
def test_which_names_a_module_has(text: str, bound: bool) -> None:
    assert binds(ast.parse(text), "app") is bound


def test_modules_are_those_of_the_app_itself(tmp_path: Path) -> None:
    write(tmp_path, app="", **{"shop/views": "", "tests/test_app": ""}, setup="", **{"env/lib/x": ""}, site="")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "link.py").symlink_to(tmp_path / "app.py")
    assert [path.relative_to(tmp_path).as_posix() for path in modules(tmp_path)] == [
        "app.py",
        "site.py",
        "shop/views.py",
    ]


@pytest.mark.parametrize("text", ["print 'x'", "x = " + "(" * 5000, "x = '\0'", "\xff"])
def test_what_cannot_be_parsed_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "app.py").write_bytes(text.encode("latin-1"))
    assert parse(tmp_path / "app.py") is None


@pytest.mark.parametrize("name", ["..", "", ".x", "a/b", "a..b", "/etc/passwd", "no"])
def test_a_name_that_is_no_module_has_no_file(tmp_path: Path, name: str) -> None:
    write(tmp_path, a="")
    assert module_of(tmp_path / "root", name) is None


def test_what_is_imported_for_certain_is_reachable(tmp_path: Path) -> None:
    write(
        tmp_path,
        app="import shop.views\nfrom shop import models\nimport boto3\ndef f():\n  import late\n",
        **{"shop/__init__": "", "shop/views": "from .forms import Form\nfrom . import other\nimport app\n",
        "shop/models": "", "shop/forms": "x = 1", "shop/other": "print 'x'"}, late="", unused="",
    )  # fmt: skip
    found = {path.relative_to(tmp_path).as_posix(): one for path, one in reachable(tmp_path, tmp_path / "app.py")}
    assert set(found) == {
        "app.py", "shop/__init__.py", "shop/views.py", "shop/models.py", "shop/forms.py", "shop/other.py",
    }  # fmt: skip
    assert isinstance(found["shop/other.py"], SyntaxError)


@pytest.mark.parametrize("text", ["from .... import x", "from . import x", "from .. import y", "import ."])
def test_an_import_that_leads_out_of_the_app_reaches_nothing(tmp_path: Path, text: str) -> None:
    root = write(tmp_path / "root", app=text)
    write(tmp_path, y="", **{"root/x": ""})
    found = [path for path, _ in reachable(root, root / "app.py")]
    assert all(path.is_relative_to(root) for path in found)


@pytest.mark.parametrize(
    "source",
    [
        f"import {'.'.join(['a'] * 2000)}\n".encode(),
        f"from {' . '.join(['漢'] * 2000)} import x\n".encode(),
        ("import " + ".\\\n".join(["a"] * 2000) + "\n").encode(),
        b"# coding: utf-7\nimport " + b"+AC4-".join([b"a"] * 2000) + b"\n",
    ],
    ids=["import", "from", "lines", "utf-7"],
)
def test_a_dotted_name_that_takes_the_parser_too_much_memory_is_not_parsed(tmp_path: Path, source: bytes) -> None:
    (tmp_path / "long.py").write_bytes(source)
    assert parse_strictly(tmp_path / "long.py") is None


def test_many_numbers_and_attributes_are_parsed(tmp_path: Path) -> None:
    numbers = ", ".join(["0.5"] * 5000)
    (tmp_path / "data.py").write_text(f"import a.b.c\nDATA = [{numbers}]\nx = {'.'.join(['a'] * 100)}\n")
    assert parse_strictly(tmp_path / "data.py") is not None


@pytest.mark.parametrize("encoding", ["punycode", "Puny-Code", "idna", "zlib", "rot13", "undefined"])
def test_a_module_in_an_encoding_that_no_source_has_is_not_parsed(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "odd.py").write_bytes(f"# coding: {encoding}\nx = 1\n".encode())
    assert parse(tmp_path / "odd.py") is None


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "gbk", "utf-8-sig"])
def test_a_module_in_an_encoding_of_text_is_parsed(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "text.py").write_bytes(f"# coding: {encoding}\nx = 'text'\n".encode(encoding))
    assert parse_strictly(tmp_path / "text.py") is not None


def test_a_module_that_is_not_in_its_own_encoding_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_bytes(b"# coding: ascii\nx = '\xe4'\n")
    with pytest.raises(SyntaxError):
        parse_strictly(tmp_path / "wrong.py")


@pytest.mark.parametrize(
    "source",
    [
        "raise RuntimeError",
        "def prepare(): ...\nprepare()",
        "import sys\nsys.exit(3)",
        "while True: pass",
        "for one in every: ...",
        "try:\n    import x\nexcept ImportError:\n    raise",
        "if True:\n    print(1)",
    ],
)
def test_code_that_may_end_before_a_name_is_not_blamed_for_the_name(source: str) -> None:
    assert binds(ast.parse(source), "app")


@pytest.mark.parametrize(
    "source",
    [
        "'Words.'",
        "from chalice import Chalice\napplication = Chalice('x')",
        "try:\n    import ujson as json\nexcept ImportError:\n    import json",
        "if __name__ == '__main__':\n    main()",
        "class App: ...",
    ],
)
def test_a_module_that_only_defines_other_names_lacks_one(source: str) -> None:
    assert not binds(ast.parse(source), "app")
