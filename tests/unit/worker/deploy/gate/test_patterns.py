"""IAM's wildcards, compared with their definition."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.deploy.gate.patterns import covers, overlap

PATTERN = st.text("ab*?", max_size=7)


def _matches(pattern: str, text: str) -> bool:
    """IAM's matching as it is defined, in no hurry."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_matches(pattern[1:], text[skipped:]) for skipped in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and _matches(pattern[1:], text[1:])


@given(PATTERN, PATTERN, st.text("ab", max_size=8))
def test_what_a_covered_pattern_matches_its_cover_matches(cover: str, asked: str, text: str) -> None:
    if covers(cover, asked) and _matches(asked, text):
        assert _matches(cover, text)


@given(PATTERN)
def test_a_pattern_covers_itself_and_a_star_covers_everything(pattern: str) -> None:
    assert covers("*", pattern)
    assert covers(pattern, pattern)


@given(PATTERN, st.text("ab", max_size=8))
def test_a_plain_text_is_covered_if_it_is_matched(pattern: str, text: str) -> None:
    assert covers(pattern, text) == _matches(pattern, text)


SHORT = st.text("ab*?", max_size=4)
TEXTS = ["".join(signs) for length in range(9) for signs in itertools.product("ab", repeat=length)]


@given(SHORT, SHORT)
def test_patterns_overlap_if_a_text_matches_both(one: str, other: str) -> None:
    assert overlap(one, other) == any(_matches(one, text) and _matches(other, text) for text in TEXTS)


@pytest.mark.parametrize("text", ["a" * 2_000, "*a" * 1_000])
def test_a_pattern_full_of_stars_is_answered(text: str) -> None:
    """As a regular expression it would not be: each star doubles the time."""
    assert not covers("*a" * 300 + "b", text)
