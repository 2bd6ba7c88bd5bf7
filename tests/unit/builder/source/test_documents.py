from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code
from builder.source import documents


def read(tmp_path: Path, name: str, content: str | bytes) -> dict[str, object]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return documents.read(path, f"api/{name}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"dev": {"debug": true, "tags": ["a"]}}'),
        ("a.toml", '[dev]\ndebug = true\ntags = ["a"]\n'),
        ("a.yml", "dev:\n  debug: true\n  tags: [a]\n"),
        ("a.yaml", "base: &base {debug: true}\ndev:\n  <<: *base\n  tags: [a]\n"),
    ],
)
def test_each_format_is_read_as_the_same_data(tmp_path: Path, name: str, content: str) -> None:
    assert read(tmp_path, name, content)["dev"] == {"debug": True, "tags": ["a"]}


MANY = ", ".join(["*a"] * 10)
BAD = {
    "json-comma": ("a.json", '{"dev": {},}'),
    "json-empty": ("a.json", ""),
    "json-list": ("a.json", "[]"),
    "json-deep": ("a.json", '{"a":' + "[" * 100_000),
    "json-huge-number": ("a.json", '{"a": ' + "9" * 10_000 + "}"),
    "json-mark": ("a.json", b'\xef\xbb\xbf{"a": 1}'),
    "json-latin1": ("a.json", b'{"a": "\xe9"}'),
    "json-large": ("a.json", '{"a": "' + "x" * documents.MAX_BYTES + '"}'),
    "yaml-large": ("a.yml", "a: [" + "a," * (documents.MAX_YAML_BYTES // 2) + "]"),
    "toml-unquoted": ("a.toml", "[dev]\nname = shop\n"),
    "toml-twice": ("a.toml", "a = 1\na = 2\n"),
    "toml-dotted": ("a.toml", "a" + ".a" * 50_000 + " = 1"),
    "toml-deep": ("a.toml", "a = " + "[" * 50_000),
    "yaml-tabs": ("a.yml", "dev:\n\tdebug: true\n"),
    "yaml-two-documents": ("a.yml", "a: 1\n---\nb: 2\n"),
    "yaml-python-object": ("a.yml", "a: !!python/object/apply:os.system ['true']\n"),
    "yaml-empty": ("a.yml", "# nothing\n"),
    "yaml-scalar": ("a.yml", "hello"),
    "yaml-deep": ("a.yml", "a: " + "[" * 5_000),
    "yaml-itself": ("a.yml", "a: &a [*a]\n"),
    "yaml-bad-date": ("a.yml", "a: 2026-99-99\n"),
    "yaml-laughs": ("a.yml", "a: &a [x]\n" + "".join(f"k{n}: &a [{MANY}]\n" for n in range(9))),
    "yaml-merged-laughs": ("a.yml", "a: &a {x: 1}\n" + "".join(f"k{n}: &a {{<<: [{MANY}]}}\n" for n in range(9))),
    "yaml-no-boolean": ("a.yml", "a: !!bool maybe\n"),
    "yaml-no-number": ("a.yml", "a: !!int ''\n"),
    "yaml-no-fraction": ("a.yml", "a: !!float _\n"),
    "yaml-no-time": ("a.yml", "a: !!timestamp soon\n"),
    "yaml-unhashable-key": ("a.yml", "? [a]\n: 1\n"),
}


@pytest.mark.parametrize(("name", "content"), BAD.values(), ids=BAD)
def test_bad_files_are_refused_with_their_place_in_the_zip(tmp_path: Path, name: str, content: str | bytes) -> None:
    with pytest.raises(AppError) as caught:
        read(tmp_path, name, content)

    assert caught.value.code == Code.BAD_CONFIG
    assert caught.value.message.startswith(f"api/{name}: ")
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400


def test_a_byte_order_mark_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf{}")
    with pytest.raises(AppError, match="byte order mark") as caught:
        documents.read(tmp_path / "config.json", ".chalice/config.json")
    assert (caught.value.hint or "").startswith("Save .chalice/config.json as UTF-8 without a byte order mark")


def test_the_line_of_a_mistake_is_told(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="line 2"):
        read(tmp_path, "a.toml", "[dev]\nname = shop\n")


@settings(max_examples=150, deadline=None)
@given(
    text=st.text(st.sampled_from('ab:-{}[]"&*<>!|#=,1.\n \t'), max_size=60),
    suffix=st.sampled_from(["json", "toml", "yml"]),
)
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str, suffix: str) -> None:
    try:
        assert isinstance(read(tmp_path_factory.getbasetemp(), f"any.{suffix}", text), dict)
    except AppError as error:
        if error.code != Code.BAD_CONFIG:
            raise


def test_what_is_shown_of_values_is_short_and_harmless() -> None:
    deep: object = 1
    for _ in range(5000):
        deep = [deep]

    for value in (deep, "x" * 9999, "\x1b[2J\u202e", {"a": "b" * 9999}):
        assert len(documents.short_repr(value)) < 200
        assert documents.short_repr(value).isprintable()
    assert documents.join_names(str(number) for number in range(999)).endswith("18, 19, ...")


def test_a_yaml_mistake_is_told_without_the_text_around_it(tmp_path: Path) -> None:
    with pytest.raises(AppError) as caught:
        read(tmp_path, "a.yml", "dev:\n  secret: [hunter2\n  b: c\n")

    assert "line 3" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_a_number_that_python_does_not_write_out_can_be_shown() -> None:
    assert documents.short_repr(16**6_000).isprintable()
    assert documents.short_repr([16**6_000]).isprintable()
