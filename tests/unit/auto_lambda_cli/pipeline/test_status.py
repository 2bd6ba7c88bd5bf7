from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from auto_lambda import __version__
from auto_lambda.aws.cloudformation import Plan
from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.stack import create_pipeline, local_client
from auto_lambda_cli.pipeline.change_sets import ReviewedStacks
from auto_lambda_cli.pipeline.parts import ORDER, all_parts
from auto_lambda_cli.pipeline.site import Memory, Site
from auto_lambda_cli.pipeline.status import examine
from auto_lambda_cli.running_stacks import ACCOUNT, REGION

Clients = Callable[[str], Any]
ALIKE = {"template": "this version's", "status": "CREATE_COMPLETE"}


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    folder: Path = tmp_path_factory.mktemp("aws")
    with EmbeddedAws.start(folder) as aws:
        yield cache(partial(local_client, aws))


def site_of(clients: Clients, pipeline: str) -> Site:
    return Site(pipeline, ACCOUNT, REGION, clients, ReviewedStacks(clients("cloudformation")))


def test_where_there_is_nothing(clients: Clients) -> None:
    assert examine(site_of(clients, "nothing")) is None


def test_a_pipeline_as_it_should_be_and_as_it_should_not(clients: Clients) -> None:
    site = site_of(clients, "auto-lambda")
    outputs = create_pipeline(clients, "auto-lambda", {})
    site.remember(Memory(__version__, {}))
    clients("ssm").put_parameter(Name="/auto-lambda/image/x86_64", Type="String", Value="ami-1")
    found = examine(site)
    assert found
    assert found.complete
    assert (found.version, found.layout, found.image, found.outputs) == (__version__, "five stacks", "ami-1", outputs)
    assert [{"template": it.template, "status": it.status} for it in found.stacks] == [ALIKE] * len(ORDER)
    assert found.as_json()["this_version"] == __version__
    assert f"  UploadsBucket = {outputs['UploadsBucket']}" in found.lines()

    network = next(part for part in all_parts() if part.name == "network")
    another = network.text.replace("10.83.0.0/24", "10.84.0.0/24")
    site.stacks.deploy(Plan("auto-lambda-network", body=another, parameters={"Pipeline": "auto-lambda"}))
    site.stacks.delete("auto-lambda-observability")
    found = examine(site)
    assert found
    assert not found.complete
    by_name = {it.stack: it for it in found.stacks}
    assert by_name["auto-lambda-network"].template == "another"
    assert (by_name["auto-lambda-observability"].status, by_name["auto-lambda-observability"].template) == (
        None,
        "none",
    )


def test_the_parameters_are_those_that_are_there_then_those_that_were(clients: Clients) -> None:
    site = site_of(clients, "second")
    assert site.parameters({})["LogPrefix"] == "/auto-lambda/second"
    site.remember(Memory(None, {"WorkersMax": "3", "AlarmEmail": "somebody@example.com"}))
    assert site.parameters({"WorkersMax": "4"})["AlarmEmail"] == "somebody@example.com"
    assert site.parameters({"WorkersMax": "4"})["WorkersMax"] == "4"
    create_pipeline(clients, "second", {"LogPrefix": "/auto-lambda/second", "WorkersMax": "5"})
    there = site.parameters({})
    assert (there["WorkersMax"], there["LogPrefix"]) == ("5", "/auto-lambda/second")
    assert "QueueName" not in there
