"""Spare builders: for one request each, and none older than a unit lets it become."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from worker.builds import spares as module
from worker.builds.launcher import BuilderProcess, Walls
from worker.builds.spares import MAX_WAIT, Spares

PATIENCE = 20


class Builder:
    """A builder that lives until it is ended."""

    def __init__(self, number: int) -> None:
        self.channel = cast(Any, None)
        self.number = number
        self.living = True

    def alive(self) -> bool:
        return self.living

    def end(self) -> str:
        self.living = False
        return ""


class Launcher:
    walls = Walls(isolated=True, own_user=True)

    def __init__(self) -> None:
        self.launched: list[Builder] = []
        self.more = threading.Condition()

    def launch(self) -> BuilderProcess:
        with self.more:
            self.launched.append(Builder(len(self.launched)))
            self.more.notify_all()
            return self.launched[-1]

    def await_launched(self, count: int) -> None:
        with self.more:
            assert self.more.wait_for(lambda: len(self.launched) >= count, PATIENCE)


@contextmanager
def standing_by(launcher: Launcher, count: int, now: list[float]) -> Iterator[Spares]:
    spares = Spares(launcher, count, lambda: now[0])
    spares.start()
    try:
        launcher.await_launched(count)
        yield spares
    finally:
        spares.close()


def test_each_request_gets_a_builder_of_its_own_which_is_ended_afterwards() -> None:
    launcher = Launcher()
    with standing_by(launcher, 2, [0.0]) as spares:
        for number in range(3):
            launcher.await_launched(number + 2)
            with spares.builder() as running:
                assert running is launcher.launched[number]
                assert running.alive()
            assert not running.alive()
    assert not any(builder.living for builder in launcher.launched)


def test_a_spare_that_has_waited_too_long_gives_way_to_a_new_one(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_LOOK", 0.01)
    launcher, now = Launcher(), [0.0]
    with standing_by(launcher, 2, now) as spares:
        now[0] = MAX_WAIT + 1
        launcher.await_launched(4)
        assert [builder.living for builder in launcher.launched] == [False, False, True, True]
        with spares.builder() as running:
            assert running is launcher.launched[2]


def test_while_a_build_goes_on_only_the_last_spare_is_replaced() -> None:
    launcher = Launcher()
    with standing_by(launcher, 2, [0.0]) as spares:
        with spares.builder():
            assert len(launcher.launched) == 2
            with spares.builder() as running:
                assert running is launcher.launched[1]
                launcher.await_launched(3)
        launcher.await_launched(4)


def test_without_spares_each_is_started_when_it_is_asked_for() -> None:
    launcher = Launcher()
    with standing_by(launcher, 0, [0.0]) as spares:
        assert launcher.launched == []
        with spares.builder() as running:
            assert running is launcher.launched[0]
