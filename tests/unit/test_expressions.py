"""Every regular expression of what reads untrusted text takes time in proportion to the text.

For each there are worst cases made of its own words and characters: repeated, behind one another, and without an end.
"""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from linear import NOISE

import builder

ROOT = Path(builder.__path__[0]).parent
PACKAGES = ("builder", "worker", "auto_lambda", "entrypoint")
METHODS = ("search", "match", "fullmatch", "sub", "split", "findall", "finditer")
SIZES = 8 * 1024, 32 * 1024  # characters; a quadratic expression takes seconds for the second
GROWTH = 8  # of the time from one size to the other: 4 when linear, 16 when quadratic
ALWAYS = " a0.-/([,\n<=:'\"`_;\x1b\x9b"
Worst = Callable[[int], str]


def modules() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "inside" not in path.parts and not path.name.startswith("__"):
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def compiled(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from compiled(item)


def expressions() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """Yield each with its place, and each way in which it is used there."""
    for module, path in modules():
        source = path.read_text()
        if "import re" not in source:  # programs of tasks import packages that only tasks have
            continue
        for name, value in vars(importlib.import_module(module)).items():
            for pattern in compiled(value):
                used = {method for method in METHODS if f"{name}.{method}(" in source}
                yield from ((f"{module}.{name}", pattern, method) for method in used or {"search"})
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="re"), attr=method), args=[ast.Constant(value=text), *_]
                ) if method in METHODS:
                    yield f"{module}:{node.lineno}", re.compile(text), method


def cases(pattern: re.Pattern[Any]) -> Iterator[Worst]:
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    words = list(dict.fromkeys(re.findall(r"[\w `\"':@/<>=,-]{2,}", source)))[:25]
    for char in dict.fromkeys(source.replace("\\", "") + ALWAYS):
        yield lambda size, char=char: char * size + "\0"  # type: ignore[misc]
    for word in words:
        yield lambda size, word=word: word * (size // len(word))  # type: ignore[misc]
        # What a dot does not match comes last, so that everything before it is tried again, shorter.
        yield lambda size, word=word: f"{word}a{' ' * size}x\nx"  # type: ignore[misc]
        for char in " a0.-=[`\n":
            yield lambda size, word=word, char=char: word + char * size + "\0"  # type: ignore[misc]
            yield lambda size, word=word, char=char: (word + char) * (size // (len(word) + 1)) + "\0"  # type: ignore[misc]


def seconds(pattern: re.Pattern[Any], method: str, text: str) -> float:
    given: Any = text if isinstance(pattern.pattern, str) else text.encode()
    run = getattr(pattern, method)
    call = partial(run, given[:0], given) if method == "sub" else partial(run, given)
    began = time.process_time()
    found = call()
    if method == "finditer":
        list(found)
    return time.process_time() - began


def is_quadratic(pattern: re.Pattern[Any], method: str, worst: Worst) -> bool:
    small, large = SIZES
    if seconds(pattern, method, worst(small)) < NOISE / 4 and seconds(pattern, method, worst(large)) < NOISE:
        return False
    before, after = (min(seconds(pattern, method, worst(size)) for _ in range(3)) for size in SIZES)
    return after > GROWTH * max(before, NOISE / 20)


EXPRESSIONS = {(pattern.pattern, method): (place, pattern) for place, pattern, method in expressions()}


def test_many_are_found() -> None:
    places = {place for place, _ in EXPRESSIONS.values()}
    assert {"auto_lambda.redact._PATTERNS", "builder.dependencies.requirement_lines._COMMENT"} <= places
    assert len(places) > 50


@pytest.mark.parametrize("method", METHODS)
def test_each_is_linear(method: str) -> None:
    for (_, used), (place, pattern) in EXPRESSIONS.items():
        if used == method:
            bad = [worst(40) for worst in cases(pattern) if is_quadratic(pattern, method, worst)]
            assert not bad, f"{place}: {bad[0]!r}"


QUADRATIC = {
    "that searches": (r"a+b", "search"),
    "of options": (r"(-[a-zA-Z]|--[a-z-]+)(?:\s*=\s*|\s+|(?<=^-[a-zA-Z])|$)(.*)", "fullmatch"),
}


@pytest.mark.parametrize(("expression", "method"), QUADRATIC.values(), ids=QUADRATIC)
def test_a_quadratic_one_is_found(expression: str, method: str) -> None:
    pattern = re.compile(expression)
    assert any(is_quadratic(pattern, method, worst) for worst in cases(pattern))
