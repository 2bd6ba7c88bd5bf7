"""The files of the console's page, as they are: what they hold, what they refer to, and what they must not do."""

from __future__ import annotations

import base64
import copy
import hashlib
import importlib.util
import io
import json
import re
import tarfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[4]
PAGE = ROOT / "auto_lambda_cli/console/page"
LIBRARIES = PAGE / "libraries"
RECORD = json.loads((LIBRARIES / "libraries.json").read_text())["libraries"]
OWN = sorted(path for path in PAGE.rglob("*") if path.is_file() and LIBRARIES not in path.parents)
MODULES = [path for path in OWN if path.suffix == ".js"]
SERVED = {".html", ".js", ".mjs", ".css", ".svg", ".png", ".ico", ".json", ".txt", ".woff2"}
# Each of them makes markup, code or style of text.
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|DOMParser|createContextualFragment|srcdoc|"
    r"\beval\(|new Function|setTimeout\(\s*[\"'`]|javascript:|setAttribute\(\s*[\"']style"
)
IMPORTS = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*"(\.\.?/[^"\s]+)\"""")
ADDRESSES = re.compile(r"""(?:https?:)?//[\w.]+|["'`]/[a-z]""")


def integrity(content: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def test_each_library_is_the_one_that_is_recorded() -> None:
    recorded = {file["to"]: file["sha512"] for library in RECORD for file in library["files"]}
    found = {path.name: integrity(path.read_bytes()) for path in LIBRARIES.iterdir() if path.name != "libraries.json"}
    assert found == recorded
    assert all(any(file["to"].endswith(".LICENSE") for file in library["files"]) for library in RECORD)


def packed(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content.encode()))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("bundle_libraries", ROOT / "scripts/bundle_libraries.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LIBRARY = {
    "name": "some",
    "version": "1.0.0",
    "files": [{"from": "dist/some.mjs", "to": "some.js", "imports": {"other": "./other.js"}}],
}


def test_a_library_is_unpacked_and_finds_the_others_by_their_file(script: Any, tmp_path: Path) -> None:
    library = copy.deepcopy(LIBRARY)
    script.unpack(library, packed({"dist/some.mjs": 'import{a}from"other";', "README": "more"}), tmp_path)
    assert (tmp_path / "some.js").read_text() == 'import{a}from"./other.js";'
    assert [path.name for path in tmp_path.iterdir()] == ["some.js"]
    assert library["files"][0]["sha512"] == integrity((tmp_path / "some.js").read_bytes())  # type: ignore[index]


def test_a_package_that_has_changed_is_refused(script: Any, tmp_path: Path) -> None:
    library = copy.deepcopy(LIBRARY)
    script.unpack(library, packed({"dist/some.mjs": "one"}), tmp_path)
    with pytest.raises(script.Changed):
        script.unpack(library, packed({"dist/some.mjs": "two"}), tmp_path)
    assert (tmp_path / "some.js").read_text() == "one"


@pytest.mark.parametrize("text", ["box.innerHTML = text", "el.setAttribute('style', x)", "<iframe srcdoc=${x}>"])
def test_what_makes_markup_of_text_is_seen(text: str) -> None:
    assert FORBIDDEN.search(text)


@pytest.mark.parametrize("path", [*MODULES, PAGE / "index.html"], ids=lambda path: path.name)
def test_no_module_makes_markup_of_text(path: Path) -> None:
    assert [line for line in path.read_text().splitlines() if FORBIDDEN.search(line)] == []


@pytest.mark.parametrize("path", [path for path in OWN if path.suffix != ".svg"], ids=lambda path: path.name)
def test_every_address_is_relative(path: Path) -> None:
    code = re.sub(r"(?m)(?:^|\s)//.*$|/\*.*?\*/", "", path.read_text())
    assert ADDRESSES.findall(code) == []


def imported(module: Path) -> set[Path]:
    return {(module.parent / name).resolve() for name in IMPORTS.findall(module.read_text())}


def test_the_modules_of_the_page_are_those_that_are_imported() -> None:
    reached, rest = set[Path](), [PAGE / "console.js"]
    while rest:
        module = rest.pop()
        assert module.is_file(), module
        if module not in reached:
            reached.add(module)
            rest.extend(imported(module))
    files = {LIBRARIES / file["to"] for library in RECORD for file in library["files"] if file["to"].endswith(".js")}
    assert {str(path.relative_to(PAGE)) for path in {*MODULES, *files} ^ reached} == set()


def test_no_module_is_longer_than_one_can_read_and_no_folder_fuller() -> None:
    lengths = {str(path.relative_to(PAGE)): len(path.read_text().splitlines()) for path in OWN}
    assert {name: length for name, length in lengths.items() if length > 400} == {}
    assert max(len(list(folder.glob("*.js"))) for folder in {path.parent for path in MODULES}) <= 18


class _Markup(HTMLParser):
    """Collects what a policy without inline code would refuse, and what is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.loaded: list[str] = []
        self._within: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag if tag in {"script", "style"} else None
        names = dict(attrs)
        self.inline += [name for name in names if name == "style" or name.startswith("on")]
        self.loaded += [value for name, value in attrs if name in {"src", "href"} and value]

    def handle_data(self, data: str) -> None:
        if self._within and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._within = None


def test_the_page_holds_no_code_and_loads_what_is_there() -> None:
    markup = _Markup()
    markup.feed((PAGE / "index.html").read_text())
    assert markup.inline == []
    assert [name for name in markup.loaded if not (PAGE / name).is_file()] == []
    assert {"console.js", "base.css", "parts.css"} <= set(markup.loaded)


def test_every_file_is_of_a_kind_that_is_served() -> None:
    kept = {".LICENSE"}  # beside the libraries, for whoever reads the source
    assert {path.suffix for path in PAGE.rglob("*") if path.is_file()} - SERVED - kept == set()


def colours(scheme: str) -> dict[str, str]:
    text = (PAGE / "base.css").read_text()
    light, dark = text.split("@media (prefers-color-scheme: dark)")[:2]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found if scheme == "light" else {**found, **dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(scheme: str) -> None:
    colour = colours(scheme)
    plain = [
        (text, ground) for text in ("text", "muted", "accent", "bad") for ground in ("ground", "surface", "raised")
    ]
    toned = [(tone, f"{tone}-ground") for tone in ("good", "bad", "warn")]
    pairs = [*plain, *toned, ("accent", "busy-ground"), ("text", "warn-ground"), ("text", "bad-ground"),
             ("text", "busy-ground"), ("muted", "warn-ground"), ("on-accent", "accent"), ("surface", "bad"),
             ("good", "surface")]  # fmt: skip
    weak = {pair: contrast(colour[pair[0]], colour[pair[1]]) for pair in pairs}
    assert {pair: round(ratio, 2) for pair, ratio in weak.items() if ratio < 4.5} == {}
    assert contrast(colour["edge"], colour["surface"]) >= 3  # the edge of a control
