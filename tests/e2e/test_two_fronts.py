"""Hundreds of requests to the two fronts of an app, by API Gateway and Lambda and by a task, are answered alike.

Where they are not, `two_fronts.differences` says so, and no more than it says.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from e2e_stack import Drop, Stack, make_zip
from two_fronts.apps import APPS, TwoFronts
from two_fronts.asking import Ask, requests
from two_fronts.comparing import aspects
from two_fronts.differences import expected, unused
from two_fronts.world import both_fronts

from entrypoint.task import HEALTH_PATH

_AT_ONCE = 4
_shown: set[tuple[str, str]] = set()


@pytest.fixture(scope="module")
def dropped(started: Stack) -> dict[str, Drop]:
    """All of them on their way, so that they are built while others are asked."""
    return {app.name: started.drop(app.name, make_zip(app.files)) for app in APPS}


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.title)
def test_both_fronts_answer_alike(started: Stack, dropped: dict[str, Drop], app: TwoFronts, tmp_path: Path) -> None:
    started.live(dropped[app.name])
    with both_fronts(started, app, tmp_path) as fronts, ThreadPoolExecutor(_AT_ONCE) as pool:

        def differing(one: Ask) -> tuple[str, frozenset[str]]:
            on_lambda, in_task = fronts.ask(one)
            return one.name, aspects(on_lambda, in_task)

        asked = list(requests(app.name))
        found = dict(pool.map(differing, asked))
        assert fronts.ask(Ask("health", HEALTH_PATH))[1].status == 200
    assert len(found) == len(asked), "each has a name of its own"
    wrong = {name: (sorted(seen), sorted(expected(app.name, name))) for name, seen in found.items()
             if seen != expected(app.name, name)}  # fmt: skip
    assert wrong == {}, "what differs, and what should by the table"
    _shown.update((app.name, name) for name in found)


def test_no_difference_is_listed_that_nothing_shows() -> None:
    if {app for app, _ in _shown} != {app.name for app in APPS}:
        pytest.skip("not all apps were asked")
    assert unused(_shown) == []
