from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from builder.diagnosis.tracebacks import last_lines, with_names

SHOWN = {Path("/w/app"): "", Path("/w/layer/python"): "/opt/python/"}
TEXT = """Traceback (most recent call last):
  File "/usr/lib/python3.12/importlib/__init__.py", line 90, in import_module
    return _bootstrap._gcd_import(name[level:], package, level)
           ^^^^^^^^^^
  File "/w/app/shop.py", line 3, in <module>
    import flask
  File "/w/layer/python/flask/__init__.py", line 1, in <module>
    from . import json
ValueError: bad file /w/app/x.json
"""


def test_only_the_apps_own_frames_stay_under_names_that_its_author_knows() -> None:
    assert last_lines(TEXT, SHOWN).splitlines() == [
        "Traceback (most recent call last):",
        '  File "shop.py", line 3, in <module>',
        "    import flask",
        '  File "/opt/python/flask/__init__.py", line 1, in <module>',
        "    from . import json",
        "ValueError: bad file x.json",
    ]


def test_of_a_long_traceback_the_end_stays() -> None:
    assert last_lines(TEXT, SHOWN, limit=1) == "ValueError: bad file x.json"


@given(st.text(), st.lists(st.sampled_from(["/w/app", "/w/app/", "/w/layer/python/a.py", "\n", " x "])).map("".join))
def test_no_folder_of_this_machine_is_ever_named(before: str, after: str) -> None:
    said = with_names(before.replace("/w", "") + after, SHOWN)
    assert not any(str(folder) in said for folder in SHOWN)
