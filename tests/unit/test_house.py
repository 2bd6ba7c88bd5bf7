"""The shape of the source tree, as CONTRIBUTING.md describes it. `make lint` holds the imports."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("worker", "builder", "checker", "ami", "auto_lambda", "auto_lambda_cli", "entrypoint")
APPS = "apps"  # those that belong to the product; each is a project of its own
MOST_MODULES, MOST_LINES = 18, 400
ROOMS = (ROOT / "CONTRIBUTING.md").read_text()
RESERVED = {"build", "dist", "env", "venv", "node_modules", "vendor"}  # tools skip folders with these names


def modules(*packages: str) -> list[Path]:
    return [path.relative_to(ROOT) for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def public_classes(module: Path) -> list[str]:
    tree = ast.parse((ROOT / module).read_text())
    return [node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


def test_no_folder_holds_more_modules_than_one_can_take_in() -> None:
    held = Counter(path.parent for path in modules(*PACKAGES, APPS) if path.name != "__init__.py")
    assert {str(folder): number for folder, number in held.items() if number > MOST_MODULES} == {}


def test_no_module_is_longer_than_one_can_read() -> None:
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in modules(*PACKAGES, APPS)}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_no_folder_has_a_name_that_tools_reserve() -> None:
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    assert sorted(file for file in files if RESERVED & set(Path(file).parts[:-1])) == []


def test_a_public_class_name_stands_for_one_thing() -> None:
    defined: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules(*PACKAGES):
        for name in public_classes(module):
            defined[name].append(str(module))
    assert {name: where for name, where in defined.items() if len(where) > 1} == {}


def test_every_folder_of_modules_is_in_the_table_of_rooms() -> None:
    folders = {path.parent for path in modules(*PACKAGES) if path.name != "__init__.py"}
    unnamed = {str(folder) for folder in folders if not any(f"{it}/" in ROOMS for it in (folder, *folder.parents[:-1]))}
    assert unnamed == set()


def test_every_path_in_the_table_of_rooms_exists() -> None:
    named = re.findall(rf"`((?:{'|'.join(PACKAGES)}|infra|systemd|scripts|docs|tests)/[\w./-]*)`", ROOMS)
    assert len(named) > 50
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_map_has_each_module() -> None:
    told = subprocess.run(["make", "-s", "map"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [line.split("  ")[0] for line in told.splitlines()]
    assert paths == sorted(str(path) for path in modules(*PACKAGES) if (ROOT / path).stat().st_size)
