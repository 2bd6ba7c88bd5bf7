from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from building import NoActions, make_parts

from auto_lambda.errors import AppError, Code
from auto_lambda.model import Architecture, BuildLog
from auto_lambda.tools import interpreters
from builder.dependencies import lock as module
from builder.dependencies.lock import Lock, Resolver, added, held_to
from builder.dependencies.manifests import Manifest
from builder.dependencies.requirement_lines import Local, Requirements
from builder.dependencies.uv import DOWNLOAD, INDEX_FAILED, BuildTarget, IndexTrouble, target_of
from builder.perform import ActionsHere
from builder.sandbox.sandbox import Command, Outcome

TARGET = BuildTarget("3.12", "x86_64", "x86_64-manylinux_2_34", Path("/usr/bin/python3.12"))
OK = Outcome(0, "", 0.1)
AWAY = Outcome(INDEX_FAILED, "", 0.1)
SIX = "six==1.17.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"


@dataclass
class FakeSandbox:
    """Answers as uv would, by writing ``text`` where the lock is expected; lists of files are not in ``commands``.

    ``probe`` is how asking the index itself ends.
    """

    text: str = SIX
    files: str = 'lock-version = "1.0"\ncreated-by = "uv"\npackages = []\n'
    outcome: Outcome = OK
    probe: Outcome = AWAY
    commands: list[Command] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def run(self, command: Command, say: BuildLog) -> Outcome:
        if str(DOWNLOAD) in command.argv:
            return self.probe
        name = command.argv[command.argv.index("--output-file") + 1]
        if name == "pylock.toml":
            (command.cwd / name).write_text(self.files)
            return OK
        self.commands.append(command)
        self.asked.append((command.cwd / "requirements.in").read_text())
        (command.cwd / name).write_text(self.text)
        return self.outcome


def resolver(tmp_path: Path, sandbox: FakeSandbox) -> Resolver:
    actions = ActionsHere(tmp_path / "actions")
    return Resolver(make_parts(tmp_path / "actions", sandbox, actions=actions).uv, actions)


def manifest(*requirements: str, **others: object) -> Manifest:
    lines = Requirements(requirements, hashes=others.pop("hashes", {}), local=others.pop("local", ()))  # type: ignore[arg-type]
    return Manifest("requirements.txt", lines, lines.names, **others)  # type: ignore[arg-type]


def make(tmp_path: Path, sandbox: FakeSandbox, asked: Manifest, number: int = 0) -> Lock:
    work = tmp_path / f"work{number}"
    work.mkdir()
    return resolver(tmp_path, sandbox).lock(asked, TARGET, work, lambda _: None)


def test_pins_with_their_hashes(tmp_path: Path) -> None:
    lock = make(tmp_path, FakeSandbox(), manifest("six"))
    assert [(pin.name, pin.requirement, pin.hashes) for pin in lock.pins] == [
        ("six", "six==1.17.0", ("sha256:aa", "sha256:bb"))
    ]
    assert lock.text == SIX == lock.installable


def test_frameworks_are_named_first_and_all_else_in_its_order(tmp_path: Path) -> None:
    sandbox = FakeSandbox()
    make(
        tmp_path,
        sandbox,
        manifest("pandas>=2", "Zappa[all]>=0.60", "flask", "chalice; python_version>'3'", "attrs"),
    )
    assert sandbox.asked[0].splitlines() == [
        "Zappa[all]>=0.60",
        "chalice; python_version>'3'",
        "pandas>=2",
        "flask",
        "attrs",
    ]


def test_nothing_asked_for_runs_nothing(tmp_path: Path) -> None:
    sandbox = FakeSandbox()
    assert make(tmp_path, sandbox, manifest()).pins == ()
    assert sandbox.commands == []


def test_only_the_hashes_of_the_manifest_are_left(tmp_path: Path) -> None:
    asked = manifest("six==1.17.0", hashes={"six": frozenset({"sha256:bb", "sha256:other-platform"})})
    assert make(tmp_path, FakeSandbox(), asked).pins[0].hashes == ("sha256:bb",)


def test_hashes_that_fit_no_file_are_refused(tmp_path: Path) -> None:
    asked = manifest("six==1.17.0", hashes={"six": frozenset({"sha256:evil"})})
    with pytest.raises(AppError, match="six") as caught:
        make(tmp_path, FakeSandbox(), asked)
    assert caught.value.code == Code.BAD_REQUIREMENTS


EARLIER_LOCK = (
    "--index-url x\nsix==1.16.0 \\\n    --hash=sha256:aa\nrequests[socks]==2.32.0 ; os_name == 'posix' \\\n"
    "    --hash=sha256:cc\n# sha256:dd\n./vendored\n"
)


def test_a_manifest_is_held_to_an_earlier_lock(tmp_path: Path) -> None:
    held = held_to(manifest("six>=1", "requests[socks]"), EARLIER_LOCK).lines
    assert held.requirements == ("six>=1", "requests[socks]")
    assert held.constraints == ("six==1.16.0", "requests==2.32.0 ; os_name == 'posix'")
    assert held.hashes == {"six": {"sha256:aa"}, "requests": {"sha256:cc"}}


def test_held_to_a_lock_another_file_of_the_same_version_is_refused(tmp_path: Path) -> None:
    asked = held_to(manifest("six"), "six==1.17.0 \\\n    --hash=sha256:another\n")
    with pytest.raises(AppError, match="six"):
        make(tmp_path, FakeSandbox(), asked)


def test_held_to_its_own_lock_the_lock_is_the_same(tmp_path: Path) -> None:
    first = make(tmp_path, FakeSandbox(), manifest("six"))
    grown = FakeSandbox(SIX.rstrip("\n") + " \\\n    --hash=sha256:new-wheel\n")
    second = make(tmp_path, grown, held_to(manifest("six"), first.text), 1)
    assert (first.text, second.text) == (SIX, SIX)


@pytest.mark.parametrize(
    ("requirements", "left_out"),
    [
        (("flask",), {"boto3", "botocore", "jmespath", "s3transfer", "pip", "wheel"}),
        (("flask", "boto3==1.40"), {"pip", "wheel"}),
        (("pip",), {"boto3", "botocore", "jmespath", "s3transfer", "wheel"}),
    ],
)
def test_what_lambda_has_is_not_shipped_unless_asked_for(
    tmp_path: Path, requirements: tuple[str, ...], left_out: set[str]
) -> None:
    sandbox = FakeSandbox()
    make(tmp_path, sandbox, manifest(*requirements))
    argv = sandbox.commands[0].argv
    assert {after for word, after in itertools.pairwise(argv) if word == "--no-emit-package"} == left_out


def test_a_complete_manifest_is_not_resolved_again(tmp_path: Path) -> None:
    sandbox = FakeSandbox()
    make(tmp_path, sandbox, manifest("six==1.17.0", complete=True))
    assert "--no-deps" in sandbox.commands[0].argv


def test_the_same_question_is_asked_once(tmp_path: Path) -> None:
    sandbox = FakeSandbox()
    assert make(tmp_path, sandbox, manifest("six")).text == SIX
    assert make(tmp_path, sandbox, manifest("six"), 1).text == SIX
    assert len(sandbox.commands) == 1
    make(tmp_path, sandbox, manifest("six<2"), 2)
    assert len(sandbox.commands) == 2


def test_an_answer_kept_by_another_version_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = FakeSandbox()
    assert make(tmp_path, sandbox, manifest("six")).text == SIX
    monkeypatch.setattr(module, "_FORMAT", "another")
    assert make(tmp_path, sandbox, manifest("six"), 1).text == SIX
    assert len(sandbox.commands) == 2


def test_what_is_in_this_zip_alone_is_asked_here_and_kept_by_nobody(tmp_path: Path) -> None:
    project = tmp_path / "tree" / "lib"
    project.mkdir(parents=True)
    (tmp_path / "work").mkdir()
    sandbox = FakeSandbox()
    parts = make_parts(tmp_path / "actions", sandbox)
    asked = manifest("six", local=(Local(project, "lib"),))
    Resolver(parts.uv, NoActions()).lock(asked, TARGET, tmp_path / "work", lambda _: None)
    assert len(sandbox.commands) == 1


def listing(other: str) -> str:
    """Return a lock of ``fast`` and another package, each with a source."""
    return f"""lock-version = "1.0"
created-by = "uv"
[[packages]]
name = "fast"
version = "2.0"
sdist = {{ url = "https://files.example/fast-2.0.tar.gz", hashes = {{ sha256 = "aa" }} }}
[[packages]]
name = "{other}"
version = "1.0"
sdist = {{ url = "https://files.example/{other}-1.0.tar.gz", hashes = {{ sha256 = "bb" }} }}
"""


def test_releases_with_fitting_wheels_are_preferred_to_compiling(tmp_path: Path) -> None:
    """Newer ones may have dropped an old system; those that never had a wheel are built."""
    listed = listing("pure")
    lock = "fast==2.0 --hash=sha256:aa --hash=sha256:of-a-wheel\npure==1.0 --hash=sha256:bb\n"
    sandbox = FakeSandbox(lock, listed)
    make(tmp_path, sandbox, manifest("fast", "pure"))
    first, second = (command.argv for command in sandbox.commands)
    assert "--only-binary" not in first
    position = second.index("--only-binary")
    assert second == (*first[:position], "--only-binary", "fast", *first[position:])


@dataclass
class NoWheelOf(FakeSandbox):
    """Finds no solution for calls that want a wheel of ``name``."""

    name: str = "pinned"

    def run(self, command: Command, say: BuildLog) -> Outcome:
        outcome = super().run(command, say)
        wanted = [after for word, after in itertools.pairwise(command.argv) if word == "--only-binary"]
        unsolved = Outcome(1, "error: No solution found when resolving dependencies:\n  cause: no wheels", 0.1)
        return unsolved if self.name in wanted else outcome


@pytest.mark.parametrize("order", [("fast", "pinned"), ("pinned", "fast")])
def test_one_pin_without_a_wheel_makes_no_other_package_compile(tmp_path: Path, order: tuple[str, str]) -> None:
    lines = {
        "fast": "fast==2.0 --hash=sha256:aa --hash=sha256:w\n",
        "pinned": "pinned==1.0 --hash=sha256:bb --hash=sha256:w\n",
    }
    sandbox = NoWheelOf("".join(lines[name] for name in order), listing("pinned"))
    make(tmp_path, sandbox, manifest("fast", "pinned==1.0"))
    solved = [command.argv for command in sandbox.commands if "pinned" not in command.argv]
    assert [after for word, after in itertools.pairwise(solved[-1]) if word == "--only-binary"] == ["fast"]


@dataclass
class BuildsWith(FakeSandbox):
    """A source that builds with an old setuptools only."""

    constraints: list[str] = field(default_factory=list)

    def run(self, command: Command, say: BuildLog) -> Outcome:
        outcome = super().run(command, say)
        if "--build-constraints" in command.argv:
            self.constraints.append((command.cwd / "build-constraints.in").read_text())
            return outcome
        old = "error: Failed to build `old==1`\n\n      error in old setup command: use_2to3 is invalid."
        return Outcome(1, old, 0.1) if "requirements.in" in command.argv else outcome


def test_an_old_source_is_built_again_with_the_tools_of_its_time(tmp_path: Path) -> None:
    sandbox = BuildsWith()
    said: list[str] = []
    (tmp_path / "work").mkdir()
    lock = resolver(tmp_path, sandbox).lock(manifest("six"), TARGET, tmp_path / "work", said.append)
    assert lock.text == SIX
    assert sandbox.constraints == ["setuptools<58\n"]
    assert [line for line in said if "setuptools<58, as setuptools 58 (September 2021) removed use_2to3" in line]


def test_it_is_tried_again_once(tmp_path: Path) -> None:
    output = "error: Failed to build `old==1`\n\n      use_2to3 is invalid."
    sandbox = FakeSandbox(outcome=Outcome(1, output, 0.1))
    with pytest.raises(AppError) as caught:
        make(tmp_path, sandbox, manifest("old"))
    assert caught.value.code == Code.DEPENDENCY_BUILD_FAILED
    assert len(sandbox.commands) == 2


def test_local_projects_are_built_from_a_copy_and_locked_by_content(tmp_path: Path) -> None:
    project = tmp_path / "tree" / "lib"
    project.mkdir(parents=True)
    (project / "setup.py").write_text("one")
    texts = []
    for number, content in enumerate(["one", "one", "two"]):
        (project / "setup.py").write_text(content)
        copy = tmp_path / f"work{number}" / "local" / "0" / "lib"
        lock = make(tmp_path, FakeSandbox(f"{copy}\n" + SIX), manifest(local=(Local(project, "lib"),)), number)
        assert str(copy) in lock.installable
        assert (copy / "setup.py").read_text() == content
        texts.append(lock.text)
    assert texts[0] == texts[1] != texts[2]
    assert "\n./lib\n" in texts[0]
    assert str(tmp_path) not in texts[0]


@pytest.mark.parametrize(
    "output",
    [
        "error: Failed to fetch: http://127.0.0.1:9/simple/six/\n  cause: client error (Connect)",
        "error: Failed to build `x`\n  cause: Failed to fetch: `http://h/`\n  cause: operation timed out",
        "error: Failed to write\n  cause: No space left on device (os error 28)",
    ],
)
def test_a_missing_index_is_not_the_uploaders_fault(tmp_path: Path, output: str) -> None:
    with pytest.raises(IndexTrouble):
        make(tmp_path, FakeSandbox(outcome=Outcome(2, output, 1)), manifest("six"))


@pytest.mark.parametrize("probe", [OK, Outcome(1, "HTTP Error 404", 0.1)])
def test_an_index_that_answers_when_asked_again_is_not_missing(tmp_path: Path, probe: Outcome) -> None:
    output = "error: Failed to fetch: http://index.example/simple/six/\n  cause: operation timed out"
    with pytest.raises(AppError) as caught:
        make(tmp_path, FakeSandbox(outcome=Outcome(2, output, 1), probe=probe), manifest("six"))
    assert caught.value.code == Code.BAD_REQUIREMENTS
    assert "operation timed out" in caught.value.message


def test_a_build_cannot_pretend_that_the_index_was_missing(tmp_path: Path) -> None:
    output = "error: Failed to build `x==1`\n\n         [stdout]\n         error: Failed to fetch: dns error"
    with pytest.raises(AppError) as caught:
        make(tmp_path, FakeSandbox(outcome=Outcome(1, output, 1)), manifest("six"))
    assert caught.value.code == Code.DEPENDENCY_BUILD_FAILED


def test_too_long_is_told_as_that(tmp_path: Path) -> None:
    with pytest.raises(AppError) as caught:
        make(tmp_path, FakeSandbox(outcome=Outcome(-15, "", 900, "time")), manifest("six"))
    assert caught.value.code == Code.TOOK_TOO_LONG


def test_frameworks_requirements_are_added_when_no_line_names_them() -> None:
    assert added(("Flask", "zappa>=0.60"), manifest("flask==3", "pandas")) == ("zappa>=0.60",)


@pytest.mark.parametrize(
    ("python", "architecture", "platform"),
    [
        ("3.12", "x86_64", "x86_64-manylinux_2_34"),
        ("3.12", "arm64", "aarch64-manylinux_2_34"),
        ("3.11", "x86_64", "x86_64-manylinux_2_17"),
    ],
)
def test_the_target_is_the_runtime_of_the_app(python: str, architecture: Architecture, platform: str) -> None:
    if python not in interpreters():
        pytest.skip(f"no python{python} here")
    target = target_of(python, architecture, interpreters())
    assert (target.platform, target.interpreter) == (platform, interpreters()[python])
