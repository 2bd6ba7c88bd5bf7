from __future__ import annotations

from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from builder.dependencies.size.quota import MAX_BYTES, MEGABYTE, check_installed, check_wheels, installed_sizes


def big(path: Path, megabytes: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(int(megabytes * MEGABYTE))


def record(site: Path, name: str, *files: str) -> None:
    (site / f"{name}.dist-info").mkdir(parents=True)
    (site / f"{name}.dist-info" / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def test_files_count_for_the_distribution_that_lists_them(tmp_path: Path) -> None:
    big(tmp_path / "numpy" / "core.so", 2)
    big(tmp_path / "numpy.libs" / "libblas.so", 3)
    big(tmp_path / "stray" / "data", 1)
    record(tmp_path, "numpy-2.1.0", "numpy/core.so", "numpy.libs/libblas.so")
    sizes = installed_sizes(tmp_path)
    assert sizes["numpy 2.1.0"] == 5 * MEGABYTE
    assert sizes["stray"] == MEGABYTE


def refused(site: Path, *, slim: bool = False) -> AppError:
    with pytest.raises(AppError) as caught:
        check_installed(site, slim=slim)
    assert caught.value.code == Code.PACKAGE_TOO_LARGE
    return caught.value


def test_what_could_be_left_out_is_told_as_a_number(tmp_path: Path) -> None:
    big(tmp_path / "scipy" / "core", 240)
    big(tmp_path / "scipy" / "tests" / "data", 15)
    record(tmp_path, "scipy-1.14.0", "scipy/core", "scipy/tests/data")
    error = refused(tmp_path)
    assert "the dependencies are 255 MB unzipped, Lambda takes 250 MB: scipy 1.14.0 255 MB" in error.message
    assert "tests (15.0 MB)" in error.hint
    assert "it would be 240 MB, which fits: write slim = true under [package]" in error.hint


def test_what_stays_too_large_is_not_sent_to_slim(tmp_path: Path) -> None:
    big(tmp_path / "tensorflow" / "core", 600)
    big(tmp_path / "tensorflow" / "__init__.pyi", 1)
    error = refused(tmp_path)
    assert "it would be 600 MB: remove or replace" in error.hint
    assert "write slim" not in error.hint
    assert "slim" not in refused(tmp_path, slim=True).hint


def test_what_fits_is_measured(tmp_path: Path) -> None:
    big(tmp_path / "six.py", 1)
    assert check_installed(tmp_path, slim=False) == MEGABYTE


def test_wheels_that_are_too_large_are_refused_before_anything_is_fetched() -> None:
    check_wheels({"numpy 2.1.0": MAX_BYTES})
    with pytest.raises(AppError, match=r"tensorflow 2\.21\.0 546 MB, numpy 2\.1\.0 17 MB") as caught:
        check_wheels({"numpy 2.1.0": 17 * MEGABYTE, "tensorflow 2.21.0": 546 * MEGABYTE})
    assert caught.value.code == Code.PACKAGE_TOO_LARGE
