from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from binaries import extension
from building import make_parts

from auto_lambda.errors import AppError, Code
from auto_lambda.model import BuildLog
from auto_lambda.tools import ToolEnvironments
from builder.actions import ActionResult
from builder.dependencies import layer as module
from builder.dependencies.layer import Layers, tidy
from builder.dependencies.lock import Lock
from builder.dependencies.sdists import Pin, Sdist
from builder.dependencies.size import quota
from builder.dependencies.uv import BuildTarget
from builder.dependencies.zips import UnsafeTree
from builder.model import Layer
from builder.proof.elf import BINARIES
from builder.protocol.messages import Action
from builder.sandbox.sandbox import Command, Outcome, Sandbox

TARGET = BuildTarget("3.12", "x86_64", "x86_64-manylinux_2_34", Path("/usr/bin/python3.12"))
LOCK = Lock((Pin("six==1.17.0", ("sha256:aa",)),))

OK = Outcome(0, "Installed", 0.1)


def package(site: Path) -> None:
    info = site / "six-1.17.0.dist-info"
    info.mkdir()
    (site / "six.py").write_text("x = 1")
    (info / "direct_url.json").write_text("file:///here")
    (info / "RECORD").write_text(
        f"six.py,sha256=x,5\nbin/six,,\nsix-1.17.0.dist-info/direct_url.json,,\n{info.name}/RECORD,,\n"
    )
    (site / "bin").mkdir()
    (site / "bin" / "six").write_text("#!/home/someone/python\n")
    (site / ".lock").touch()


@dataclass
class FakeSandbox:
    """Installs by calling ``fill`` with the target folder; ``listed`` has the lists of what was to be installed."""

    fill: Callable[[Path], None] = package
    outcome: Outcome = OK
    commands: list[Command] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)

    def run(self, command: Command, say: BuildLog) -> Outcome:
        if "compileall" in command.argv:
            return OK
        self.commands.append(command)
        self.listed.append((command.cwd / command.argv[command.argv.index("--requirements") + 1]).read_text())
        self.fill(Path(command.argv[command.argv.index("--target") + 1]))
        say(self.outcome.output)
        return self.outcome


def no_wheel() -> FakeSandbox:
    return FakeSandbox(outcome=Outcome(1, "error: six==1.17.0 has no usable wheels, unsatisfiable", 1))


def layers_of(sandbox: Sandbox, folder: Path) -> Layers:
    return make_parts(folder / "actions", sandbox, tools=ToolEnvironments(folder / "tools")).layers


def make(tmp_path: Path, sandbox: FakeSandbox, lock: Lock = LOCK, said: list[str] | None = None) -> Layer:
    layers = layers_of(sandbox, tmp_path)
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    layer = layers.layer(lock, TARGET, work, (said if said is not None else []).append)
    assert layer
    return layer


def test_a_layer_is_made_once_and_found_again(tmp_path: Path) -> None:
    sandbox = FakeSandbox()
    first = make(tmp_path, sandbox)
    assert make(tmp_path, sandbox) == first
    assert len(sandbox.commands) == 1
    assert first.shared
    assert first.key == f"layers/{first.key[7:-4]}.zip"
    assert first.zip_bytes == first.zip.stat().st_size
    with zipfile.ZipFile(first.zip) as archive:
        assert archive.namelist() == [
            "python/six-1.17.0.dist-info/RECORD",
            "python/six.py",
        ]
        assert first.tree_bytes == sum(info.file_size for info in archive.infolist())


def test_other_locks_and_other_targets_have_other_layers(tmp_path: Path) -> None:
    sandbox = FakeSandbox()
    work = tmp_path / "work"
    work.mkdir()
    layers = layers_of(sandbox, tmp_path)
    arm = BuildTarget("3.12", "arm64", "aarch64-manylinux_2_34", TARGET.interpreter)
    for lock, target in [(LOCK, TARGET), (LOCK, arm), (Lock((Pin("six==1.16.0"),)), TARGET)]:
        layers.layer(lock, target, work, lambda _: None)
    assert len(sandbox.commands) == 3


def test_an_empty_lock_has_no_layer(tmp_path: Path) -> None:
    assert layers_of(FakeSandbox(), tmp_path).layer(Lock(()), TARGET, tmp_path, lambda _: None) is None


@dataclass
class Wheels:
    """Has wheels built: each is there already."""

    folder: Path

    def run(self, action: Action, say: BuildLog) -> ActionResult:
        assert action.kind == "wheel"
        record = {"wheel": {"file": "docopt-0.6.2-py3-none-any.whl", "sha256": "ab"}}
        (self.folder / "record.json").write_text(json.dumps(record))
        return ActionResult(self.folder)


def test_the_network_is_used_for_files_of_the_index_and_not_for_wheels_that_were_built(tmp_path: Path) -> None:
    sdist = Sdist("docopt", "0.6.2", "docopt-0.6.2.tar.gz", "https://index.example/docopt-0.6.2.tar.gz", "cd")
    lock = Lock((*LOCK.pins, Pin("docopt==0.6.2", ("sha256:cd",))), unwheeled={"docopt": sdist})
    sandbox = FakeSandbox(lambda _: None)
    (tmp_path / "built").mkdir()
    (tmp_path / "work").mkdir()
    layers = make_parts(tmp_path / "actions", sandbox, actions=Wheels(tmp_path / "built")).layers
    layers.make(lock, TARGET, tmp_path / "into", tmp_path / "work", lambda _: None)
    assert [command.network for command in sandbox.commands] == [True, False]
    assert ["--offline" in command.argv for command in sandbox.commands] == [False, True]
    wheel = tmp_path / "built" / "docopt-0.6.2-py3-none-any.whl"
    assert sandbox.listed == [f"{LOCK.pins[0]}\n", f"{wheel} --hash=sha256:ab\n"]
    assert all("--require-hashes" in command.argv and "--no-build" in command.argv for command in sandbox.commands)


def test_a_failed_installation_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    sandbox = no_wheel()
    with pytest.raises(AppError) as caught:
        make(tmp_path, sandbox)
    assert caught.value.code == Code.DEPENDENCY_BUILD_FAILED
    assert list((tmp_path / "actions" / "layer").iterdir()) == []
    assert make(tmp_path, FakeSandbox()).zip.exists()


def test_too_much_is_refused_with_the_largest_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "MAX_BYTES", 1000)

    def fill(site: Path) -> None:
        (site / "small.py").touch()
        (site / "large").mkdir()
        (site / "large" / "data").write_bytes(b"x" * 2_000_000)

    with pytest.raises(AppError, match="large 2 MB") as caught:
        make(tmp_path, FakeSandbox(fill))
    assert caught.value.code == Code.PACKAGE_TOO_LARGE


def test_wheels_that_are_too_large_are_refused_before_anything_is_installed(tmp_path: Path) -> None:
    sandbox = FakeSandbox()
    with pytest.raises(AppError, match=r"tensorflow 2\.21\.0 546 MB") as caught:
        make(tmp_path, sandbox, replace(LOCK, wheel_bytes={"tensorflow 2.21.0": 546 * 1024**2}))
    assert caught.value.code == Code.PACKAGE_TOO_LARGE
    assert not sandbox.commands


def test_an_installation_that_fills_the_disk_is_too_large_for_lambda(tmp_path: Path) -> None:
    sandbox = FakeSandbox(outcome=Outcome(-25, "", 9.0, "disk"))
    with pytest.raises(AppError, match="far larger than the 250 MB that Lambda takes") as caught:
        make(tmp_path, sandbox)
    assert caught.value.code == Code.PACKAGE_TOO_LARGE


def with_tests(site: Path) -> None:
    package(site)
    (site / "six_tests" / "tests").mkdir(parents=True)
    (site / "six_tests" / "tests" / "test_six.py").write_text("x" * 100)
    (site / "six_tests" / "tests" / "_six.so").write_bytes(extension())
    (site / "_fast.so").write_bytes(extension())


def test_a_slim_layer_is_another_one_without_tests_and_symbols(tmp_path: Path) -> None:
    said: list[str] = []
    full = make(tmp_path, FakeSandbox(with_tests))
    slim = make(tmp_path, FakeSandbox(with_tests), replace(LOCK, slim=True), said)
    assert slim.key != full.key
    assert slim.shared != full.shared
    assert any(line.startswith("slim: 0 MB are left out: tests") for line in said)
    assert not (slim.tree / "python" / "six_tests" / "tests").exists()
    assert slim.tree_bytes < full.tree_bytes - len(extension()) - 100
    read = [[one["path"] for one in json.loads((layer.tree.parent / BINARIES).read_text())] for layer in (full, slim)]
    assert read == [["python/_fast.so", "python/six_tests/tests/_six.so"], ["python/_fast.so"]]
    glibc = [json.loads((layer.tree.parent / BINARIES).read_text())[0]["glibc"] for layer in (full, slim)]
    assert glibc[0] == glibc[1], "read while the sections were there"


@dataclass
class Compiling(FakeSandbox):
    """Puts ``compiled`` bytes beside the module; ends as ``compiler`` says."""

    compiled: int = 10
    compiler: Outcome = OK

    def run(self, command: Command, say: BuildLog) -> Outcome:
        if "compileall" not in command.argv:
            return super().run(command, say)
        (command.cwd / "__pycache__").mkdir(exist_ok=True)
        (command.cwd / "__pycache__" / "six.pyc").write_bytes(b"x" * self.compiled)
        return self.compiler


@pytest.mark.parametrize(
    ("room", "sandbox", "kept", "said"),
    [
        (10_000, Compiling(compiler=Outcome(0, "", 1)), True, None),
        (10_000, Compiling(compiler=Outcome(-11, "", 1)), False, "the compiler failed"),
        (100, Compiling(compiler=Outcome(0, "", 1), compiled=5000), False, "it does not fit"),
        (-90, Compiling(compiler=Outcome(0, "", 1)), False, "it would not fit"),
    ],
    ids=["fits", "crashes", "too large", "no room"],
)
def test_bytecode_only_where_there_is_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, sandbox: Compiling, kept: bool, said: str | None
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 200)  # what is installed takes less than 100
    monkeypatch.setattr(module, "ROOM_FOR_CODE", 100 - room)
    lines: list[str] = []
    layer = make(tmp_path, sandbox, said=lines)
    assert [path.name for path in layer.tree.rglob("*.pyc")] == (["six.pyc"] if kept else [])
    assert [said in line for line in lines if said and "bytecode" in line] == ([True] if said else [])
    with zipfile.ZipFile(layer.zip) as archive:
        assert any(name.endswith(".pyc") for name in archive.namelist()) == kept
        assert layer.tree_bytes == sum(info.file_size for info in archive.infolist())


def test_a_link_left_by_a_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="evil") as caught:
        make(tmp_path, FakeSandbox(lambda site: (site / "evil").symlink_to("/etc/passwd")))
    assert caught.value.code == Code.DEPENDENCY_BUILD_FAILED


def test_tidying_does_not_write_into_hard_linked_files(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    package(site)
    cached = tmp_path / "cached"
    record = site / "six-1.17.0.dist-info" / "RECORD"
    cached.hardlink_to(record)
    before = cached.read_text()
    tidy(site)
    assert cached.read_text() == before
    assert record.read_text() == "six-1.17.0.dist-info/RECORD,,\nsix.py,sha256=x,5\n"


def test_tidying_touches_nothing_behind_a_link(tmp_path: Path) -> None:
    site, outside = tmp_path / "site", tmp_path / "outside"
    site.mkdir()
    outside.mkdir()
    (outside / "direct_url.json").touch()
    (site / "x-1.dist-info").symlink_to(outside)
    with pytest.raises(UnsafeTree):
        tidy(site)
    assert (outside / "direct_url.json").exists()


def test_a_record_that_is_none_is_refused(tmp_path: Path) -> None:
    package(tmp_path)
    (tmp_path / "six-1.17.0.dist-info" / "RECORD").write_bytes(b"\xff\xfe")
    with pytest.raises(UnsafeTree, match="RECORD"):
        tidy(tmp_path)


def test_binaries_in_bin_stay_and_bytecode_goes(tmp_path: Path) -> None:
    for name, data in {
        "bin/tool": b"\x7fELF",
        "bin/script": b"#!/x",
        "pkg/__pycache__/a.pyc": b"",
        "pkg/a.py": b"",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    tidy(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == {
        "bin/tool",
        "pkg/a.py",
    }
