from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.local_stack.emulator.target_health import CheckSettings, TargetTable

ONE, TWO = ("group", "127.0.0.1", 1), ("group", "127.0.0.1", 2)
SETTINGS = CheckSettings(interval=10, healthy=3, unhealthy=2)


def table(*targets: tuple[str, str, int]) -> TargetTable:
    made = TargetTable()
    made.register(targets, 0)
    return made


def after(made: TargetTable, *answers: bool, start: float = 0.0) -> str:
    for index, good in enumerate(answers):
        made.answered(ONE, good, SETTINGS, start + index * SETTINGS.interval)
    return made.of("group")[ONE]


def test_one_good_answer_makes_a_new_target_healthy() -> None:
    made = table(ONE)
    assert made.of("group") == {ONE: "initial"}
    assert after(made, True) == "healthy"


def test_a_target_that_starts_slowly_is_asked_again_soon_and_has_its_time() -> None:
    made = table(ONE)
    assert after(made, False) == "initial"
    assert list(made.due(1)) == [ONE]
    made.answered(ONE, False, SETTINGS, 19)
    assert made.of("group") == {ONE: "initial"}
    made.answered(ONE, False, SETTINGS, 20)
    assert made.of("group") == {ONE: "unhealthy"}


def test_states_change_after_as_many_answers_as_the_group_says() -> None:
    made = table(ONE)
    assert [after(made, True), after(made, False), after(made, False)] == ["healthy", "healthy", "unhealthy"]
    assert [after(made, True, True), after(made, True)] == ["unhealthy", "healthy"]


def test_a_target_that_leaves_drains_gets_nothing_and_is_gone_after_the_delay() -> None:
    made = table(ONE, TWO)
    for target in (ONE, TWO):
        made.answered(target, True, SETTINGS, 0)
    made.deregister([ONE], 30, 100)
    assert made.of("group") == {ONE: "draining", TWO: "healthy"}
    assert made.serving("group") == [TWO]
    made.answered(ONE, True, SETTINGS, 101)
    list(made.due(129))
    assert ONE in made.of("group")
    list(made.due(130))
    assert made.of("group") == {TWO: "healthy"}


def test_a_target_that_comes_back_while_it_drains_is_new() -> None:
    made = table(ONE)
    after(made, True)
    made.deregister([ONE], 30, 0)
    made.register([ONE], 5)
    assert made.of("group") == {ONE: "initial"}


def test_without_a_healthy_target_all_that_do_not_drain_get_requests() -> None:
    made = table(ONE, TWO)
    assert made.serving("group") == [ONE, TWO]
    made.deregister([ONE, TWO], 30, 0)
    assert made.serving("group") == []


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_only_rows_of_equal_answers_change_a_state(answers: list[bool]) -> None:
    made = table(ONE)
    after(made, True)
    states = [made.of("group")[ONE]]
    for index, good in enumerate(answers):
        made.answered(ONE, good, SETTINGS, 1000 + index)
        states.append(made.of("group")[ONE])
        if states[-1] != states[-2]:
            needed = SETTINGS.healthy if good else SETTINGS.unhealthy
            assert index + 1 >= needed or states[-1] == "healthy"
            assert answers[max(0, index + 1 - needed) : index + 1] == [good] * min(needed, index + 1)
