"""What a framework's layer holds is what its modules on Lambda import: no more, and no less."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import make_parts, make_source, open_index

from auto_lambda.runtimes import newest_first
from auto_lambda.tools import interpreters
from builder.compose import Parts
from builder.frameworks.zappa.settings import ZAPPA_VERSION
from builder.sandbox.sandbox import IndexAccess, PlainSandbox

NEWEST = newest_first(tuple(interpreters()))[0]
IN_LAMBDA = {"boto3", "botocore", "jmespath"}
OF_THE_APP = {"zappa_settings", "django", "django_zappa_app"}
ON_LAMBDA = {
    "chalice": ("__init__.py", "app.py"),
    "zappa": ("__init__.py", "handler.py", "middleware.py", "utilities.py", "wsgi.py", "asgi.py", "asynchronous.py"),
}
"""The modules that run there: those that `chalice package` packs, and zappa's handler with all that it imports."""


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with open_index() as index:
        access = IndexAccess(Path(index.socket), index.environment)
        yield make_parts(tmp_path_factory.mktemp("actions"), PlainSandbox(access), index=index, environ=os.environ)


def layer_of(tmp_path: Path, parts: Parts, requirement: str, python: str) -> Path:
    tree, work = tmp_path / "tree", tmp_path / "work"
    tree.mkdir()
    work.mkdir()
    (tree / "requirements.txt").write_text(f"{requirement}\n")
    built = parts.dependencies.build(make_source(tree, "zappa", python), (), work, lambda _: None)
    assert built.site
    return built.site


def imports(node: ast.AST) -> Iterator[str]:
    """Yield what is imported when a module is: not inside its functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and not child.level:
            yield (child.module or "").partition(".")[0]
        elif not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from imports(child)


def imported_by(site: Path, framework: str) -> set[str]:
    modules = [ast.parse((site / framework / name).read_text()) for name in ON_LAMBDA[framework]
               if (site / framework / name).is_file()]  # fmt: skip
    return {name for module in modules for name in imports(module)} - sys.stdlib_module_names - {framework}


@pytest.mark.parametrize(
    ("requirement", "python", "shipped"),
    [
        ("chalice", NEWEST, {"chalice"}),
        (f"zappa=={ZAPPA_VERSION}", NEWEST, {"zappa", "werkzeug", "durationpy", "markupsafe"}),
        ("zappa==0.58.0", "3.11", {"zappa", "werkzeug", "durationpy", "markupsafe"}),
    ],
)  # fmt: skip
def test_a_framework_brings_what_it_imports_on_lambda(
    tmp_path: Path, parts: Parts, requirement: str, python: str, shipped: set[str]
) -> None:
    if python not in interpreters():
        pytest.skip(f"no python{python} here")
    site = layer_of(tmp_path, parts, requirement, python)
    framework = requirement.partition("=")[0]

    assert {path.name.partition("-")[0].lower() for path in site.glob("*.dist-info")} == shipped
    needed = imported_by(site, framework) - IN_LAMBDA - OF_THE_APP
    assert {name for name in needed if not (site / name).is_dir() and not (site / f"{name}.py").is_file()} == set()
    assert shipped - needed <= {framework, "markupsafe"}  # werkzeug needs markupsafe


def test_what_the_app_pins_cannot_conflict_with_a_command_line(tmp_path: Path, parts: Parts) -> None:
    """zappa's command line needs requests 2.32 or newer, its handler none."""
    site = layer_of(tmp_path, parts, f"requests==2.25.0\nzappa=={ZAPPA_VERSION}", "3.12")
    assert list(site.glob("requests-2.25.0.dist-info"))
