"""The page about zips says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from auto_lambda.runtimes import RUNTIMES
from builder.model import Options
from builder.source.inspect import SUBFOLDERS
from builder.source.unpack import ZipLimits

REFERENCE = Path(__file__).parents[4] / "docs" / "reference"


@pytest.fixture(scope="module")
def page() -> str:
    return (REFERENCE / "app-zip.md").read_text("utf-8")


def test_every_runtime_with_its_dates(page: str) -> None:
    for minor, runtime in RUNTIMES.items():
        dates = f"{runtime.deprecated} | {runtime.create_blocked} | {runtime.update_blocked}"
        assert f"| {minor} | {runtime.system} | {'.'.join(map(str, runtime.glibc))} | {dates} |" in page


def test_the_folders_in_their_order(page: str) -> None:
    named = page.partition("right below it:")[2].partition(";")[0]

    assert tuple(re.findall(r"`([a-z]+)`", named)) == SUBFOLDERS


def test_every_option_and_no_other(page: str) -> None:
    table = page.partition("## auto-lambda.toml")[2].partition("```")[0]

    assert set(re.findall(r"^\| `\[?([a-z_]+)\]?` \|", table, re.MULTILINE)) == set(Options.__slots__)


def test_the_bounds(page: str) -> None:
    limits = ZipLimits()

    for bound in (
        f"{limits.entries:,} |", f"{limits.total_bytes // 2**20} MB |", f"above {limits.ratio_from // 2**20} MB",
        f"{limits.ratio} to 1 |", f"{limits.depth} |",
    ):  # fmt: skip
        assert bound in page
