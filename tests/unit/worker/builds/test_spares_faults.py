from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from worker.builds.launcher import Walls
from worker.builds.spares import Spares


class BuilderProcess:
    def __init__(self) -> None:
        self.channel: Any = None
        self.living = True
        self.ended = 0

    def alive(self) -> bool:
        return self.living

    def end(self) -> str:
        self.ended += 1
        return "last words"


class Launcher:
    """Starts what only counts; ``errors`` come first, ``gate`` holds a start up."""

    walls = Walls(isolated=True, own_user=True)

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.launched: list[BuilderProcess] = []
        self.gate = threading.Event()
        self.gate.set()
        self.changed = threading.Condition()

    def launch(self) -> BuilderProcess:
        with self.changed:
            if self.errors:
                raise self.errors.pop(0)
            self.launched.append(BuilderProcess())
            running = self.launched[-1]
            self.changed.notify_all()
        self.gate.wait(20)
        return running

    def reaches(self, count: int) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.launched) >= count, 20)


@pytest.fixture
def launcher() -> Launcher:
    return Launcher()


@pytest.fixture
def spares(launcher: Launcher) -> Iterator[Spares]:
    made = Spares(launcher, 2)
    made.start()
    while len(made._waiting) < 2:  # one that is launched is not kept yet
        time.sleep(0.01)
    yield made
    made.close()
    assert all(one.ended == 1 for one in launcher.launched)


def taken(spares: Spares) -> BuilderProcess:
    with spares.builder() as running:
        assert isinstance(running, BuilderProcess)
        assert running.ended == 0
    return running


def test_a_spare_is_handed_out_once_and_replaced(launcher: Launcher, spares: Spares) -> None:
    handed_out = {id(taken(spares)) for _ in range(10)}
    assert len(handed_out) == 10
    assert launcher.reaches(12)


def test_a_builder_is_ended_whatever_happens(spares: Spares) -> None:
    with pytest.raises(ValueError, match="x"), spares.builder() as running:
        raise ValueError("x")
    assert isinstance(running, BuilderProcess)
    assert running.ended == 1


def test_a_dead_spare_is_not_handed_out(launcher: Launcher, spares: Spares) -> None:
    first = list(launcher.launched)
    for one in first:
        one.living = False
    running = taken(spares)
    assert running not in first
    assert launcher.reaches(4)
    assert [one.ended for one in first] == [1, 1]


def test_several_threads_never_get_the_same(launcher: Launcher, spares: Spares) -> None:
    barrier = threading.Barrier(8)
    got: list[int] = []

    def take() -> None:
        with spares.builder() as running:
            barrier.wait(20)
            got.append(id(running))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 8


def test_close_ends_all_and_what_is_starting(launcher: Launcher) -> None:
    launcher.gate.clear()
    spares = Spares(launcher, 3)
    spares.start()
    assert launcher.reaches(1)
    late = threading.Timer(0.05, launcher.gate.set)
    late.start()
    spares.close()
    spares.close()
    late.join()
    assert [one.ended for one in launcher.launched] == [1]


def test_close_before_start(launcher: Launcher) -> None:
    Spares(launcher, 3).close()
    assert launcher.launched == []


def test_none_stand_by_where_none_are_wanted(launcher: Launcher) -> None:
    spares = Spares(launcher, 0)
    spares.start()
    assert launcher.launched == []
    assert taken(spares).ended == 1
    spares.close()
    assert len(launcher.launched) == 1


@pytest.mark.parametrize("error", [OSError("no memory"), RuntimeError("can't start new thread")])
def test_a_launcher_that_fails_is_tried_again(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.builds.spares._RETRY_SECONDS", 0.01)
    launcher = Launcher(error, error)
    spares = Spares(launcher, 1)
    spares.start()
    assert launcher.reaches(1)
    taken(spares)
    spares.close()


def test_a_launcher_that_fails_for_who_needs_it_now() -> None:
    spares = Spares(Launcher(OSError("no memory")), 0)
    with pytest.raises(OSError, match="no memory"), spares.builder():
        raise AssertionError
