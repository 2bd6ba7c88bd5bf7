"""Limits of the whole builder are seen by what the kernel counts in its control group."""

from __future__ import annotations

from pathlib import Path

import pytest

from auto_lambda.processes.meters import Stopped
from builder.sandbox.group_events import GroupEvents, own_group


def count(group: Path, *, killed: int = 0, refused: int = 0) -> None:
    (group / "memory.events").write_text(f"low 0\nhigh 0\nmax 12\noom {killed}\noom_kill {killed}\noom_group_kill 0\n")
    (group / "pids.events").write_text(f"max {refused}\n")


@pytest.mark.parametrize(
    ("killed", "refused", "stopped"), [(3, 7, None), (4, 7, "memory"), (3, 8, "processes"), (4, 8, "memory")]
)
def test_what_was_counted_since_the_start_tells_the_limit(
    tmp_path: Path, killed: int, refused: int, stopped: Stopped | None
) -> None:
    count(tmp_path, killed=3, refused=7)
    events = GroupEvents(tmp_path)
    count(tmp_path, killed=killed, refused=refused)
    assert events.stopped() == stopped


def test_where_there_is_no_control_group_nothing_is_told(tmp_path: Path) -> None:
    assert GroupEvents(tmp_path / "missing").stopped() is None


def test_the_group_is_this_process_s_own(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("0::/autolambda.slice/autolambda-builders.slice/autolambda-builder@1.service\n")
    assert own_group(own, tmp_path) == tmp_path.joinpath(
        "autolambda.slice", "autolambda-builders.slice", "autolambda-builder@1.service"
    )
    assert own_group(tmp_path / "missing", tmp_path) == tmp_path
