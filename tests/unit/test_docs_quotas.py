"""The figures of docs/how-to/quotas.md are those that the programs use."""

from __future__ import annotations

from pipeline_template import REPOSITORY

from auto_lambda_cli.pipeline.account import ON_DEMAND, SPOT, VPCS
from checker.oldest import MOST_RECEIVES
from worker.operations.doctor.quotas import API_SECONDS, LEAST_EXECUTIONS, MOST_APIS, VCPUS

PAGE = (REPOSITORY / "docs/how-to/quotas.md").read_text()


def test_the_codes_of_service_quotas_are_those_that_are_asked_for() -> None:
    for _, code in (SPOT, ON_DEMAND, VPCS):
        assert f"(`{code}`)" in PAGE


def test_the_figures_are_those_of_doctor() -> None:
    assert f"{MOST_APIS['REGIONAL']} regional, {MOST_APIS['EDGE']} edge-optimized" in PAGE
    assert f"one every {API_SECONDS['REGIONAL']} s, {API_SECONDS['EDGE']} s for edge-optimized" in PAGE
    assert f"a worker has {VCPUS}" in PAGE
    assert f"fewer than {LEAST_EXECUTIONS} would be left" in PAGE
    assert f"tries of an upload: {MOST_RECEIVES}," in PAGE
