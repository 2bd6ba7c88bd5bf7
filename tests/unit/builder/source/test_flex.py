from __future__ import annotations

import tomllib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code
from builder.protocol.flex import FARGATE, HYSTERESIS, FlexMessage
from builder.source.flex import SETTINGS, read_flex

LEAST = "above = 200\nbelow = 100\n"


def read(text: str) -> FlexMessage:
    return read_flex("auto-lambda.toml", tomllib.loads(text))


def refused(text: str) -> str:
    with pytest.raises(AppError) as caught:
        read(text)
    assert caught.value.code is Code.BAD_CONFIG
    assert all(name in caught.value.hint for name in SETTINGS)
    return caught.value.message


def test_two_thresholds_are_enough() -> None:
    found = read(LEAST)
    assert (found.measure, found.above, found.below) == ("requests_per_second", 200.0, 100.0)
    assert (found.min_tasks, found.max_tasks, found.ttl, found.variant, found.network) == (2, 10, 60, "dns", "own")


def test_everything_that_can_be_said() -> None:
    found = read("""
        monthly_cost = {above = 300, below = 150.5}
        up_after = "90s"
        down_after = "2h"
        min_tasks = 3
        max_tasks = 30
        cpu = 1024
        memory = 3072
        domain = "shop.example.com"
        variant = "standing-load-balancer"
        ttl = 30
        cool_down = "5m"
        transitions_per_hour = 20
        network = "given"
    """)
    assert found == FlexMessage(
        measure="monthly_cost", above=300.0, below=150.5, up_after=90, down_after=7200, min_tasks=3, max_tasks=30,
        cpu=1024, memory=3072, domain="shop.example.com", variant="standing-load-balancer", ttl=30, cool_down=300,
        transitions_per_hour=20, network="given",
    )  # fmt: skip


def test_concurrency_is_a_measure() -> None:
    assert read("concurrency = {above = 50, below = 20}").measure == "concurrency"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs one measure (above and below, concurrency, or monthly_cost), and has none"),
        (f"{LEAST}concurrency = {{above = 50, below = 20}}", "has above, below, concurrency"),
        ("above = 200", "needs above and below"),
        ("monthly_cost = 20", "flex.monthly_cost needs above and below"),
        ("monthly_cost = {above = 20, below = 10, near = 3}", "flex.monthly_cost needs above and below, and nothing"),
        ('above = "200"\nbelow = 100', "flex.above is '200', but has to be a number greater than 0"),
        ("above = true\nbelow = 1", "flex.above is True"),
        ("above = inf\nbelow = 1", "flex.above is inf"),
        ("above = 0\nbelow = -1", "flex.above is 0.0"),
        ("above = 100\nbelow = 90", "the thresholds would flap"),
        (f"{LEAST}min_tasks = 5\nmax_tasks = 4", "min_tasks is 5, more than max_tasks, 4"),
        (f"{LEAST}max_tasks = 501", "flex.max_tasks is 501"),
        (f"{LEAST}cpu = 300", "flex.cpu is 300, but has to be one of 256, 512"),
        (f"{LEAST}cpu = 256\nmemory = 4096", "with cpu = 256 Fargate offers 512, 1024, 2048 MB"),
        (f"{LEAST}cpu = 1024", "Fargate offers 2048, 3072, 4096, 5120, 6144, ... 8192 MB"),
        (f'{LEAST}domain = "Shop.example.com"', "flex.domain is 'Shop.example.com'"),
        (f'{LEAST}domain = "*.example.com"', "flex.domain is"),
        (f'{LEAST}domain = "localhost"', "flex.domain is"),
        (f'{LEAST}variant = "proxy"', "flex.variant is 'proxy', but has to be 'dns' or 'standing-load-balancer'"),
        (f'{LEAST}network = "vpc-1"', "flex.network is 'vpc-1', but has to be 'own' or 'given'"),
        (f'{LEAST}up_after = "soon"', "flex.up_after is 'soon', but has to be a time such as '90s'"),
        (f'{LEAST}ttl = "2h"', "flex.ttl is 7200"),
        (f"{LEAST}transitions_per_hour = 1", "flex.transitions_per_hour is 1"),
        (f"{LEAST}tasks = 3", "flex.tasks is no setting"),
        ("tasks = 3", "flex needs one measure"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(text: str, said: str) -> None:
    assert said in refused(text)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    said = refused(f'{LEAST}cpu = "big"\nttl = 0\nmax_tasks = 0')
    assert all(f"flex.{name}" in said for name in ("cpu", "ttl", "max_tasks"))


@given(above=st.floats(0.001, 1_000_000), part=st.floats(0.001, 1.5))
def test_no_thresholds_are_taken_that_are_too_near(above: float, part: float) -> None:
    table = {"above": above, "below": above * part}
    if above * part <= HYSTERESIS * above:
        assert read_flex("auto-lambda.toml", table).below <= HYSTERESIS * above
    else:
        with pytest.raises(AppError, match="would flap"):
            read_flex("auto-lambda.toml", table)


@given(cpu=st.sampled_from(sorted(FARGATE)), memory=st.integers(1, 130_000))
def test_only_sizes_that_fargate_has_are_taken(cpu: int, memory: int) -> None:
    table = {"above": 2, "below": 1, "cpu": cpu, "memory": memory}
    if memory in FARGATE[cpu]:
        assert read_flex("auto-lambda.toml", table).memory == memory
    else:
        with pytest.raises(AppError, match="Fargate offers"):
            read_flex("auto-lambda.toml", table)


@given(st.dictionaries(st.sampled_from([*SETTINGS, "other"]), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["above", "below", "x"]), inner),
    max_leaves=4,
)))  # fmt: skip
def test_whatever_is_written_is_read_or_refused(table: dict[str, Any]) -> None:
    with suppress(AppError):
        assert read_flex("auto-lambda.toml", table).above > 0
