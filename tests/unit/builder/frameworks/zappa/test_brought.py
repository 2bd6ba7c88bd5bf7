from __future__ import annotations

from pathlib import Path

import pytest

from builder.frameworks.zappa.brought import imported


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import requests\n", ("requests",)),
        ("def f():\n    from yaml import safe_load\n", ("pyyaml",)),
        ("import pkg_resources\nimport requests.auth\n", ("setuptools<81", "requests")),
        ("import flask\n# import tqdm\n", ()),
        ("requests = 1\nfrom .requests import x\n", ()),
    ],
)
def test_what_an_app_imports_of_what_zappa_brings(tmp_path: Path, text: str, found: tuple[str, ...]) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "views.py").write_text(text)

    assert imported(tmp_path) == found


def test_what_the_zip_brings_itself_is_not_added(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import requests\nimport toml\nimport tqdm\n")
    (tmp_path / "requests").mkdir()
    (tmp_path / "toml.py").write_text("")

    assert imported(tmp_path) == ("tqdm",)


def test_what_does_not_run_on_lambda_asks_for_nothing(tmp_path: Path) -> None:
    for folder in ("tests", "venv", "lib/site-packages"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "module.py").write_text("import requests\n")
    (tmp_path / "setup.py").write_text("import setuptools\n")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    (tmp_path / "link.py").symlink_to(tmp_path / "tests" / "module.py")

    assert imported(tmp_path) == ()
