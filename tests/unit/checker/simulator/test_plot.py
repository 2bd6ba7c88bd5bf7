from __future__ import annotations

import pytest

from checker.simulator import policies
from checker.simulator.compare import compare, known
from checker.simulator.model import Arrival, Fleet, SimulationOutcome
from checker.simulator.plot import draw

FLEET = Fleet()
DROPS = [Arrival(float(at), 40.0) for at in range(5)]


def outcomes(*names: str) -> list[SimulationOutcome]:
    return compare(DROPS, FLEET, [(name, known(policies.ours())[name]) for name in names])


def colours(*names: str) -> dict[str, object]:
    workers = draw(outcomes(*names), "a few drops").axes[1]
    return {str(line.get_label()): line.get_color() for line in workers.get_lines()}


def test_a_policy_keeps_its_colour_whichever_others_are_shown() -> None:
    everything = colours(*known(policies.ours()))
    assert len(set(everything.values())) == len(everything)
    assert colours("five-minute", "ours").items() <= everything.items()


@pytest.mark.parametrize(
    ("window", "unit", "limits"), [((0.5, 1.0), "minutes", (30, 60)), ((9.0, 12.0), "hours", (9, 12))]
)
def test_a_short_window_is_shown_in_minutes(window: tuple[float, float], unit: str, limits: tuple[int, int]) -> None:
    figure = draw(outcomes("ours"), "a few drops", window)
    assert figure.axes[-1].get_xlabel() == unit
    assert figure.axes[-1].get_xlim() == pytest.approx(limits)
    last_drop = figure.axes[-1].get_lines()[0].get_xdata()[-1]  # type: ignore[index]
    assert last_drop == pytest.approx(DROPS[-1].at / (60 if unit == "minutes" else 3600))
