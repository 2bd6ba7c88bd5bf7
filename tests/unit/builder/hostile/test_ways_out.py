"""Ways out of the sandbox that were found: each is tried for real, and leads nowhere."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from building import NO_INDEXES, isolating, make_parts, make_source, open_index, quiet

from auto_lambda.errors import AppError, Code
from auto_lambda.model import FrameworkName
from auto_lambda.tools import ToolEnvironments
from builder.dependencies.lock import content_digest, resolve
from builder.dependencies.question import Question
from builder.dependencies.repair import repaired
from builder.dependencies.uv import BuildTarget
from builder.dependencies.wheel_builder import BuildInput
from builder.model import Built, Draft, Layer, Options
from builder.proof.cold_start import Prover
from builder.sandbox.sandbox import Command, Outcome

# ---------------------------------------------------------------- variables of an upload that programs outside obey

OBEYED = {
    "LD_PRELOAD": "/evil/preload.so",
    "LD_AUDIT": "/evil/audit.so",
    "LD_LIBRARY_PATH": "/evil/libraries",
    "GCONV_PATH": "/evil/gconv",
    "BASH_ENV": "/evil/bash",
    "ENV": "/evil/sh",
    "PS4": "$(/evil/prompt)",
    "SHELLOPTS": "xtrace",
    "PYTHONPATH": "/evil/python",
    "PYTHONHOME": "/evil/python",
    "PYTHONSTARTUP": "/evil/startup.py",
    "PATH": "/evil/bin:/usr/bin:/bin",
    "HOME": "/evil/home",
    "TMPDIR": "/evil/tmp",
}
LIBRARY = """
#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) {
    (void)!write(2, "LOADED\\n", 7);
    int owned = open("OWNED", O_CREAT | O_WRONLY, 0600);
    if (owned >= 0) close(owned);
}
"""


def library(folder: Path, owned: Path) -> Path:
    """Return a library that makes a file where it is loaded, if it can."""
    source, to = folder / "evil.c", folder / "evil.so"
    source.write_text(LIBRARY.replace("OWNED", str(owned)))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", to, source], check=True)
    return to


@pytest.fixture
def owned(tmp_path: Path) -> Path:
    """A file that a program outside of the sandbox can make, and none inside."""
    (tmp_path / "outside").mkdir()
    return tmp_path / "outside" / "owned"


def test_no_variable_of_a_command_is_outside_of_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They reach what runs inside, neither the environment nor the arguments of what starts it."""
    real, seen, work = shutil.which("bwrap"), tmp_path / "seen", tmp_path / "work"
    for folder in (tmp_path / "bin", seen, work):
        folder.mkdir()
    spy = tmp_path / "bin" / "bwrap"
    spy.write_text(
        f'#!/bin/sh\n/usr/bin/env >{seen}/variables\nprintf "%s\\n" "$@" >{seen}/arguments\nexec {real} "$@"\n'
    )
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    outcome = isolating().run(Command(("/usr/bin/env",), work, OBEYED, writable=(work,)), quiet)
    inside = set(outcome.output.splitlines())
    assert {f"{name}={value}" for name, value in OBEYED.items() if name != "TMPDIR"} <= inside
    assert "--seccomp" in (seen / "arguments").read_text()
    assert "/evil" not in (seen / "variables").read_text() + (seen / "arguments").read_text()
    names = {line.partition("=")[0] for line in (seen / "variables").read_text().splitlines()}
    assert names <= {"PATH", "LANG", "PWD", "SHLVL", "OLDPWD", "_"}


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_AUDIT"])
def test_a_library_of_the_zip_is_loaded_inside_only(tmp_path: Path, owned: Path, name: str) -> None:
    work = tmp_path / "work"
    work.mkdir()
    command = Command(("/bin/true",), work, {name: str(library(work, owned))}, writable=(work,))
    assert "LOADED" in isolating().run(command, quiet).output
    assert not owned.exists()


def app_with(folder: Path, framework: FrameworkName, owned: Path, files: Mapping[str, str]) -> Built:
    """Return an app whose settings have a library of its own loaded into each program."""
    tree = folder / "tree"
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (folder / "layer" / "python" / "zappa").mkdir(parents=True)
    (folder / "layer" / "python" / "zappa" / "handler.py").write_text("")
    (folder / "work").mkdir()
    source = make_source(tree, framework, environment={"LD_PRELOAD": str(library(tree, owned))})
    return Built(source, "", Layer(folder / "layer", Path("layer.zip"), "layers/x.zip", 0, 0))


CHALICE = {
    ".chalice/config.json": '{"version": "2.0", "app_name": "x"}',
    "app.py": "from chalice import Chalice\napp = Chalice(app_name='x')\n@app.route('/')\ndef index(): return {}\n",
}
ZAPPA = {
    "app.py": "def app(environ, start_response): pass\n",
    "zappa_settings.json": '{"dev": {"app_function": "app.app", "project_name": "x"}}',
}


@pytest.mark.parametrize(("framework", "files"), [("chalice", CHALICE), ("zappa", ZAPPA)])
def test_settings_of_an_app_are_not_obeyed_by_what_starts_its_compiler(
    tmp_path: Path, owned: Path, framework: FrameworkName, files: Mapping[str, str]
) -> None:
    built = app_with(tmp_path, framework, owned, files)
    said: list[str] = []
    parts = make_parts(tmp_path / "actions", isolating())
    with contextlib.suppress(AppError):
        parts.frameworks[framework].compile(built, tmp_path / "work", said.append)
    # Not even inside: an app's variables are for its own code only.
    assert not any("evil.so" in line for line in said)
    assert not owned.exists()


def test_settings_of_an_app_are_not_obeyed_by_what_starts_its_proof(tmp_path: Path, owned: Path) -> None:
    built = app_with(tmp_path, "chalice", owned, {"app.py": "def handler(event, context): pass\n"})
    template = {"Resources": {"Main": {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "app.handler"}}}}
    said: list[str] = []
    (tmp_path / "code.zip").touch()
    (tmp_path / "layer.zip").touch()
    layer = Layer(tmp_path / "layer", tmp_path / "layer.zip", "layers/x.zip", 0, 0)
    # Where the library lies on Lambda, and here: one of the two is there inside, the other outside.
    preload = f"/var/task/evil.so:{built.source.options.environment['LD_PRELOAD']}"
    inside = replace(built.source, options=Options(environment={"LD_PRELOAD": preload}))
    draft = Draft(template, built.source.root, "Main")
    Prover(isolating(), ToolEnvironments()).prove(
        draft, replace(built, layer=layer, source=inside), tmp_path / "code.zip", tmp_path / "work", said.append
    )
    assert "LOADED" in said
    assert not owned.exists()


# ---------------------------------------------------------------- links that a build leaves for us to follow

TARGET = BuildTarget("3.12", "x86_64", "x86_64-manylinux_2_34", Path("/usr/bin/python3.12"))
SECRET = "a line of the machine's own"
PROJECT = (
    '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    '[project]\nname = "evil"\ndynamic = ["version"]\n'
)
# Plants links wherever it may write, then makes a sound wheel; where it is to, under another name or as a link.
BACKEND = """
import os, zipfile
NAMES, TARGET = %r, %r
def plant(place):
    for name in NAMES:
        path = os.path.join(place, name)
        try:
            if os.path.lexists(path):
                os.rename(path, path + '.moved')
            os.symlink(TARGET, path)
        except OSError:
            pass
def build_wheel(folder, *_, **__):
    name = 'evil-1-py3-none-any.whl'
    info = {'METADATA': 'Metadata-Version: 2.1\\nName: evil\\nVersion: 1\\n', 'RECORD': '',
            'WHEEL': 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'}
    with zipfile.ZipFile(os.path.join(folder, name), 'w') as archive:
        archive.writestr('evil.py', 'made = 1')
        for member, text in info.items():
            archive.writestr('evil-1.dist-info/' + member, text)
    here = os.path.dirname(os.environ['UV_CACHE_DIR'])
    for place in (here, folder, os.getcwd()):
        plant(place)
        plant(os.path.dirname(place))
    return name
"""


def build(folder: Path, names: tuple[str, ...], target: Path) -> tuple[Built | None, str]:
    """Build a project that plants links; return the result, if there is one, and all that was told of it."""
    tree, work = folder / "tree", folder / "work"
    (tree / "evil").mkdir(parents=True)
    work.mkdir()
    (tree / "requirements.txt").write_text("./evil\n")
    (tree / "evil" / "pyproject.toml").write_text(PROJECT)
    (tree / "evil" / "backend.py").write_text(BACKEND % (names, str(target)))
    told: list[str] = []
    with open_index(lambda: NO_INDEXES) as index:
        parts = make_parts(folder / "actions", isolating(index), index=index)
        try:
            built = parts.dependencies.build(make_source(tree, "zappa"), (), work, told.append)
        except AppError as error:
            return None, "\n".join([*told, str(error)])
    return built, "\n".join([*told, built.lock])


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A folder of the machine with one file; whoever follows a link changes or tells it."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "file").write_text(SECRET)
    return folder


def untouched(precious: Path) -> bool:
    return [(path.name, path.read_text()) for path in precious.iterdir()] == [("file", SECRET)]


LATER = ("look", "record.json", "install.txt", "install-built.txt", "wheel", "repair", "repaired", "fetched", "source",
         "layer", "tree", "meta.json", "layer.zip", "binaries.json", "local.zip")  # fmt: skip
AT_ONCE = ("requirements.in", "constraints.in", "lock.txt", "pylock.toml")


@pytest.mark.parametrize("name", ["", "file"], ids=["to a folder", "to a file"])
def test_links_at_the_places_of_later_steps_are_not_followed(tmp_path: Path, precious: Path, name: str) -> None:
    built, told = build(tmp_path, LATER, precious / name)
    assert untouched(precious)
    assert SECRET not in told
    assert built, told
    assert built.site
    assert (built.site / "evil.py").read_text() == "made = 1"


@pytest.mark.parametrize("name", AT_ONCE)
def test_links_in_place_of_a_resolution_are_not_followed(tmp_path: Path, precious: Path, name: str) -> None:
    _, told = build(tmp_path, (name,), precious / "file")
    assert untouched(precious)
    assert SECRET not in told


class Exchanging:
    """Answers as uv would that has built a wheel, and leaves a link in its place, or in that of its folder."""

    def __init__(self, wheel: Path, place: str) -> None:
        self.wheel = wheel
        self.place = place

    def run(self, command: Command, say: object) -> Outcome:
        out = Path(command.argv[command.argv.index("--out-dir") + 1])
        if self.place == "folder":
            out.rmdir()
            out.symlink_to(self.wheel.parent)
        else:
            (out / self.wheel.name).symlink_to(self.wheel)
        return Outcome(0, "", 0.1)


@pytest.mark.parametrize(
    ("place", "said"), [("folder", "left 0 wheels instead of one"), ("wheel", "made no sound wheel")]
)
def test_links_in_place_of_a_wheel_are_not_followed(tmp_path: Path, place: str, said: str) -> None:
    """Behind them lies a sound wheel of the machine's own."""
    built, _ = build(tmp_path / "sound", (), tmp_path)
    assert built
    (own,) = (tmp_path / "sound" / "work").rglob("wheel-*/out/*.whl")
    project, work = tmp_path / "sound" / "tree" / "evil", tmp_path / "work"
    work.mkdir()
    builder = make_parts(tmp_path / "actions", Exchanging(own, place)).wheel_builder
    source = BuildInput("./evil", content_digest(project, work), project)
    with pytest.raises(AppError, match=f"the build of ./evil {said}"):
        builder.wheels((source,), TARGET, work, quiet)


class Planting:
    """Answers as uv would, and leaves links to a file in all folders that it may write to."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.runs: list[Command] = []

    def run(self, command: Command, say: object) -> Outcome:
        self.runs.append(command)
        name = command.argv[command.argv.index("--output-file") + 1]
        (command.cwd / name).write_text(LISTED if name == "pylock.toml" else LOCKED)
        for folder in command.writable:
            for planted in {*AT_ONCE, *LATER} - {name}:
                (folder / planted).unlink(missing_ok=True)
                (folder / planted).symlink_to(self.target)
        return Outcome(0, "", 0.1)


LOCKED = "fast==2.0 --hash=sha256:aa --hash=sha256:of-a-wheel\n"
LISTED = """lock-version = "1.0"
created-by = "uv"
[[packages]]
name = "fast"
version = "2.0"
sdist = { url = "https://files.example/fast-2.0.tar.gz", hashes = { sha256 = "aa" } }
"""


def test_a_second_resolution_writes_through_no_link_of_the_first(tmp_path: Path, precious: Path) -> None:
    sandbox, work = Planting(precious / "file"), tmp_path / "work"
    work.mkdir()
    question = Question("fast\n", "", "requirements.txt", complete=False, prerelease=False, left_out=())
    assert resolve(question, TARGET, make_parts(tmp_path / "actions", sandbox).uv, work, quiet).lock == LOCKED
    assert len(sandbox.runs) == 4
    assert untouched(precious)


class Linking:
    """Answers as uv would, but for one of its two files, in whose place it leaves a link to a sound one elsewhere."""

    def __init__(self, name: str, target: Path) -> None:
        self.name = name
        self.target = target

    def run(self, command: Command, say: object) -> Outcome:
        name = command.argv[command.argv.index("--output-file") + 1]
        text = LISTED if name == "pylock.toml" else LOCKED
        if name == self.name:
            self.target.write_text(text)
            (command.cwd / name).symlink_to(self.target)
        else:
            (command.cwd / name).write_text(text)
        return Outcome(0, "", 0.1)


@pytest.mark.parametrize("name", ["lock.txt", "pylock.toml"])
def test_no_answer_of_a_resolution_is_read_through_a_link(tmp_path: Path, precious: Path, name: str) -> None:
    work = tmp_path / "work"
    work.mkdir()
    question = Question("fast\n", "", "requirements.txt", complete=False, prerelease=False, left_out=())
    uv = make_parts(tmp_path / "actions", Linking(name, precious / "file")).uv
    with pytest.raises(AppError) as caught:
        resolve(question, TARGET, uv, work, quiet)
    assert "fast" not in str(caught.value)


PLANTED = {
    "a link": lambda path, target: path.symlink_to(target),
    "a second name": lambda path, target: path.hardlink_to(target),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a device": lambda path, _: path.symlink_to("/dev/zero"),
    "a folder": lambda path, _: path.mkdir(),
    "no zip": lambda path, _: path.write_bytes(b"PK"),
}


class Repairing:
    """Answers as auditwheel would that has repaired a wheel, and leaves something else where it should be."""

    def __init__(self, plant: Callable[[Path, Path], object], target: Path) -> None:
        self.plant = plant
        self.target = target

    def run(self, command: Command, say: object) -> Outcome:
        self.plant(Path(command.argv[command.argv.index("--wheel-dir") + 1], "evil-1-py3-none-any.whl"), self.target)
        return Outcome(0, "", 0.1)


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_what_is_left_in_place_of_a_repaired_wheel_is_no_wheel(
    tmp_path: Path, plant: Callable[[Path, Path], object]
) -> None:
    wheel, work = tmp_path / "evil-1-cp312-cp312-linux_x86_64.whl", tmp_path / "work"
    work.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("evil.libs/secret.so", "")
    with pytest.raises(AppError) as raised:
        repaired(wheel, "evil", TARGET, work, Repairing(plant, wheel), ToolEnvironments())
    assert raised.value.code is Code.DEPENDENCY_DOES_NOT_FIT
