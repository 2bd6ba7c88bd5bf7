import pytest

from builder.schedule_expressions import refused


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minute)", "rate(5 minutes)", "rate(1 day)", "cron(0 12 * * ? *)", "cron(0/15 * * * ? *)",
        "cron(0 8 1 * ? *)", "cron(0 18 ? * MON-FRI *)", "cron(0 10 ? * 6L *)", "cron(0 9 ? * 2#1 *)",
        "cron(15,45 6-9/2 L JAN,MAR ? 2030-2040)", "cron(0 0 15W * ? *)", "cron(0 0 ? * mon *)",
    ],
)  # fmt: skip
def test_what_eventbridge_takes_passes(expression: str) -> None:
    assert refused(expression) is None


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("rate(1 minutes)", "it is rate(1 minute)"),
        ("rate(2 hour)", "it is rate(2 hours)"),
        ("rate(0 minutes)", "at least 1"),
        ("rate(1 week)", "rate(5 minutes)"),
        ("every 5 minutes", "rate(5 minutes)"),
        ("cron(0 12 * * *)", "here are 5"),
        ("cron(0 12 * * * *)", "must be ?"),
        ("cron(0 12 ? * ? *)", "must be ?"),
        ("cron(60 12 * * ? *)", "'60' is not a value for minutes"),
        ("cron(0 12 * FOO ? *)", "'FOO' is not a value for month"),
        ("cron(0 12 ? * 0 *)", "'0' is not a value for day of week"),
        ("at(2030-01-01T12:00:00)", "rate(5 minutes)"),
    ],
)
def test_what_eventbridge_refuses_is_explained(expression: str, told: str) -> None:
    assert told in str(refused(expression))


def test_a_schedule_may_run_once() -> None:
    assert refused("at(2030-01-01T12:00:00)", once=True) is None
