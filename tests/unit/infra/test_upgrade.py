"""From the last release's single stack to this version's five and back, on the embedded AWS: nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from commands import run

from auto_lambda.aws.cloudformation import Plan, Stacks
from auto_lambda.aws.dynamodb import SCHEMA, Put, Table
from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.stack import local_client
from auto_lambda_cli.pipeline.parts import ORDER, load_template, stack_name
from auto_lambda_cli.pipeline.review import DATA
from auto_lambda_cli.sources import templates_folder

RELEASED = Path(__file__).parents[2] / "support/data/pipeline-0.2.0.yaml"
KEPT = ("UploadsBucket", "ArtifactsBucket", "QueueUrl", "DeadLetterQueueUrl", "LedgerTable", "AlarmTopic")
ITEM = {"pk": "app#dev/shop", "sk": "live", "key": "apps/dev/shop.zip", "when": "2026-11-28T00:00:00+00:00"}
Clients = Callable[[str], Any]


@pytest.fixture
def clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    with EmbeddedAws.start(tmp_path) as aws:
        for name, value in aws.environ.items():
            monkeypatch.setenv(name, value)
        yield cache(partial(local_client, aws))


def released(clients: Clients, **parameters: str) -> dict[str, str]:
    """The last release's pipeline, as `aws cloudformation deploy` makes it."""
    plan = Plan("auto-lambda", body=RELEASED.read_text(), parameters=parameters)
    return dict(Stacks(clients("cloudformation")).deploy(plan).stack.outputs)


def drop(clients: Clients, outputs: dict[str, str], name: str) -> None:
    clients("s3").put_object(Bucket=outputs["UploadsBucket"], Key=f"apps/dev/{name}.zip", Body=name.encode())


def waiting(clients: Clients, outputs: dict[str, str]) -> set[str]:
    """The keys of the messages in the queue, which stay there."""
    found = set()
    while (
        messages := clients("sqs")
        .receive_message(QueueUrl=outputs["QueueUrl"], MaxNumberOfMessages=10, WaitTimeSeconds=0)
        .get("Messages")
    ):
        bodies = [json.loads(message["Body"]) for message in messages]
        found |= {record["s3"]["object"]["key"] for body in bodies for record in body.get("Records", [])}
    return found


def stacks(clients: Clients) -> set[str]:
    found = Stacks(clients("cloudformation"))
    return {part for part in ORDER if found.describe(stack_name("auto-lambda", part))}


def test_what_holds_data_has_in_the_core_what_it_had_in_the_last_release() -> None:
    before, after = (
        load_template(path.read_text())["Resources"] for path in (RELEASED, templates_folder() / "core.yaml")
    )
    for name in DATA & before.keys():
        free = {"PolicyDocument": None, "NotificationConfiguration": None}  # may change while the data stays
        old, new = ({**it["Properties"], **free} for it in (before[name], after[name]))
        assert (after[name]["Type"], new) == (before[name]["Type"], old), name


def test_from_the_last_release_to_this_one_and_back(clients: Clients) -> None:
    before = released(clients, WorkersMax="7", AlarmEmail="somebody@example.com")
    table = Table(clients("dynamodb"), before["LedgerTable"])
    table.write(Put({**ITEM, "schema": None}))
    drop(clients, before, "early")

    refused = run("pipeline", "up", "--yes")
    assert refused.exit_code == 2
    assert "use auto-lambda pipeline upgrade" in refused.stderr
    assert stacks(clients) == {"core"}

    upgraded = run("pipeline", "upgrade", "--yes", "--json")
    assert upgraded.exit_code == 0, upgraded.stderr
    after = json.loads(upgraded.stdout)["outputs"]
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}
    assert after["WideBoundaryArn"] == before["BoundaryArn"]  # the roles of apps have it
    assert [item["schema"] for item in table.items(ITEM["pk"])] == [SCHEMA]
    drop(clients, after, "late")
    objects = clients("s3").list_objects_v2(Bucket=after["UploadsBucket"])["Contents"]
    assert [it["Key"] for it in objects] == ["apps/dev/early.zip", "apps/dev/late.zip"]
    groups = clients("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[after["WorkerGroup"]])
    assert len(groups["AutoScalingGroups"]) == 1
    memory = clients("s3").get_object(Bucket="auto-lambda-templates-123456789012-us-east-1", Key="pipeline.json")
    parameters = json.loads(memory["Body"].read())["parameters"]
    assert (parameters["WorkersMax"], parameters["AlarmEmail"]) == ("7", "somebody@example.com")

    again = run("pipeline", "upgrade", "--yes", "--json")
    assert again.exit_code == 0, again.stderr
    assert [stack["changes"] for stack in json.loads(again.stdout)["stacks"]] == [[]] * len(ORDER)

    down = run("pipeline", "down", "--yes")
    assert down.exit_code == 0, down.stderr
    assert stacks(clients) == {"core"}
    assert run("pipeline", "ledger", "--schema", "1", "--yes").exit_code == 0
    back = released(clients, WorkersMax="7", AlarmEmail="somebody@example.com")
    assert {name: back[name] for name in KEPT} == {name: before[name] for name in KEPT}
    assert list(table.items(ITEM["pk"])) == [ITEM]
    assert waiting(clients, back) == {"apps/dev/early.zip", "apps/dev/late.zip"}


def test_an_upgrade_that_was_cut_off_after_the_core_goes_on_with_the_old_parameters(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    released(clients, WorkersMax="7", OnDemandPercentage="30")
    deploy = Stacks.deploy

    def cut_off(self: Stacks, plan: Plan, *given: Any, **named: Any) -> Any:
        if plan.stack != "auto-lambda":
            raise KeyboardInterrupt
        return deploy(self, plan, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Stacks, "deploy", cut_off)
        interrupted = run("pipeline", "upgrade", "--yes")
    assert interrupted.exit_code == 130
    assert "Run the same command again" in interrupted.stderr
    assert stacks(clients) == {"core"}
    assert run("pipeline", "upgrade", "--yes").exit_code == 0
    fleet = Stacks(clients("cloudformation")).describe("auto-lambda-fleet")
    assert fleet
    assert (fleet.parameters["WorkersMax"], fleet.parameters["OnDemandPercentage"]) == ("7", "30")
