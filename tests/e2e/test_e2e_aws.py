"""The run of ``make e2e-aws``, rehearsed: the same stages on the embedded AWS, so that they are code that is tested."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e_aws.perform import perform
from e2e_aws.place import Place
from e2e_aws.report import Report
from e2e_aws.run import Run, new_name
from e2e_aws.stages import chosen
from e2e_stack import Stack


@pytest.mark.timeout(900)
def test_a_rehearsal_passes_every_stage_and_leaves_nothing(started: Stack, tmp_path: Path) -> None:
    told = {name: value for name, value in started.ready["environ"].items() if name.startswith("AWS_")}
    place = Place.embedded({name: value for name, value in told.items() if name != "AWS_ENDPOINT_URL_AUTO_SCALING"})
    name, said = new_name(), list[str]()
    report = Report(name, place.account, place.region, "test", rehearsal=True, folder=tmp_path / "report")
    assert perform(Run(place, name, tmp_path, said.append), chosen([], rehearsal=True), report), "\n".join(said)
    assert report.left == []
    assert {one.status for one in report.stages.values()} == {"passed"}
