from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.proof.hanging import is_importing, place, server_line

SHOWN = {Path("/var/task"): "", Path("/opt/python"): "/opt/python/"}
STACK = """Stack (most recent call first):
  File "/usr/lib/python3.12/threading.py", line 355 in wait
  File "/opt/python/pool.py", line 40 in get
  File "/var/task/app.py", line 7 in index
"""


def test_the_place_is_told_as_in_a_traceback_without_the_machines_own_files() -> None:
    assert place(STACK, SHOWN).splitlines()[2:] == [
        '  File "app.py", line 7, in index',
        '  File "/opt/python/pool.py", line 40, in get',
    ]


def test_of_a_place_that_is_not_known_nothing_is_told() -> None:
    assert place("", SHOWN) == place('  File "/usr/lib/x.py", line 1 in f\n', SHOWN) == ""


def test_of_a_deep_stack_the_innermost_frames_are_told() -> None:
    told = place("".join(f'  File "/var/task/app.py", line {line} in f\n' for line in range(1, 999)), SHOWN)
    assert told.count("\n") < 20
    assert told.endswith("line 1, in f")


def test_an_import_is_told_from_a_call() -> None:
    assert is_importing('  File "/var/task/shop.py", line 2 in <module>\n', SHOWN)
    assert not is_importing(STACK, SHOWN)
    assert not is_importing('  File "/usr/lib/runpy.py", line 2 in <module>\n', SHOWN)


@given(st.text(max_size=300))
def test_whatever_is_written_there_is_bounded(text: str) -> None:
    assert len(place(text, SHOWN)) < 10_000


FOLDERS = {Path("/var/task"): "", Path("/layer/python"): "/opt/python/"}


def frames_of(*frames: tuple[str, int, str]) -> str:
    """A stack as faulthandler prints it, the innermost frame first."""
    return "\n".join(f'  File "{file}", line {line} in {name}' for file, line, name in frames)


@pytest.mark.parametrize(
    ("server", "name"),
    [("werkzeug/serving.py", "serve_forever"), ("uvicorn/server.py", "run"), ("waitress/server.py", "run"),
     ("tornado/platform/asyncio.py", "start"), ("bottle.py", "run")],
)  # fmt: skip
def test_the_line_that_starts_a_server_is_told(server: str, name: str) -> None:
    told = server_line(
        frames_of(
            (f"/layer/python/{server}", 823, name), ("/var/task/app.py", 6, "<module>"), ("/var/task/x.py", 1, "f")
        ),
        FOLDERS,
    )
    assert told == "app.py, line 6"


@pytest.mark.parametrize(
    "frames",
    [
        [("/var/task/app.py", 6, "<module>")],
        [("/layer/python/requests/api.py", 59, "request"), ("/var/task/app.py", 6, "<module>")],
        [("/layer/python/werkzeug/serving.py", 823, "serve_forever"), ("/var/task/app.py", 6, "handler")],
        [("/layer/python/werkzeugs/serving.py", 823, "serve_forever"), ("/var/task/app.py", 6, "<module>")],
    ],
)
def test_other_waiting_is_none_of_a_server(frames: list[tuple[str, int, str]]) -> None:
    assert server_line(frames_of(*frames), FOLDERS) is None
