"""Real builds by backends that need no network, and a real repair."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.model import Say
from auto_lambda.tools import ToolEnvironments, interpreters
from builder.dependencies.lock import content_digest
from builder.dependencies.sdists import Sdist
from builder.dependencies.uv import IndexTrouble, Target, Uv
from builder.dependencies.wheel_builder import Farm, Source
from builder.dependencies.wheel_store import EmptyShelf, Record, Shelf, verify
from builder.sandbox.sandbox import Command, Outcome, PlainSandbox

MINOR = max(interpreters(), key=lambda minor: int(minor.removeprefix("3.")))
TARGET = Target(MINOR, "x86_64", "x86_64-manylinux_2_34", interpreters()[MINOR])
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

    def run(self, command: Command, say: Say) -> Outcome:
        if "build" in command.argv:
            self.builds.append(command)
        return PlainSandbox().run(command, say)


@dataclass
class MemoryShelf:
    """A bucket in memory, with conditional writes."""

    kept: dict[str, tuple[Record, bytes]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, key: str, into: Path) -> Record | None:
        if key not in self.kept:
            return None
        record, data = self.kept[key]
        (into / record["wheel"]["file"]).write_bytes(data)
        verify(into / record["wheel"]["file"], record)
        return record

    def store(self, key: str, record: Record, wheel: Path, *, anew: bool) -> None:
        with self.lock:
            if anew or key not in self.kept:
                self.kept[key] = (record, wheel.read_bytes())


def project(folder: Path, code: str = "pass") -> Source:
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "backend.py").write_text(BACKEND % code.strip())
    return Source("./shop", content_digest(folder, folder.parent), folder)


def farm(folder: Path, sandbox: Watched, shelf: Shelf) -> Farm:
    uv = Uv(sandbox, None, {})
    return Farm(uv, sandbox, ToolEnvironments(), folder / "wheels", shelf, worker="tester")


def make(
    folder: Path, source: Source, shelf: Shelf, sandbox: Watched | None = None, said: list[str] | None = None
) -> str:
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    sandbox, said = sandbox or Watched(), said if said is not None else []
    (wheel,) = farm(folder, sandbox, shelf).wheels((source,), TARGET, work, said.append)
    return wheel.sha256


def test_a_wheel_is_built_once_for_all_and_says_where_it_comes_from(tmp_path: Path) -> None:
    source, shelf, sandbox, said = project(tmp_path / "shop"), MemoryShelf(), Watched(), list[str]()
    first = make(tmp_path / "one", source, shelf, sandbox, said)
    assert make(tmp_path / "one", source, shelf, sandbox) == first
    assert make(tmp_path / "two", source, shelf, sandbox, said) == first
    assert len(sandbox.builds) == 1
    assert said == ["./shop: no wheel fits, building it from source", "./shop: built before by tester"]
    ((record, _),) = shelf.kept.values()
    assert record["wheel"] | {"bytes": 0} == {"file": "shop-1.0-py3-none-any.whl", "sha256": first, "bytes": 0}
    assert record["source"]["sha256"] == source.sha256 == record["key"]["source"]
    assert record["key"]["abi"] == f"cp{MINOR.replace('.', '')}"
    assert {"uv", "auditwheel", "patchelf", "cc"} <= set(record["tools"])


def test_shared_libraries_travel_with_a_native_wheel(tmp_path: Path) -> None:
    shelf = MemoryShelf()
    # The library is found through the rpath, as one of the system would be.
    make(tmp_path, project(tmp_path / "shop", NATIVE), shelf)
    ((record, _),) = shelf.kept.values()
    assert [name.partition("-")[0] for name in record["bundled"]] == ["libhelper"]
    assert "manylinux_2_" in record["wheel"]["file"]


@pytest.mark.parametrize("found", [b"poison", b""])
def test_a_spoiled_entry_is_built_anew_and_mended_for_all(tmp_path: Path, found: bytes) -> None:
    source, shelf, sandbox, said = project(tmp_path / "shop"), MemoryShelf(), Watched(), list[str]()
    first = make(tmp_path / "one", source, shelf, sandbox)
    ((key, (record, _)),) = shelf.kept.items()
    shelf.kept[key] = (record, found)
    second = make(tmp_path / "two", source, shelf, sandbox, said)
    assert len(sandbox.builds) == 2
    assert "spoiled" in said[0]
    assert make(tmp_path / "three", source, shelf, sandbox) == second != first
    assert len(sandbox.builds) == 2


def test_a_wheel_that_was_cut_off_on_this_machine_is_fetched_again(tmp_path: Path) -> None:
    source, shelf, sandbox, said = project(tmp_path / "shop"), MemoryShelf(), Watched(), list[str]()
    first = make(tmp_path, source, shelf, sandbox)
    (wheel,) = tmp_path.glob("wheels/*/*.whl")
    wheel.write_bytes(wheel.read_bytes()[:100])
    assert make(tmp_path, source, shelf, sandbox, said) == first
    assert "spoiled" in said[0]
    assert len(sandbox.builds) == 1


def test_of_two_workers_that_build_the_same_both_use_the_same(tmp_path: Path) -> None:
    source, shelf, sandbox = project(tmp_path / "shop"), MemoryShelf(), Watched()
    found: list[str] = []
    both = threading.Barrier(2)

    class Simultaneous(MemoryShelf):
        def store(self, key: str, record: Record, wheel: Path, *, anew: bool) -> None:
            both.wait(60)
            shelf.store(key, record, wheel, anew=anew)

        def fetch(self, key: str, into: Path) -> Record | None:
            return shelf.fetch(key, into)

    def work(name: str) -> None:
        found.append(make(tmp_path / name, source, Simultaneous(), sandbox))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sandbox.builds) == 2
    assert len(found) == 2
    assert len(set(found)) == 1


def test_a_build_that_fails_is_told_with_its_last_lines_and_leaves_nothing(tmp_path: Path) -> None:
    code = "subprocess.run(['cc', '-c', '-x', 'c', '-'], input=b'int main( { nonsense', check=True)"
    with pytest.raises(AppError, match=r"\./shop does not build") as caught:
        make(tmp_path, project(tmp_path / "shop", code), EmptyShelf())
    assert caught.value.code == Code.DEPENDENCY_BUILD_FAILED
    assert "error: " in caught.value.message
    assert "nonsense" in caught.value.message
    assert not [path for path in (tmp_path / "wheels").iterdir() if path.suffix not in (".making", ".new")]


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
        make(tmp_path, project(tmp_path / "shop", code), EmptyShelf())
    assert caught.value.code == Code.DEPENDENCY_BUILD_FAILED


def test_a_wheel_that_is_native_by_name_only_is_taken(tmp_path: Path) -> None:
    shelf = MemoryShelf()
    make(tmp_path, project(tmp_path / "shop", f"tag = '{TAG}-{TAG}-linux_x86_64'"), shelf)
    assert [record["wheel"]["file"] for record, _ in shelf.kept.values()] == [
        f"shop-1.0-{TAG}-{TAG}-manylinux_2_34_x86_64.whl"
    ]


def test_a_wheel_of_another_platform_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="win_amd64") as caught:
        make(tmp_path, project(tmp_path / "shop", "tag = 'cp312-cp312-win_amd64'"), EmptyShelf())
    assert caught.value.code == Code.DEPENDENCY_DOES_NOT_FIT


def test_a_library_that_cannot_be_brought_along_is_named(tmp_path: Path) -> None:
    code = NATIVE.replace("-Wl,-rpath,$PWD ", "")
    with pytest.raises(AppError, match="libhelper") as caught:
        make(tmp_path, project(tmp_path / "shop", code), EmptyShelf())
    assert caught.value.code == Code.DEPENDENCY_DOES_NOT_FIT


def test_a_source_that_changed_under_the_build_is_not_built(tmp_path: Path) -> None:
    source = project(tmp_path / "shop")
    (tmp_path / "shop" / "backend.py").write_text("evil")
    with pytest.raises(RuntimeError, match="changed"):
        make(tmp_path, source, EmptyShelf())


@dataclass
class Index:
    """Hands out ``data`` for whatever is fetched."""

    data: bytes
    returncode: int = 0

    def run(self, command: Command, say: Say) -> Outcome:
        assert command.network
        Path(command.argv[-2]).write_bytes(self.data)
        return Outcome(self.returncode, "HTTP Error 404", 0.1)


@pytest.mark.parametrize("index", [Index(b"other"), Index(b"", 1)])
def test_a_source_with_another_hash_is_the_indexs_trouble(tmp_path: Path, index: Index) -> None:
    sdist = Sdist("shop", "1.0", "shop-1.0.tar.gz", "https://index.example/shop-1.0.tar.gz", "0" * 64)
    growing = Farm(Uv(index, None, {}), index, ToolEnvironments(), tmp_path / "wheels", EmptyShelf())
    with pytest.raises(IndexTrouble):
        growing.wheels((Source("shop 1.0", "0" * 64, sdist),), TARGET, tmp_path, lambda _: None)


def test_a_wheel_from_the_zip_is_taken_in_by_its_hash(tmp_path: Path) -> None:
    shelf = MemoryShelf()
    make(tmp_path, project(tmp_path / "shop"), shelf)
    (wheel,) = tmp_path.glob("wheels/*/*.whl")
    mine = farm(tmp_path / "other", Watched(), shelf)
    taken = mine.adopt(wheel, "wheels/shop.whl", tmp_path)
    assert taken.sha256 in taken.path.parent.name
    assert taken.path.name == wheel.name
    wheel.write_bytes(b"rubbish")
    with pytest.raises(AppError, match=r"wheels/shop\.whl") as caught:
        mine.adopt(wheel, "wheels/shop.whl", tmp_path)
    assert caught.value.code == Code.BAD_REQUIREMENTS
