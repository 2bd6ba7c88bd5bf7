"""Where control groups can be made, in both versions. The files are the kernel's as documented, laid out by hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from builder.sandbox import cgroups
from builder.sandbox.sandbox import Command, PlainSandbox


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    folder.mkdir()
    return folder


def unified(tmp_path: Path, proc: Path, own: str = "/system.slice/worker.service") -> Path:
    """A machine with version 2 on which we are in ``own``, alone."""
    (proc / "mountinfo").write_text(f"30 20 0:26 / {tmp_path}/fs rw - cgroup2 cgroup2 rw,nsdelegate\n")
    (proc / "cgroup").write_text(f"0::{own}\n")
    folder = Path(f"{tmp_path}/fs{own}")
    folder.mkdir(parents=True)
    (folder / "cgroup.controllers").write_text("cpu io memory pids\n")
    (folder / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (folder / "cgroup.subtree_control").write_text("")
    return folder


def test_a_worker_alone_in_its_delegated_group_moves_into_a_leaf(tmp_path: Path, proc: Path) -> None:
    own = unified(tmp_path, proc)
    found = cgroups.find(proc)
    assert found == cgroups.Hierarchy({"memory": own, "pids": own}, unified=True)
    assert (own / "worker" / "cgroup.procs").read_text() == str(os.getpid())
    assert (own / "cgroup.subtree_control").read_text() == "+memory +pids"


def test_a_group_that_others_are_in_is_left_alone(tmp_path: Path, proc: Path) -> None:
    own = unified(tmp_path, proc)
    (own / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")
    assert cgroups.find(proc) is None
    assert not (own / "worker").exists()


def test_who_has_moved_already_makes_groups_beside_itself(tmp_path: Path, proc: Path) -> None:
    leaf = unified(tmp_path, proc, "/system.slice/worker.service/worker")
    (leaf.parent / "cgroup.subtree_control").write_text("memory pids\n")
    found = cgroups.find(proc)
    assert found
    assert found.parents["memory"] == leaf.parent


def test_each_run_enters_a_leaf_of_its_own(tmp_path: Path, proc: Path) -> None:
    own = unified(tmp_path, proc)
    groups = cgroups.find(proc)
    assert groups
    sandbox = PlainSandbox(groups)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        assert sandbox.run(Command(("true",), tmp_path / folder, writable=(tmp_path / folder,)), print).ok
    # Nobody but the kernel removes the files of a group: here they stay, and tell who came.
    leaves = list(own.glob("auto-lambda-*/cgroup.procs"))
    assert [leaf.read_text() for leaf in leaves] == ["0\n", "0\n"]  # the kernel's word for "me"
    assert (own / "cgroup.procs").read_text() == f"{os.getpid()}\n", "what is ours is not moved again"


@pytest.mark.parametrize(
    ("file", "text", "limit"),
    [
        ("memory.events", "low 0\noom 1\noom_kill 1\n", "memory"),
        ("pids.events", "max 3\n", "processes"),
        ("cpu.stat", "usage_usec 9000000\nuser_usec 1\n", "time"),
        ("memory.events", "low 0\noom_kill 0\n", None),
    ],
)
def test_what_the_kernel_counts_tells_the_limit(
    tmp_path: Path, proc: Path, file: str, text: str, limit: str | None
) -> None:
    own = unified(tmp_path, proc)
    group = cgroups.Hierarchy({"memory": own, "pids": own}, unified=True).group(memory=10**9, processes=7, cpu=5)
    (made,) = own.glob("auto-lambda-*")
    assert ((made / "memory.max").read_text(), (made / "pids.max").read_text()) == ("1000000000", "7")
    (made / file).write_text(text)
    assert group.exceeded(1) == limit


def test_version_1_has_a_folder_for_each_controller(tmp_path: Path, proc: Path) -> None:
    names = ("memory", "pids", "cpuacct")
    (proc / "mountinfo").write_text(
        "".join(f"3{n} 20 0:2{n} / {tmp_path}/{name} rw - cgroup cgroup rw,{name}\n" for n, name in enumerate(names))
    )
    (proc / "cgroup").write_text("3:memory:/inner\n2:pids:/\n1:cpuacct:/\n")
    for folder in ("memory/inner", "pids", "cpuacct"):
        (tmp_path / folder).mkdir(parents=True)
    found = cgroups.find(proc)
    assert found
    assert not found.unified
    assert found.parents["memory"] == tmp_path / "memory" / "inner"


def test_a_machine_without_them_is_no_obstacle(proc: Path) -> None:
    (proc / "mountinfo").write_text("")
    (proc / "cgroup").write_text("0::/\n")
    assert cgroups.find(proc) is None


def test_what_a_dead_worker_left_is_removed_at_the_next_start(tmp_path: Path, proc: Path) -> None:
    own = unified(tmp_path, proc)
    ours, dead = own / f"auto-lambda-{os.getpid()}-1", own / f"auto-lambda-{2**22 + 1}-1"
    ours.mkdir()
    dead.mkdir()
    assert cgroups.find(proc)
    assert (ours.exists(), dead.exists()) == (True, False)
