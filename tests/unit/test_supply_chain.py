"""Everything that is installed is named with its hash, told in a bill of materials, and can be audited."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ami.manifest import bill as image_bill

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "auto_lambda/locks"
SCANNED = [
    "scripts",
    "ami",
    "systemd",
    ".ci",
    "Makefile",
    "auto_lambda/tools.py",
    ".pre-commit-config.yaml",
    "action.yml",
]
# As words, whatever quotes, commas and line ends stand between them.
INSTALLS = re.compile(
    r"(?:\bpip3? (?:[\w-]+ )*?(?:install|wheel|download)\b|\{pip\[@\]\} (?:install|wheel)\b|"
    r"uv(?:_executable\(\))? build\b|\buv (?:tool|sync|run|add)\b|\b(?:uvx|pipx|npx)\b|"
    r"\b(?:npm|gem|cargo|go) install\b|\bcurl\b.*?\| *(?:ba)?sh\b)[^;)\]\n]*"
)
BUILT_WITH_HASHES = re.compile(r"--build-constraints|--no-build-isolation|--reinstall \$wheel")


def words(text: str, python: bool = False) -> str:
    """The text without comments; in Python, in one line, since an argument list may have several."""
    text = re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return "\n".join(re.sub(r"[\s\"',]+", " ", line) for line in ([text] if python else text.split("\n")))


def without_hashes(text: str) -> list[str]:
    """Installations that check no hash. Our own sources and wheel have none, but what builds them has."""
    found = [match[0] for match in INSTALLS.finditer(text)]
    own = {command for command in found if "--no-deps" in command and BUILT_WITH_HASHES.search(command)}
    return [command for command in found if "--require-hashes" not in command and command not in own]


@pytest.mark.parametrize("command", [
    ".venv/bin/python -m pip install uv==0.9", "pip install --quiet x", "$uv pip install --requirement r.txt",
    "uv pip install --no-deps --editable .", '[uv_executable(), "build", "--wheel"]', "pipx run x", "uv tool install x",
    "python -m pip --quiet wheel --no-deps .", "curl https://example.com/x | sh", '"pip",\n "install",\n "x"',
])  # fmt: skip
def test_an_installation_without_hashes_is_seen(command: str) -> None:
    assert without_hashes(words(command, python=True)) != []


def test_whatever_our_scripts_install_is_checked_by_its_hash() -> None:
    files = [
        file for name in SCANNED for file in ([ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*"))
    ]
    files = [file for file in files if file.is_file() and "__pycache__" not in file.parts]
    texts = {str(file.relative_to(ROOT)): words(file.read_text(), file.suffix == ".py") for file in files}
    assert sum(len(INSTALLS.findall(text)) for text in texts.values()) == 12, "the scan finds what there is"
    assert {name: found for name, text in texts.items() if (found := without_hashes(text))} == {}


def test_every_pin_of_every_lock_has_a_hash() -> None:
    for lock in (ROOT / "requirements.txt", *LOCKS.glob("*.txt")):
        entries = re.split(r"\n(?=\S)", lock.read_text())
        assert [entry.split("\n")[0] for entry in entries if "==" in entry and "--hash=sha256:" not in entry] == []


def test_what_builds_our_wheel_is_what_is_locked() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    locked = re.findall(r"^([\w-]+==\S+)", (LOCKS / "build.txt").read_text(), re.MULTILINE)
    assert wanted == locked


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_the_bill_of_materials_is_that_of_the_locks() -> None:
    told = script("sbom").bill(sorted(LOCKS.glob("*.txt")))
    assert told == (LOCKS / "sbom.cdx.json").read_text(), "make lock writes it"
    names = {component["name"] for component in json.loads(told)["components"]}
    assert {"uv", "boto3", "chalice", "zappa", "ministack", "setuptools", "preact", "uplot"} <= names


def test_both_bills_are_valid_cyclonedx() -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    ours = (LOCKS / "sbom.cdx.json").read_text()
    listed = "bash\t5.2.15-1.amzn2023\tx86_64\nlibstdc++\t1:11.4\tx86_64\nlibstdc++\t1:11.4\tx86_64\n"
    images = image_bill({"ID": "amzn", "VERSION_ID": "2023"}, listed)
    assert validator.validate_str(ours) is None
    assert validator.validate_str(json.dumps(images)) is None
    assert [component["purl"] for component in images["components"][-2:]] == [
        "pkg:rpm/amzn/bash@5.2.15-1.amzn2023?arch=x86_64&distro=amzn-2023",
        "pkg:rpm/amzn/libstdc%2B%2B@1%3A11.4?arch=x86_64&distro=amzn-2023",
    ]


@contextmanager
def advisories(known: dict[str, str]) -> Iterator[str]:
    """A database that knows something against these packages."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
            ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999"}]}]
            affected = [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges}]
            vulnerability = {
                "id": known.get(name), "summary": "bad", "modified": "2026-01-01T00:00:00Z", "affected": affected,
            }  # fmt: skip
            body = json.dumps({"vulns": [vulnerability]} if name in known else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        server.server_close()


def audit(url: str, *locks: Path) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": "/usr/bin:/bin", "AUTO_LAMBDA_AUDIT_URL": url}
    command = [sys.executable, str(ROOT / "scripts/audit.py"), *map(str, locks)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_an_audit_without_findings_ends_well() -> None:
    with advisories({"unrelated": "X-1"}) as url:
        done = audit(url, LOCKS / "farm.txt", LOCKS / "build.txt")
    assert (done.returncode, done.stdout) == (0, "nothing is known against any package\n"), done.stderr


def test_a_finding_is_named_and_fails_the_audit() -> None:
    with advisories({"setuptools": "PYSEC-2099-1"}) as url:
        done = audit(url, LOCKS / "build.txt", LOCKS / "farm.txt")
    assert done.returncode == 1
    assert re.search(r"build\.txt: setuptools \S+: PYSEC-2099-1, mended in 999\n", done.stdout)


def test_a_database_that_does_not_answer_is_no_good_news() -> None:
    done = audit("http://127.0.0.1:1/v1/query", LOCKS / "farm.txt")
    assert done.returncode == 3
    assert "NOT CHECKED, the advisory database gave no answer" in done.stderr
    assert "nothing is known" not in done.stdout
