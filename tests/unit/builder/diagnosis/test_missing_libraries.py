from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.diagnosis.missing_libraries import advice, missing_by_name

PANGO = "cannot load library 'libpango-1.0-0': libpango-1.0-0: cannot open shared object file"


@pytest.mark.parametrize(
    ("message", "kind", "sought", "name"),
    [
        ("failed to find libmagic.  Check your installation", "ImportError", ["magic", "libmagic.so.1"],
         "libmagic.so.1"),
        ("Unable to find zbar shared library", "ImportError", ["zbar"], "libzbar.so"),
        (PANGO, "OSError", ["libgobject-2.0-0", "libpango-1.0-0", "pango-1.0", "libpango-1.0.so.0"],
         "libpango-1.0.so.0"),
        ('Could not find the GDAL library (tried "gdal", "gdal3.6.0").', "ImproperlyConfigured", ["gdal"],
         "libgdal.so"),
        ("libGL.so.1: cannot open shared object file", "OSError", ["libGL.so.1"], "libGL.so.1"),
        ("/usr/lib/libodd.so.3: cannot open shared object file", "OSError", ["/usr/lib/libodd.so.3"], "libodd.so.3"),
    ],
)  # fmt: skip
def test_a_library_that_is_opened_by_name_is_named_by_its_file(
    message: str, kind: str, sought: list[str], name: str
) -> None:
    assert missing_by_name([message], [kind], sought) == name


def test_the_message_of_a_cause_counts_as_well() -> None:
    messages = ["pixels are not available", "libvips.so.42: cannot open shared object file"]
    assert missing_by_name(messages, ["ImportError", "OSError"], ["libvips.so.42"]) == "libvips.so.42"


@pytest.mark.parametrize(
    ("message", "kind", "sought"),
    [
        ("No module named 'shop'", "ModuleNotFoundError", ["magic"]),
        ("no magic today", "ValueError", ["magic"]),
        ("failed to find libmagic", "ImportError", []),
        ("no GL", "ImportError", ["GL"]),
    ],
)
def test_what_fails_of_something_else_misses_no_library(message: str, kind: str, sought: list[str]) -> None:
    assert missing_by_name([message], [kind], sought) is None


def test_alternatives_are_named_where_there_are_any() -> None:
    assert "pylibmagic" in advice(["libmagic.so.1"], "Amazon Linux 2023")
    assert "opencv-python-headless" in advice(["libother.so.1", "libGL.so.1"], "Amazon Linux 2023")
    told = advice(["libodd.so.3"], "Amazon Linux 2023")
    assert "libodd.so.3, as Amazon Linux 2023 has it" in told
    assert "lib/" in told


@given(st.lists(st.text(max_size=30), max_size=3), st.lists(st.text(max_size=20), max_size=5))
def test_no_text_of_an_upload_trips_it(messages: list[str], sought: list[str]) -> None:
    name = missing_by_name(messages, ["OSError"], sought)
    assert name is None or name.startswith("lib")
