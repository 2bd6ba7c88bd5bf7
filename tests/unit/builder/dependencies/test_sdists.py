from __future__ import annotations

from pathlib import Path

import pytest

from auto_lambda.errors import AppError, Code
from builder.dependencies.sdists import Pin, unwheeled, wheel_bytes
from builder.dependencies.uv import BuildTarget

TARGET = BuildTarget("3.12", "x86_64", "x86_64-manylinux_2_34", Path("/usr/bin/python3.12"))
HASHES = {name: name.encode().hex().ljust(64, "0") for name in ("sdist", "wheel")}


def pylock(*wheels: str, sdist: bool = True) -> str:
    lines = ['lock-version = "1.0"', 'created-by = "uv"', "[[packages]]", 'name = "six"', 'version = "1.0"']
    if sdist:
        lines.append(
            f'sdist = {{ url = "https://index.example/six-1.0.tar.gz", hashes = {{ sha256 = "{HASHES["sdist"]}" }} }}'
        )
    listed = ", ".join(
        f'{{ url = "https://index.example/{name}", hashes = {{ sha256 = "{HASHES["wheel"]}" }} }}' for name in wheels
    )
    return "\n".join((*lines, f"wheels = [{listed}]" if wheels else ""))


def names(text: str, *, hashes: tuple[str, ...] = ("sdist", "wheel"), options: tuple[str, ...] = ()) -> list[str]:
    pin = Pin("six==1.0", tuple(f"sha256:{HASHES[one]}" for one in hashes))
    return list(unwheeled(text, (pin,), options, TARGET))


FITTING, FOREIGN = "six-1.0-py3-none-any.whl", "six-1.0-cp312-cp312-win_amd64.whl"


def test_only_what_no_wheel_fits_is_built() -> None:
    assert names(pylock(FITTING)) == []
    assert names(pylock(FOREIGN, FITTING)) == []
    assert names(pylock(FOREIGN)) == ["six"]
    assert names(pylock()) == ["six"]


def test_files_without_an_accepted_hash_do_not_count() -> None:
    assert names(pylock(FITTING), hashes=("sdist",)) == ["six"]
    assert names(pylock(FOREIGN), hashes=("wheel",)) == []
    assert names(pylock(FITTING), hashes=()) == []


@pytest.mark.parametrize("option", ["--no-binary six", "--no-binary :all:"])
def test_the_app_may_ask_for_a_build(option: str) -> None:
    assert names(pylock(FITTING), options=(option,)) == ["six"]
    assert names(pylock(FITTING), options=("--no-binary other",)) == []


def test_a_wheel_has_the_size_that_the_index_says() -> None:
    pins = (Pin("six==1.0"),)
    sized = pylock(FOREIGN, FITTING).replace(f'{FITTING}"', f'{FITTING}", size = 11000')
    assert wheel_bytes(sized, pins, TARGET) == {"six 1.0": 11000}
    assert wheel_bytes(sized, (), TARGET) == {}, "what is left out does not count"
    assert wheel_bytes(pylock(FITTING), pins, TARGET) == {}, "not every index says it"
    assert wheel_bytes(sized.replace(FITTING, FOREIGN), pins, TARGET) == {}


def test_what_is_not_on_an_index_is_nothing_to_fetch() -> None:
    assert names(pylock(FOREIGN, sdist=False)) == []
    path = pylock().replace('url = "https://index.example/six-1.0.tar.gz"', 'path = "/x/six-1.0.tar.gz"')
    assert names(path) == []


def test_the_sdist_is_described() -> None:
    sdist = unwheeled(pylock(), (Pin("six==1.0"),), (), TARGET)["six"]
    assert (sdist.version, sdist.filename, sdist.sha256) == ("1.0", "six-1.0.tar.gz", HASHES["sdist"])


@pytest.mark.parametrize(
    "text", ["", "x = [", f"x = {'[' * 5000}", 'lock-version = "1.0"\ncreated-by = "x"\npackages = 3\n']
)
def test_what_a_hostile_build_made_of_it_is_refused(text: str) -> None:
    with pytest.raises(AppError) as caught:
        unwheeled(text, (), (), TARGET)
    assert caught.value.code == Code.BAD_REQUIREMENTS
