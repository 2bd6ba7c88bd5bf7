import pytest

from auto_lambda_cli.pipeline.parts import all_parts
from auto_lambda_cli.pipeline.values import wrong_values


@pytest.mark.parametrize("value", ["abc", "", "-1", "51", "1.5", "²"])
def test_a_number_out_of_range_is_told_with_the_range(value: str) -> None:
    assert wrong_values({"WorkersMax": value}) == [f"WorkersMax is {value!r}: it is a whole number from 0 to 50"]


def test_all_wrong_values_are_told() -> None:
    told = wrong_values({"Architecture": "mips", "AlarmEmail": "nobody", "WorkersMax": "3"})
    assert [line.split(" is ")[0] for line in sorted(told)] == ["AlarmEmail", "Architecture"]
    assert any("it is one of x86_64, arm64" in line for line in told)


def test_every_default_is_admitted() -> None:
    assert wrong_values({name: value for part in all_parts() for name, value in part.defaults.items() if value}) == []
