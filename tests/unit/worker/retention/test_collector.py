"""Collecting old releases, on the embedded AWS."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from kept_releases import History

from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.aws.dynamodb import Item, Put
from auto_lambda.aws.lambda_ import Versions
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.keys import App
from worker.records.retention import Due
from worker.retention.collector import Collector
from worker.retention.plan import Keeping


def test_the_newest_releases_stay_with_their_versions_and_layers(history: History) -> None:
    for _ in range(4):
        deployed = history.release()
    history.collect(keep=2)
    assert history.versions(deployed) == ["3", "4"]
    assert history.layers == 2
    assert history.collected == ["v1", "v2"]
    assert history.due == []


def test_where_nothing_is_old_nothing_goes(history: History) -> None:
    for _ in range(2):
        deployed = history.release()
    history.collect(keep=2)
    assert (history.versions(deployed), history.layers, history.collected) == (["1", "2"], 2, [])
    assert history.due == []


def test_what_a_rollback_leads_to_stays_whatever_the_number(history: History) -> None:
    for _ in range(3):
        deployed = history.release()
    history.collect(keep=1)
    assert history.versions(deployed) == ["2", "3"]
    assert history.collected == ["v1"]


def test_what_an_alias_points_to_stays_also_with_a_share(history: History) -> None:
    for _ in range(5):
        deployed = history.release()
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    lambda_ = history.world.lambda_
    lambda_.create_alias(FunctionName=deployed.function, Name="old", FunctionVersion="1", RoutingConfig=weights)
    history.collect(keep=1)
    assert history.versions(deployed) == ["1", "2", "4", "5"]
    assert history.layers == 4, "the layers of these versions stay too"


def test_a_release_that_was_live_repeatedly_keeps_its_version(history: History) -> None:
    for color in ("red", "blue", "red", "blue"):
        deployed = history.release(color)
    history.collect(keep=2)
    assert history.versions(deployed) == ["1", "2"], "neither was published a second time"
    assert history.collected == [], "each of the zips leads to a release that stays"


def test_an_app_may_ask_for_a_number_of_its_own(history: History) -> None:
    for _ in range(4):
        deployed = history.release(retain=3)
    history.collect(keep=1)
    assert history.versions(deployed) == ["2", "3", "4"]


def test_nothing_goes_while_somebody_works_on_the_app(history: History) -> None:
    for _ in range(3):
        deployed = history.release()
    lease: Item = {"pk": f"app#{history.app}", "sk": "lease", "fence": 3, "owner": "another", "until": 1e12}
    history.table.write(Put(lease))
    history.collect(keep=1)
    assert (len(history.versions(deployed)), history.collected) == (3, [])
    assert history.due, "it is looked at again"


class Between(Versions):
    """Has something happen once the versions were listed."""

    def __init__(self, client: Any, happens: Any) -> None:
        super().__init__(client)
        self._happens = happens

    def of_layer(self, layer: str) -> list[str]:
        self._happens()
        return super().of_layer(layer)


def test_nothing_goes_if_somebody_has_begun_since_the_choice_was_made(history: History) -> None:
    for _ in range(3):
        deployed = history.release()

    def begin() -> None:
        history.table.write(Put({"pk": f"app#{history.app}", "sk": "lease", "fence": 4}))

    (due,) = history.due
    history.collector(1, Between(history.world.lambda_, begin)).collect(due)
    assert (len(history.versions(deployed)), history.collected) == (3, [])
    assert history.due == [due]


def test_a_deployment_meanwhile_stays_due(history: History) -> None:
    for _ in range(2):
        history.release()
    (due,) = history.due
    history.collector(5, Between(history.world.lambda_, history.release)).collect(due)
    assert [it.when for it in history.due] == [history.now]


class Dying(Versions):
    """Is killed in the middle of the deletions."""

    def delete(self, function: str, version: str) -> bool:
        if version == "2":
            raise KeyboardInterrupt
        return super().delete(function, version)


def test_a_collector_that_is_killed_leaves_what_the_next_one_finds(history: History) -> None:
    for _ in range(4):
        deployed = history.release()
    (due,) = history.due
    with pytest.raises(KeyboardInterrupt):
        history.collector(1, Dying(history.world.lambda_)).collect(due)
    assert history.versions(deployed) == ["2", "3", "4"]
    assert history.collected == ["v1", "v2"], "given up before anything is deleted"
    history.collect(keep=1)
    assert (history.versions(deployed), history.layers, history.due) == (["3", "4"], 2, [])


def test_a_release_stays_for_a_while_after_it_was_replaced(history: History) -> None:
    for _ in range(4):
        deployed = history.release()
    history.collector(1, grace=timedelta(minutes=90)).collect(history.due[0])
    assert history.versions(deployed) == ["2", "3", "4"], "2 was replaced an hour ago"
    (due,) = history.due
    assert due.again == history.now + timedelta(minutes=30)
    history.now += timedelta(minutes=31)
    history.collector(1, grace=timedelta(minutes=90)).collect(due)
    assert (history.versions(deployed), history.due) == (["3", "4"], [])


def test_the_stack_of_another_is_not_touched(history: History) -> None:
    for _ in range(3):
        deployed = history.release()
    other = App("dev-2", history.app.name)
    for (pk, sk), item in list(history.table.items_.items()):
        history.table.write(Put({**item, "pk": pk.replace(str(history.app), str(other)), "sk": sk}))
    cloudformation: Any = Shown(history.world.cloudformation, other.stack, history.app.stack)
    Collector(
        history.records, ObjectStore(history.world.s3), "artifacts", Stacks(cloudformation),
        Versions(history.world.lambda_), Keeping(1, timedelta(0)), now=lambda: history.now,
    ).collect(Due(other, history.now))  # fmt: skip
    assert len(history.versions(deployed)) == 3


class Shown:
    """Shows one stack under the name of another."""

    def __init__(self, client: Any, name: str, stack: str) -> None:
        self._client, self._name, self._stack = client, name, stack

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803
        return self._client.describe_stacks(StackName=StackName.replace(self._name, self._stack))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def test_the_releases_of_an_app_that_is_gone_stay_for_thirty_days(history: History) -> None:
    for _ in range(2):
        history.release()
    history.table.items_.pop((f"app#{history.app}", "live"))
    history.collect(keep=1)
    assert history.collected == []
    (due,) = history.due
    assert due.again == history.now + timedelta(days=30)
    history.now += timedelta(days=30)
    history.collect(keep=1)
    assert (history.collected, history.due) == (["v1", "v2"], [])
