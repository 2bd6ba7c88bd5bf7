from __future__ import annotations

import json
import random
import statistics
from itertools import repeat
from pathlib import Path

import pytest

from checker.simulator import arrivals, durations
from checker.simulator.history import BadHistory, FileHistory, Past, build_seconds, replay
from checker.simulator.model import Arrival

FIXED = durations.parse("fixed:30")


@pytest.mark.parametrize("name", arrivals.SHAPES)
def test_a_made_day_has_its_drops_in_order_and_within_its_hours(name: str) -> None:
    shape = arrivals.SHAPES[name]
    drops = arrivals.make(shape, FIXED, seed=2)
    times = [drop.at for drop in drops]
    assert len(drops) == shape.drops
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= shape.hours * 3600


def test_bursts_are_forty_within_half_a_minute_and_hours_apart() -> None:
    times = [drop.at for drop in arrivals.make(arrivals.SHAPES["burst"], FIXED, seed=2)]
    for first in range(0, 240, 40):
        assert times[first + 39] - times[first] < 30
    assert times[40] - times[39] > 3 * 3600


def test_the_afternoon_has_about_ten_times_as_many_as_the_night() -> None:
    drops = arrivals.make(arrivals.SHAPES["diurnal"], FIXED, seed=2)
    by_hour = [sum(drop.at // 3600 == hour for drop in drops) for hour in range(24)]
    assert 7 < max(by_hour) / min(by_hour) < 16
    assert 12 <= by_hour.index(max(by_hour)) <= 16


def test_half_of_a_release_day_falls_in_one_hour() -> None:
    drops = arrivals.make(arrivals.SHAPES["release"], FIXED, seed=2)
    within = sum(5 * 3600 <= drop.at <= 6 * 3600 for drop in drops)
    assert 0.5 < within / len(drops) < 0.6


def test_a_lognormal_is_given_by_median_and_p95() -> None:
    rng = random.Random(1)
    draw = durations.parse("lognormal:40,120")
    drawn = [draw(rng) for _ in range(20_000)]
    assert statistics.median(drawn) == pytest.approx(40, rel=0.05)
    assert statistics.quantiles(drawn, n=20)[-1] == pytest.approx(120, rel=0.05)


@pytest.mark.parametrize(
    "text", ["", "fixed", "fixed:", "fixed:0", "fixed:-1", "fixed:nan", "lognormal:40", "lognormal:9,3", "weibull:1"]
)
def test_what_is_no_distribution_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(durations.BadDistribution, match="lognormal:40,120"):
        durations.parse(text)


def written(folder: Path, text: str) -> FileHistory:
    path = folder / "drops"
    path.write_text(text, encoding="utf-8")
    return FileHistory(path)


ENTRIES = [{"dropped": "2026-03-01T09:00:30Z", "build_seconds": 20}, {"dropped": "2026-03-01T09:00:00"}]


@pytest.mark.parametrize(
    "text",
    [
        "dropped,app,build_seconds\n2026-03-01T09:00:30Z,shop,20\n2026-03-01T09:00:00,blog,\n",
        json.dumps(ENTRIES),
        "\n".join(json.dumps(entry) for entry in ENTRIES),
        "\ufeffdropped,build_seconds\n130,20\n100,\n",
    ],
)
def test_recorded_drops_are_replayed_in_order_from_the_first(tmp_path: Path, text: str) -> None:
    history = written(tmp_path, text)
    assert replay(history, repeat(7.0)) == [Arrival(0, 7), Arrival(30, 20)]
    assert build_seconds(history) == [20]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("when\n1\n", "no column «dropped»"),
        ("", "no column «dropped»"),
        ("dropped\nyesterday\n", "line 2.*yesterday"),
        ("dropped,build_seconds\n1,\n,3\n", "line 3.*missing"),
        ("dropped,build_seconds\n1,long\n", "line 2.*long.*not a number"),
        ("dropped,build_seconds\n1,-3\n", "line 2.*-3"),
        ("dropped\nnan\n", "line 2.*nan"),
        ('[{"dropped": 1}, 3]', "entry 2.*object"),
        ("[{", "neither a JSON list nor JSON lines"),
    ],
)
def test_a_file_that_makes_no_sense_says_where(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadHistory, match=says):
        list(written(tmp_path, text).drops())


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadHistory, match="cannot be read"):
        list(FileHistory(tmp_path / "none").drops())
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadHistory, match="cannot be read"):
        list(FileHistory(tmp_path / "binary").drops())


def test_anything_that_tells_its_drops_will_do() -> None:
    class Journal:
        def drops(self) -> list[Past]:
            return [Past(10, 5), Past(4, None)]

    assert replay(Journal(), repeat(9.0)) == [Arrival(0, 9), Arrival(6, 5)]
