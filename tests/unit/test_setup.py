"""What `make setup` does behind the proxy of a company, whose own authority signs connections."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import trustme
from company_index import company_index

from auto_lambda.tools import uv_executable

ROOT = Path(__file__).parents[2]
TELLING = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
AUTHORITY = trustme.CA()
# A build backend in the tree itself, so that nothing else has to be installed.
BACKEND = """
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{folder}/tree-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tree-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tree\\nVersion: 1.0\\n")
        wheel.writestr(
            "tree-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        )
        wheel.writestr("tree-1.0.dist-info/RECORD", "")
    return "tree-1.0-py3-none-any.whl"
"""


def wheel(name: str, files: Mapping[str, str]) -> bytes:
    info = f"{name}-1.0.dist-info"
    told = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_hash(text)},{len(text)}\n" for path, text in told.items())
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, text in {**told, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            member = zipfile.ZipInfo(path)
            member.external_attr = (stat.S_IFREG | 0o755) << 16
            archive.writestr(member, text)
    return data.getvalue()


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


WHEELS = {
    "uv": wheel("uv", {"uv-1.0.data/scripts/uv": f'#!/bin/sh\nexec {uv_executable()} "$@"\n'}),
    "demo": wheel("demo", {"demo.py": "from_the_index = True\n"}),
}


class Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        *_, name = self.path.strip("/").split("/")
        if name in WHEELS:
            link = f"/files/{name}-1.0-py3-none-any.whl"
            self._send(f'<a href="{link}">{name}</a>'.encode(), "text/html")
        elif (wheel := name.partition("-")[0]) in WHEELS:
            self._send(WHEELS[wheel], "application/octet-stream")
        else:
            self.send_error(404)

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    """A package index whose certificate the company's authority has issued."""
    with company_index(Index, AUTHORITY) as address:
        yield address


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree that is set up as ours is, with next to nothing to install, and an environment that has only pip."""
    folder = tmp_path_factory.mktemp("tree")
    locked = "".join(
        f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(data).hexdigest()}\n" for name, data in WHEELS.items()
    )
    modules = dict.fromkeys(("builder/__main__.py", "builder/compose.py", "builder/perform.py"), "")
    for name, text in {
        **modules, "setup.cfg": "", "setup.py": "", "requirements.txt": locked, "auto_lambda/locks/build.txt": "",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "tree"\nversion = "1.0"\n',
        "backend.py": BACKEND, "scripts/setup.sh": (ROOT / "scripts/setup.sh").read_text(),
    }.items():  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    programs = folder / "programs"  # else it would be installed with the distribution's tools
    programs.mkdir()
    (programs / "bwrap").write_text("#!/bin/sh\n")
    (programs / "bwrap").chmod(0o755)
    subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
    return folder


def set_up(tree: Path, to: Path, index: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Set up a copy of the tree, with nothing else in the environment that says where packages are."""
    shutil.copytree(tree, to, symlinks=True)
    clean = {"PATH": f"{to / 'programs'}:{os.environ['PATH']}", "HOME": str(to)}
    told = {"PIP_INDEX_URL": index, "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "1", "PIP_NO_CACHE_DIR": "1",
            "UV_DEFAULT_INDEX": index, "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0",
            "AUTO_LAMBDA_SETUP_PYTHON": sys.executable}  # fmt: skip
    return subprocess.run(
        ["bash", to / "scripts/setup.sh"], env={**clean, **told, **environ}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("variable", TELLING)
def test_any_one_variable_that_names_certificates_is_enough(
    tree: Path, index: str, tmp_path: Path, variable: str
) -> None:
    bundle = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(bundle))
    done = set_up(tree, tmp_path / "tree", index, {variable: str(bundle)})
    assert done.returncode == 0, done.stderr
    installed = [str(tmp_path / "tree/.venv/bin/python"), "-c", "import demo; print(demo.from_the_index)"]
    assert subprocess.run(installed, capture_output=True, text=True, check=True).stdout == "True\n"


def test_without_the_certificates_nothing_is_installed(tree: Path, index: str, tmp_path: Path) -> None:
    done = set_up(tree, tmp_path / "tree", index, {})
    assert done.returncode != 0
    assert "certificate" in done.stderr.lower()
    assert not (tmp_path / "tree/.venv/.made-from").exists()
