from __future__ import annotations

from pathlib import Path

import pytest

from builder.source.variables.use import VariableUse

NEED = (
    "import os\ndef need(name):\n    value = os.environ.get(name)\n"
    "    if not value:\n        raise KeyError(name)\n    return value\n"
)
MODEL = "from pydantic_settings import BaseSettings, SettingsConfigDict\n"


def test_modules_that_are_imported_count_and_what_is_set_does_not(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text("import os, conf\nos.environ['C'] = 'x'\na = os.environ['A']\nc = os.environ['C']\n")
    (tmp_path / "conf.py").write_text(
        "from decouple import config\nb = config('B')\nd = config('D')\ne = config('E')\n"
    )
    (tmp_path / ".env").write_text("D=1\n")
    assert VariableUse(tmp_path, [app]).required({"E": ""}) == ["A", "B"]


def test_readers_that_are_imported_from_other_modules_of_the_app_are_readers(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "conf.py").write_text(
        f"{NEED}{MODEL}from environs import Env\nenv = Env()\nclass Base(BaseSettings):\n    d: str\n"
    )
    (tmp_path / "pkg" / "more.py").write_text("from .conf import need\nfrom . import conf\ne = conf.need('E')\n")
    app = tmp_path / "app.py"
    app.write_text(
        "import pkg.conf as c\nfrom pkg.conf import *\nfrom pkg import more\na = c.need('A')\nb = env('B')\n"
        "c = more.need('C')\nclass S(Base):\n    pass\ns = S()\n"
    )
    assert VariableUse(tmp_path, [app]).required(()) == ["A", "B", "C", "D", "E"]


def test_what_is_used_without_being_set_is_found_by_the_line_and_by_the_name_that_it_is_kept_as(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text(
        "import os\nclass Settings:\n    url = os.getenv('DATABASE_URL')\nTABLE = os.environ.get('TABLE_NAME', None)\n"
        "SET = os.getenv('SET', 'x')\n"
    )
    app = tmp_path / "app.py"
    app.write_text(
        "import os, conf\nfrom conf import Settings, TABLE\ne = create(\n    Settings.url,\n)\nt = Table(TABLE)\n"
        "app.config['KEY'] = os.getenv('A_KEY')\nx = Other(conf.SET)\n"
    )
    use = VariableUse(tmp_path, [app])
    assert [use.read_at(app, line) for line in (4, 6, 8)] == [["DATABASE_URL"], ["TABLE_NAME"], []]
    assert use.aliases == {"url": "DATABASE_URL", "TABLE": "TABLE_NAME", "KEY": "A_KEY"}


@pytest.mark.parametrize(("base", "plain"), [("BaseModel", True), ("BaseSettings", False), ("Base", False)])
def test_only_a_class_of_the_app_that_is_certainly_a_model_is_none_of_settings(
    tmp_path: Path, base: str, plain: bool
) -> None:
    app = tmp_path / "app.py"
    app.write_text(f"class S({base}):\n    a: str\n")
    assert VariableUse(tmp_path, [app]).is_plain_model("S") is plain
    assert not VariableUse(tmp_path, [app]).is_plain_model("Other")
