"""Whose fault a failed resolution is: real runs of uv against indexes that work, and that fail, behind the real proxy.

What an upload says, prints or is named never makes a failure ours; an index that fails always does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from building import make_parts, make_source, open_index
from failing_index import failing_index

from auto_lambda.errors import AppError, Code
from builder.compose import Parts
from builder.dependencies.uv import IndexTrouble
from builder.sandbox.sandbox import IndexAccess, PlainSandbox
from worker.index.hosts import discover

QUICK = {"UV_HTTP_RETRIES": "0"}
Files = Mapping[str, str | bytes]


@contextmanager
def builder(folder: Path, environ: Mapping[str, str]) -> Iterator[Parts]:
    """A builder whose indexes are these."""
    with open_index(lambda: discover(environ)) as index:
        sandbox = PlainSandbox(IndexAccess(Path(index.socket), index.environment))
        yield make_parts(folder / "actions", sandbox, index=index, environ={**environ, **QUICK})


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """A builder whose index works."""
    with (
        failing_index() as index,
        builder(tmp_path_factory.mktemp("working"), {"UV_DEFAULT_INDEX": f"http://me:secret@{index}/simple/"}) as made,
    ):
        yield made


def build(tmp_path: Path, parts: Parts, files: Files) -> None:
    tree, work = tmp_path / "tree", tmp_path / "work"
    work.mkdir(parents=True)
    for name, content in {"app.py": "", **files}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    parts.dependencies.build(make_source(tree, "zappa", "3.12"), (), work, lambda _: None)


def needs(*lines: str) -> Files:
    return {"requirements.txt": "\n".join(lines)}


def project(folder: str, backend: str, name: str = "evil", requires: str = "") -> Files:
    """A project that builds itself, so that its build needs nothing of an index."""
    head = f'[build-system]\nrequires=[{requires}]\nbuild-backend="backend"\nbackend-path=["."]\n'
    return {
        "requirements.txt": f"./{folder}\n",
        f"{folder}/pyproject.toml": f'{head}[project]\nname="{name}"\ndynamic=["version", "dependencies"]\n',
        f"{folder}/backend.py": backend,
    }


def fails_with(words: str, folder: str = "evil", name: str = "evil") -> Files:
    return project(folder, f"import sys\nprint({words!r})\nprint({words!r}, file=sys.stderr)\nsys.exit(1)\n", name)


FETCH = "Failed to fetch: `https://index.example/simple/x/`"
CHAIN = f"error: Request failed after 3 retries\n  cause: {FETCH}\n  cause: client error (Connect)\n  cause: dns error"
# Writes past uv to where uv itself writes, then lets the build fail.
PAST_UV = f"""
import os, sys
pid = os.getpid()
while pid > 1:
    pid = int(open(f"/proc/{{pid}}/stat").read().rpartition(")")[2].split()[1])
    try:
        if os.readlink(f"/proc/{{pid}}/exe").endswith("/uv"):
            open(f"/proc/{{pid}}/fd/2", "w").write({CHAIN!r} + "\\n")
            break
    except OSError:
        pass
sys.exit(1)
"""
KILLS_UV = PAST_UV.replace("break", "os.kill(pid, 9)")
ASKS_FOR_ANOTHER_HOST = """
import sys, urllib.request
try:
    urllib.request.urlopen("https://elsewhere.example/", timeout=20)
except OSError as error:
    sys.exit(f"error: {error}")
"""
METADATA = """
def prepare_metadata_for_build_wheel(folder, settings=None):
    import os
    os.mkdir(folder + "/evil-1.dist-info")
    with open(folder + "/evil-1.dist-info/METADATA", "w") as file:
        file.write("Metadata-Version: 2.1\\nName: evil\\nVersion: 1\\nRequires-Dist: %s\\n")
    return "evil-1.dist-info"
def get_requires_for_build_wheel(settings=None): return []
def build_wheel(folder, settings=None, metadata=None): raise SystemExit("dns error: timed out")
"""
DIGITS = "9" * 6000

UPLOADERS: dict[str, tuple[Files, Code]] = {
    "a build that prints a DNS error": (fails_with("dns error: timed out"), Code.DEPENDENCY_BUILD_FAILED),
    "a build that prints uv's errors": (fails_with(CHAIN), Code.DEPENDENCY_BUILD_FAILED),
    "a build that prints them after a carriage return": (
        fails_with("\r" + CHAIN.replace("\n", "\r")), Code.DEPENDENCY_BUILD_FAILED,
    ),
    "a build that prints a 503": (
        fails_with("HTTP status server error (503 Service Unavailable) for url (https://index.example/)"),
        Code.DEPENDENCY_BUILD_FAILED,
    ),
    "a build that prints that the disk is full": (
        fails_with("error: x\n  cause: No space left on device (os error 28)"), Code.DEPENDENCY_BUILD_FAILED,
    ),
    "a build that writes past uv": (project("evil", PAST_UV), Code.DEPENDENCY_BUILD_FAILED),
    "a build that writes past uv and kills it": (project("evil", KILLS_UV), Code.BAD_REQUIREMENTS),
    "a build that asks for another host": (project("evil", ASKS_FOR_ANOTHER_HOST), Code.DEPENDENCY_BUILD_FAILED),
    "a folder named timeout": (fails_with("no", "timeout"), Code.DEPENDENCY_BUILD_FAILED),
    "a folder named as a failed fetch": (fails_with("no", "Failed to fetch"), Code.DEPENDENCY_BUILD_FAILED),
    "a folder named as a full disk": (
        fails_with("no", "No space left on device (os error 28)"), Code.DEPENDENCY_BUILD_FAILED,
    ),
    "a project named timed-out": (fails_with("no", "lib", "timed-out"), Code.DEPENDENCY_BUILD_FAILED),
    "a build that needs a package named timeout": (
        project("evil", "", requires='"timeout-decorator"'), Code.DEPENDENCY_BUILD_FAILED,
    ),
    "a package named timeout-decorator": (needs("timeout-decorator"), Code.REQUIREMENT_NOT_FOUND),
    "a package named async-timeout": (needs("async-timeout==99"), Code.REQUIREMENT_NOT_FOUND),
    "a package named dns-error": (needs("dns-error>=2"), Code.REQUIREMENT_NOT_FOUND),
    "a package named requires-python": (needs("requires-python"), Code.REQUIREMENT_NOT_FOUND),
    "a package named satisfiable": (needs("satisfiable"), Code.REQUIREMENT_NOT_FOUND),
    "a release that there is none of": (needs("demo==503"), Code.REQUIREMENT_NOT_FOUND),
    "a conflict": (needs("demo>=1", "demo<1"), Code.REQUIREMENTS_CONFLICT),
    "a project that needs what there is not": (
        project("evil", METADATA % "timed-out-504"), Code.REQUIREMENT_NOT_FOUND,
    ),
    "a project that names rubbish": (project("evil", METADATA % "dns error: timed out"), Code.DEPENDENCY_BUILD_FAILED),
    "a wheel that is none": (
        {**needs("./timeout-1.0-py3-none-any.whl"), "timeout-1.0-py3-none-any.whl": b"timed out"},
        Code.BAD_REQUIREMENTS,
    ),
    "a version of 6,000 digits": (needs(f"demo=={DIGITS}"), Code.BAD_REQUIREMENTS),
    "a marker of 6,000 digits": (needs(f"demo; python_version > '{DIGITS}'"), Code.REQUIREMENTS_CONFLICT),
    "nested markers": (needs("demo; " + "(" * 3000 + "os_name == 'x'" + ")" * 3000), Code.BAD_REQUIREMENTS),
    "nested markers that can be parsed": (
        needs("demo==2; " + "(" * 100 + "os_name != 'x'" + ")" * 100), Code.REQUIREMENT_NOT_FOUND,
    ),
    "nested markers of a local project": (
        {**project("evil", METADATA % "demo"), **needs("./evil; " + "(" * 50_000 + "os_name != 'x'" + ")" * 50_000)},
        Code.BAD_REQUIREMENTS,
    ),
    "a page of the index that is too large": (needs("too-large-at-once"), Code.INDEX_PAGE_TOO_LARGE),
    "a page of the index that goes on too long": (needs("too-large-later"), Code.INDEX_PAGE_TOO_LARGE),
    "a build that needs what has too large a page": (
        project("evil", "", requires='"too-large-at-once"'), Code.INDEX_PAGE_TOO_LARGE,
    ),
    "a folder in place of requirements.txt's include": (
        {**needs("-r more.txt"), "more.txt/x": ""}, Code.BAD_REQUIREMENTS,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "code"), UPLOADERS.values(), ids=UPLOADERS)
def test_the_uploaders_fault_is_told_as_that(tmp_path: Path, parts: Parts, files: Files, code: Code) -> None:
    with pytest.raises(AppError) as caught:
        build(tmp_path, parts, files)
    assert caught.value.code == code
    assert caught.value.hint


OURS: dict[str, Files] = {
    "an error of the index": needs("status-500"),
    "an index that is overloaded": needs("status-503"),
    "an index that is asked too often": needs("status-429"),
    "an index that breaks off": needs("cut-off"),
    "a build that needs what the index fails to tell of": project("evil", "", requires='"status-502"'),
}


@pytest.mark.parametrize("way", ["signed", "tunnel"])
@pytest.mark.parametrize("files", OURS.values(), ids=OURS)
def test_an_index_that_fails_is_our_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Files, way: str
) -> None:
    certificates = tmp_path / "ca.pem" if way == "tunnel" else None
    with failing_index(certificates) as index:
        environ = {"UV_DEFAULT_INDEX": f"http://me:secret@{index}/simple/"}
        if certificates:
            environ = {"UV_DEFAULT_INDEX": f"https://{index}/simple/", "SSL_CERT_FILE": str(certificates)}
            monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
        with builder(tmp_path, environ) as parts, pytest.raises(IndexTrouble):
            build(tmp_path, parts, files)


@pytest.mark.parametrize(
    "address",
    ["https://127.0.0.1:9/simple/", "https://no-such-host.invalid/simple/", "http://me:x@127.0.0.1:9/simple/"],
)
def test_an_index_that_cannot_be_reached_is_our_fault(tmp_path: Path, address: str) -> None:
    with builder(tmp_path, {"UV_DEFAULT_INDEX": address}) as parts, pytest.raises(IndexTrouble):
        build(tmp_path, parts, needs("demo"))


def test_files_that_the_index_fails_to_hand_out_are_our_fault(tmp_path: Path) -> None:
    with (
        failing_index(files_status=502) as index,
        builder(tmp_path, {"UV_DEFAULT_INDEX": f"http://me:secret@{index}/simple/"}) as parts,
        pytest.raises(IndexTrouble),
    ):
        build(tmp_path, parts, needs("demo"))
