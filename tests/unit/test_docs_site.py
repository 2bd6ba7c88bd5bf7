"""The documentation builds as a site, every link on it leads somewhere, and it needs no other host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_STYLES = re.compile(r"""(?:url\(|@import )['"]?(?!data:)([^)'"]*)""")
BROKEN = {
    "docs/README.md": ["missing.md", "#nowhere", "../CHANGELOG.md#nothing", "../missing.py", "../../outside"],
    "CHANGELOG.md": ["docs/README.md#never", "missing.sh"],
}


def build(config: Path, site: Path, source_url: str = "") -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--config-file",
        str(config),
        "--site-dir",
        str(site),
    ]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "DOCS_SOURCE_URL": source_url}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(ROOT / "mkdocs.yml", folder, "https://code.example/auto-lambda")
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A page or two with our configuration."""
    (tmp_path / "docs").mkdir()
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        (tmp_path / name).write_text(f"# {name}\n")
    (tmp_path / "docs/README.md").write_text("# Home\n\n## Here\n")
    (tmp_path / "Makefile").touch()
    hook = json.dumps(str(ROOT / "scripts/docs_links.py"))
    (tmp_path / "mkdocs.yml").write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\nhooks: [{hook}]\n"
        "nav: [README.md, CHANGELOG.md, CONTRIBUTING.md, SECURITY.md]\n"
    )
    return tmp_path


class _Fetched(HTMLParser):
    """Collects the addresses that a browser loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = "href" if tag == "link" else "src"
        self.addresses |= {value for name, value in attrs if name == wanted and value}


def test_the_search_finds_an_error_code(site: Path) -> None:
    index = json.loads((site / "search/search_index.json").read_text())
    assert "reference/errors/#ends-workers" in {entry["location"] for entry in index["docs"]}


def test_a_browser_loads_nothing_from_another_host(site: Path) -> None:
    loaded = _Fetched()
    for page in site.rglob("*.html"):
        loaded.feed(page.read_text())
    styles = [address for sheet in site.rglob("*.css") for address in _STYLES.findall(sheet.read_text())]
    assert any(address.endswith(".js") for address in loaded.addresses)
    assert [address for address in (*loaded.addresses, *styles) if "//" in address] == []


def test_links_to_files_outside_the_docs_lead_to_the_code_host(site: Path) -> None:
    page = (site / "explanation/trusted-builds/index.html").read_text()
    assert 'href="https://code.example/auto-lambda/blob/HEAD/builder/proof/elf.py"' in page


def test_lists_tables_and_code_look_as_on_the_code_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        paragraphs = "".join(re.findall(r"<p>(.*?)</p>", text, re.DOTALL))
        assert not re.search(r"^(- |\* |\d+\. |\|)", paragraphs, re.MULTILINE), page
        assert not re.search(r"<td><code>[^<]*\\\|", text), page


def test_project_pages_and_escaped_pipes_are_rewritten(project: Path) -> None:
    (project / "docs/README.md").write_text(
        "# Home\n\n[log](../CHANGELOG.md) [make](../Makefile)\n\n"
        "| a |\n|---|\n| `x\\|y` |\n\n```\n[log](../CHANGELOG.md)\n```\n"
    )
    (project / "CHANGELOG.md").write_text("# Log\n\n[home](docs/README.md)\n")
    built = build(project / "mkdocs.yml", project / "site")
    assert built.returncode == 0, built.stderr
    home, log = ((project / "site" / page).read_text() for page in ("index.html", "CHANGELOG/index.html"))
    assert '<p><a href="CHANGELOG/">log</a> make</p>' in home
    assert "<code>x|y</code>" in home
    assert "[log](../CHANGELOG.md)" in home
    assert re.search(r'<a href="\.\./?">home</a>', log)


def test_every_broken_link_and_every_page_outside_the_navigation_fails_the_build(project: Path) -> None:
    for page, links in BROKEN.items():
        with (project / page).open("a") as file:
            file.writelines(f"\n[a]({link})\n" for link in links)
    (project / "docs/hidden.md").write_text("# A page\n")
    built = build(project / "mkdocs.yml", project / "site")
    assert built.returncode == 1
    warnings = [line for line in built.stderr.splitlines() if line.startswith("WARNING")]
    for link in ("missing.md", "#nowhere", "#nothing", "../missing.py", "../../outside", "#never", "missing.sh"):
        assert sum(link in warning for warning in warnings) == 1, built.stderr
    assert "hidden.md" in built.stderr
    assert len(warnings) == 8


def test_one_broken_anchor_is_enough_to_fail_the_build(project: Path) -> None:
    assert build(project / "mkdocs.yml", project / "site").returncode == 0
    (project / "docs/README.md").write_text("# Home\n\n[a](#nowhere)\n")
    assert build(project / "mkdocs.yml", project / "site").returncode == 1
