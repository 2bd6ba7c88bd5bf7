"""Real builds by backends that need no network, and a real repair."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from building import make_parts

from auto_lambda.errors import AppError, Code
from auto_lambda.model import BuildLog
from auto_lambda.tools import ToolEnvironments, interpreters
from builder.actions import ActionResult
from builder.dependencies.lock import content_digest
from builder.dependencies.sdists import Sdist
from builder.dependencies.uv import INDEX_FAILED, BuildTarget, IndexTrouble
from builder.dependencies.wheel_builder import BuildInput, Wheel, WheelBuilder, input_of, wheel_action
from builder.protocol.messages import Action
from builder.sandbox.sandbox import Command, Outcome, PlainSandbox, Sandbox

MINOR = max(interpreters(), key=lambda minor: int(minor.removeprefix("3.")))
TARGET = BuildTarget(MINOR, "x86_64", "x86_64-manylinux_2_34", interpreters()[MINOR])
TAG = f"cp{MINOR.replace('.', '')}"
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
BACKEND = """
import os, pathlib, subprocess, sysconfig, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    members = {"shop.py": repr(os.urandom(8))}
    tag = "py3-none-any"
    %s
    info = {"METADATA": "Metadata-Version: 2.1\\nName: shop\\nVersion: 1.0\\n",
            "RECORD": "".join(one + ",,\\n" for one in members),
            "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\nTag: " + tag + "\\n"}
    name = "shop-1.0-" + tag + ".whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as archive:
        for member, data in {**members, **{"shop-1.0.dist-info/" + k: v for k, v in info.items()}}.items():
            archive.writestr(member, data)
    return name
"""
NATIVE = """
    abi = "cp" + sysconfig.get_config_var("py_version_nodot")
    tag = abi + "-" + abi + "-linux_x86_64"
    pathlib.Path("helper.c").write_text("int helper(void) { return 3; }")
    pathlib.Path("shop.c").write_text("int helper(void); int PyInit_shop(void) { return helper(); }")
    subprocess.run("cc -shared -fPIC -Wl,-soname,libhelper.so.1 -o libhelper.so.1 helper.c".split(), check=True)
    subprocess.run("cc -shared -fPIC -Wl,-rpath,$PWD -o shop.so shop.c libhelper.so.1".replace("$PWD", os.getcwd())
                   .split(), check=True)
    members["shop." + sysconfig.get_config_var("SOABI") + ".so"] = pathlib.Path("shop.so").read_bytes()
"""


@dataclass
class Watched:
    """Counts builds."""

    builds: list[Command] = field(default_factory=list)

    def run(self, command: Command, say: BuildLog) -> Outcome:
        if "build" in command.argv:
            self.builds.append(command)
        return PlainSandbox().run(command, say)


def project(folder: Path, code: str = "pass") -> BuildInput:
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "backend.py").write_text(BACKEND % code.strip())
    return BuildInput("./shop", content_digest(folder, folder.parent), folder)


def make(
    folder: Path, source: BuildInput, sandbox: Sandbox | None = None, said: list[str] | None = None
) -> tuple[Wheel, dict[str, Any]]:
    """Return a wheel and the record of its provenance."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    parts = make_parts(folder / "actions", sandbox or PlainSandbox())
    (wheel,) = parts.wheel_builder.wheels((source,), TARGET, work, ([] if said is None else said).append)
    return wheel, json.loads(wheel.path.with_name("record.json").read_bytes())


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder whose files can be fetched, and its address."""
    folder = tmp_path / "files"
    folder.mkdir()
    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def sdist_of(folder: Path, index: tuple[Path, str]) -> BuildInput:
    path = index[0] / "shop-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, "shop-1.0")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return BuildInput("shop 1.0", digest, Sdist("shop", "1.0", path.name, f"{index[1]}/{path.name}", digest))


def test_a_wheel_of_the_index_is_built_once_and_says_where_it_comes_from(
    tmp_path: Path, index: tuple[Path, str]
) -> None:
    project(tmp_path / "shop")
    source, sandbox, said = sdist_of(tmp_path / "shop", index), Watched(), list[str]()
    first, record = make(tmp_path / "one", source, sandbox, said)
    again, _ = make(tmp_path / "one", source, sandbox, said)
    assert again.sha256 == first.sha256 == hashlib.sha256(again.path.read_bytes()).hexdigest()
    assert len(sandbox.builds) == 1
    assert said == ["shop 1.0: no wheel fits, building it from source"]
    assert record["wheel"] | {"bytes": 0} == {"file": "shop-1.0-py3-none-any.whl", "sha256": first.sha256, "bytes": 0}
    assert record["wheel"]["bytes"] == first.path.stat().st_size
    assert record["source"]["sha256"] == source.sha256 == record["key"]["source"]
    assert record["source"]["file"] == "shop-1.0.tar.gz"
    assert record["key"]["abi"] == f"cp{MINOR.replace('.', '')}"
    assert {"uv", "auditwheel", "patchelf", "cc"} <= set(record["tools"])


@dataclass
class Endless:
    """Builds that do not end before they are let go, but for those in ``fails``."""

    fails: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def run(self, action: Action, say: BuildLog) -> ActionResult:
        if action.inputs["sdist"]["name"] == self.fails:
            raise AppError(Code.DEPENDENCY_BUILD_FAILED, f"{self.fails} does not build", hint="Take another.")
        self.over.wait(60)
        raise OSError("nobody waits for it")


def endless(tmp_path: Path, actions: Endless) -> AppError:
    parts = make_parts(tmp_path / "actions", PlainSandbox(), actions=actions)
    sandbox = PlainSandbox()
    builder = WheelBuilder(parts.uv, sandbox, ToolEnvironments(), actions, seconds=0.2 if not actions.fails else 50)
    sdists = [Sdist(name, "1.0", f"{name}.tar.gz", "https://files.example/f", "aa") for name in ("fast", "slow")]
    inputs = tuple(BuildInput(f"{one.name} 1.0", "aa", one) for one in sdists)
    try:
        with pytest.raises(AppError) as caught:
            builder.wheels(inputs, TARGET, tmp_path, lambda _: None)
    finally:
        actions.over.set()
    return caught.value


def test_all_builds_together_have_a_bound(tmp_path: Path) -> None:
    error = endless(tmp_path, Endless())
    assert error.code == Code.TOOK_TOO_LONG
    assert error.message.startswith("building fast 1.0, slow 1.0 was stopped")


def test_a_build_that_fails_ends_the_others(tmp_path: Path) -> None:
    assert endless(tmp_path, Endless(fails="slow")).message == "slow does not build"


def test_a_project_of_this_zip_is_built_here_and_kept_by_nobody(tmp_path: Path) -> None:
    source, sandbox, said = project(tmp_path / "shop"), Watched(), list[str]()
    wheel, record = make(tmp_path / "one", source, sandbox, said)
    make(tmp_path / "one", source, sandbox)
    assert len(sandbox.builds) == 2
    assert said == ["./shop: no wheel fits, building it from source"]
    assert list((tmp_path / "one" / "actions").iterdir()) == []
    assert record["source"]["sha256"] == source.sha256 == record["key"]["source"]
    assert record["wheel"]["sha256"] == wheel.sha256


def test_the_key_of_a_wheel_follows_from_its_inputs() -> None:
    """Who could have another source built under a key would have its wheel installed by all that need the key's."""
    sdist = Sdist("shop", "1.0", "shop-1.0.tar.gz", "https://index.example/shop-1.0.tar.gz", "0" * 64)
    inputs = wheel_action(sdist, TARGET).inputs
    assert input_of(inputs, TARGET) == BuildInput("shop 1.0", "0" * 64, sdist)
    for part in inputs["key"]:
        with pytest.raises(ValueError, match="key"):
            input_of({**inputs, "key": {**inputs["key"], part: "another"}}, TARGET)
    with pytest.raises(ValueError, match="key"):
        input_of({**inputs, "sdist": {**inputs["sdist"], "sha256": "1" * 64}}, TARGET)


def test_shared_libraries_travel_with_a_native_wheel(tmp_path: Path) -> None:
    # The library is found through the rpath, as one of the system would be.
    _, record = make(tmp_path, project(tmp_path / "shop", NATIVE))
    assert [name.partition("-")[0] for name in record["bundled"]] == ["libhelper"]
    assert "manylinux_2_" in record["wheel"]["file"]


def test_a_build_that_fails_is_told_with_its_last_lines_and_leaves_nothing(tmp_path: Path) -> None:
    code = "subprocess.run(['cc', '-c', '-x', 'c', '-'], input=b'int main( { nonsense', check=True)"
    with pytest.raises(AppError, match=r"\./shop does not build") as caught:
        make(tmp_path, project(tmp_path / "shop", code))
    assert caught.value.code == Code.DEPENDENCY_BUILD_FAILED
    assert "error: " in caught.value.message
    assert "nonsense" in caught.value.message
    assert list(tmp_path.rglob("*.whl")) == []


def test_a_build_of_the_index_that_fails_leaves_nothing_and_is_tried_again(
    tmp_path: Path, index: tuple[Path, str]
) -> None:
    project(tmp_path / "shop", "raise SystemExit('not today')")
    source, sandbox = sdist_of(tmp_path / "shop", index), Watched()
    for _ in range(2):
        with pytest.raises(AppError, match=r"shop 1\.0 does not build") as caught:
            make(tmp_path, source, sandbox)
        assert caught.value.code == Code.DEPENDENCY_BUILD_FAILED
    assert list((tmp_path / "actions" / "wheel").iterdir()) == []
    assert len(sandbox.builds) == 2


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("tag = 'py3-none-any'; members['../../evil.py'] = ''", "no sound wheel"),
        (
            "os.symlink('/etc/passwd', folder + '/shop-1.0-py3-none-any.whl'); return 'shop-1.0-py3-none-any.whl'",
            "sound|build",
        ),
    ],
)
def test_what_a_hostile_build_leaves_is_looked_at_strictly(tmp_path: Path, code: str, reason: str) -> None:
    with pytest.raises(AppError, match=reason) as caught:
        make(tmp_path, project(tmp_path / "shop", code))
    assert caught.value.code == Code.DEPENDENCY_BUILD_FAILED


def test_a_wheel_that_is_native_by_name_only_is_taken(tmp_path: Path) -> None:
    _, record = make(tmp_path, project(tmp_path / "shop", f"tag = '{TAG}-{TAG}-linux_x86_64'"))
    assert record["wheel"]["file"] == f"shop-1.0-{TAG}-{TAG}-manylinux_2_34_x86_64.whl"


def test_a_wheel_of_another_platform_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="win_amd64") as caught:
        make(tmp_path, project(tmp_path / "shop", "tag = 'cp312-cp312-win_amd64'"))
    assert caught.value.code == Code.DEPENDENCY_DOES_NOT_FIT


def test_a_library_that_cannot_be_brought_along_is_named(tmp_path: Path) -> None:
    code = NATIVE.replace("-Wl,-rpath,$PWD ", "")
    with pytest.raises(AppError, match="libhelper") as caught:
        make(tmp_path, project(tmp_path / "shop", code))
    assert caught.value.code == Code.DEPENDENCY_DOES_NOT_FIT


def test_a_source_that_changed_under_the_build_is_not_built(tmp_path: Path) -> None:
    source = project(tmp_path / "shop")
    (tmp_path / "shop" / "backend.py").write_text("evil")
    with pytest.raises(AppError, match="changed") as caught:
        make(tmp_path, source)
    assert caught.value.code == Code.RESULT_TAMPERED


@dataclass
class FakeIndex:
    """Hands out ``data`` for whatever is fetched."""

    data: bytes
    returncode: int = 0

    def run(self, command: Command, say: BuildLog) -> Outcome:
        assert command.network
        Path(command.argv[-2]).write_bytes(self.data)
        return Outcome(self.returncode, "HTTP Error 404", 0.1)


def test_a_source_that_the_index_does_not_hand_out_is_the_uploaders_to_change(tmp_path: Path) -> None:
    sdist = Sdist("shop", "1.0", "shop-1.0.tar.gz", "https://index.example/shop-1.0.tar.gz", "0" * 64)
    with pytest.raises(AppError, match="HTTP Error 404") as caught:
        make(tmp_path, BuildInput("shop 1.0", "0" * 64, sdist), FakeIndex(b"", 1))
    assert caught.value.code == Code.DEPENDENCY_BUILD_FAILED


@pytest.mark.parametrize("index", [FakeIndex(b"other"), FakeIndex(b"", INDEX_FAILED)])
def test_a_source_with_another_hash_is_the_indexs_trouble(tmp_path: Path, index: FakeIndex) -> None:
    sdist = Sdist("shop", "1.0", "shop-1.0.tar.gz", "https://index.example/shop-1.0.tar.gz", "0" * 64)
    with pytest.raises(IndexTrouble):
        make(tmp_path, BuildInput("shop 1.0", "0" * 64, sdist), index)


def test_a_wheel_from_the_zip_is_taken_in_by_its_hash(tmp_path: Path) -> None:
    built, _ = make(tmp_path, project(tmp_path / "shop"))
    given = Path(shutil.copy(built.path, tmp_path))
    mine, work = make_parts(tmp_path / "other").wheel_builder, tmp_path / "work"
    taken = mine.adopt(given, "wheels/shop.whl", work)
    given.write_bytes(b"rubbish")
    assert taken.path.name == given.name
    assert taken.sha256 == built.sha256 == hashlib.sha256(taken.path.read_bytes()).hexdigest()
    with pytest.raises(AppError, match=r"wheels/shop\.whl") as caught:
        mine.adopt(given, "wheels/shop.whl", work)
    assert caught.value.code == Code.BAD_REQUIREMENTS
