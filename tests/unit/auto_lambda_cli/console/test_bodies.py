from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auto_lambda_cli.console.bodies import BodyReader, check_name, save_files
from auto_lambda_cli.console.problems import Problem


def reader(chunks: Sequence[bytes], length: int | None = None) -> BodyReader:
    left = iter(chunks)
    whole = sum(map(len, chunks))
    return BodyReader(lambda: next(left, b""), whole if length is None else length)


def packed(files: Mapping[str, bytes]) -> bytes:
    headers = ((json.dumps({"path": name, "size": len(content)}).encode(), content) for name, content in files.items())
    return b"".join(header + b"\n" + content for header, content in headers)


@given(st.lists(st.binary(min_size=1, max_size=50)), st.lists(st.integers(1, 60)))
def test_a_body_is_read_as_a_file(chunks: list[bytes], amounts: list[int]) -> None:
    body = reader(chunks)
    read = [body.read(amount) for amount in amounts]
    whole = b"".join(chunks)
    assert b"".join([*read, body.read()]) == whole
    assert body.read(1) == b""
    assert (body.size, body.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())


@pytest.mark.parametrize("length", [5, 7])
def test_a_body_of_another_length_is_not_all_of_it(length: int) -> None:
    with pytest.raises(Problem, match="ended early"):
        reader([b"abc", b"def"], length).read()


@pytest.mark.parametrize(("content", "is_one"), [
    (b"PK\x03\x04rest", True), (b"PK\x05\x06", True), (b"PK", False), (b"", False), (b"\x1f\x8b\x08\x00", False),
])  # fmt: skip
def test_a_zip_is_known_by_its_beginning(content: bytes, is_one: bool) -> None:
    body = reader([content[:1], content[1:]] if len(content) > 1 else [content])
    assert body.begins_like_a_zip() is is_one
    assert body.read() == content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(["a", "b/c", "b/d e", "é/x.py", ".gitignore"]), st.binary(max_size=200)),
    st.integers(1, 50),
)
def test_files_are_saved_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], size: int
) -> None:
    folder = tmp_path_factory.mktemp("folder")
    whole = packed(files)
    chunks = [whole[first : first + size] for first in range(0, len(whole), size)]
    assert save_files(reader(chunks), folder, 100, 10_000) == len(files)
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == files


@pytest.mark.parametrize("name", [
    "", "/etc/passwd", "../x", "a/../x", "a//b", "./a", "a/.", "..", "a\0b", "x" * 256, "/".join(["a"] * 65),
    "/".join(["x" * 200] * 6), "a/", "\ud800",
])  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Problem) as caught:
        save_files(reader([packed({name: b"x"})]), tmp_path, 100, 100)
    assert caught.value.code == "bad-request"
    assert list(tmp_path.rglob("*")) == []


@given(st.text(max_size=40))
def test_a_name_that_is_taken_stays_in_the_folder(name: str) -> None:
    try:
        check_name(name)
    except Problem:
        return
    folder = Path("/folder")
    assert folder in (folder / name).parents
    assert ".." not in (folder / name).parts


@pytest.mark.parametrize("body", [
    b"x\n", b'{"path": "a"}\n', b'{"path": "a", "size": -1}\n', b'{"path": "a", "size": "1"}\n', b"[]\n",
    b'{"path": "a", "size": true}\nx', b'{"path": 1, "size": 1}\nx', b'{"path": "a", "size": 1}\nxy',
    b'{"path": "a", "size": 9}\nx', b"x" * 10_000, b"[" * 8_000 + b"\n", b'{"path": "a", "size": NaN}\n',
    packed({"a": b"x"}) * 2, packed({"a": b"x", "a/b": b"y"}),
])  # fmt: skip
def test_what_is_no_folder_is_refused(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        save_files(reader([body]), tmp_path, 100, 100)
    assert caught.value.code == "bad-request"


@pytest.mark.parametrize("files", [{str(number): b"" for number in range(4)}, {"a": b"x" * 60, "b": b"x" * 60}])
def test_a_folder_that_is_too_large_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(Problem) as caught:
        save_files(reader([packed(files)]), tmp_path, 3, 100)
    assert caught.value.code == "too-large"
