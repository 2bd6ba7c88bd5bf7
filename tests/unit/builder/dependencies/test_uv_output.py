"""What uv says itself is told from what it quotes by its position."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.dependencies.uv_output import error_chain

FETCH = "Failed to fetch: http://index.example/simple/six/"
BROKEN = "error: Failed to build `x==1`\n  cause: The build backend returned an error\n\n         [stdout]\n"


@pytest.mark.parametrize(
    "output",
    [
        f"error: {FETCH}\n  cause: client error (Connect)",
        f"error: Request failed after 3 retries\n  cause: {FETCH}",
        "error: Failed to download `a`\n  cause: Failed to fetch: `http://index.example/simple/six/`\n  cause: x",
        f"error: Failed to build `d`\n  cause: No solution found when resolving: `six`\n  cause: {FETCH}",
        f"warning: whatever\nrunning build\nerror: {FETCH}",
    ],
)
def test_an_address_that_could_not_be_fetched_is_a_link_of_its_own(output: str) -> None:
    assert error_chain(output).fetch == "http://index.example/simple/six/"


@pytest.mark.parametrize(
    "output",
    [
        "",
        "nothing",
        f"error: Distribution not found at: file:///w/{FETCH}",
        f"{BROKEN}         error: {FETCH}\n           cause: {FETCH}",
        f"{BROKEN}\nerror: {FETCH}\n  cause: {FETCH}",
        f"error: x\n  cause: {FETCH} and more",
        f"error: x\n\n  cause: {FETCH}",
        f"  cause: {FETCH}",
    ],
)
def test_whatever_is_quoted_or_printed_by_a_build_is_none(output: str) -> None:
    assert error_chain(output).fetch is None


def test_the_error_of_a_build_that_was_passed_on_is_the_last() -> None:
    printed, own = f"error: {FETCH}\n  cause: dns error\nrunning\n", "error: Failed to build `/w/x`\n  cause: {}\n"
    failed = error_chain(printed + own.format("The build backend returned an error"), streamed=True)
    assert (failed.fetch, failed.build) == (None, "/w/x")
    assert error_chain(printed + own.format(FETCH), streamed=True).fetch


@given(st.text(alphabet=st.characters(exclude_categories=("C", "Zl", "Zp"))).map(lambda it: it.splitlines()))
def test_a_build_that_fails_is_a_build_that_fails_whatever_it_prints(printed: list[str]) -> None:
    chain = error_chain(BROKEN + "".join(f"         {line}\n" for line in printed))
    assert chain.fetch is None
    assert not chain.unsolvable
    assert not chain.machine_is_full
    assert chain.build == "x==1"


@pytest.mark.parametrize("words", ["No space left on device (os error 28)", "No solution found", FETCH])
def test_a_name_inside_a_link_decides_nothing(words: str) -> None:
    chain = error_chain(f"error: Distribution not found at: file:///w/{words}")
    assert (chain.fetch, chain.build, chain.unsolvable, chain.machine_is_full) == (None, None, False, False)
