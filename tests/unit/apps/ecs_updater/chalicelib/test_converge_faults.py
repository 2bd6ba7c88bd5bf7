"""Every call of a convergence fails in every way: the rest goes on, it is told, and the next run makes up for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from ecs_cluster import SHOP, Cluster
from ecs_updater.chalicelib.model import MAX, MIN, RAISE, TRIED
from killing import Killed, Killer
from moto import mock_aws

REVISIONS = ["api:1", "api:2", "back:1", "back:2", "blog:1", "full:1", "full:2", "shop:1", "shop:2"]


def refused(code: str) -> Callable[[str], BaseException]:
    return lambda name: ClientError({"Error": {"Code": code, "Message": "a test"}}, name)


WAYS = {
    "throttled": (refused("ThrottlingException"), False),
    "denied": (refused("AccessDeniedException"), False),
    "5xx": (refused("ServerException"), False),
    "no connection": (lambda _: ConnectTimeoutError(endpoint_url="https://ecs"), False),
    "cut, and carried out": (lambda _: ReadTimeoutError(endpoint_url="https://ecs"), True),
}


def fresh() -> Cluster:
    made = Cluster().make()
    made.service("busy", "blog", {RAISE: "deep", MIN: "1", MAX: "5"})
    made.alarm("deep", "ALARM")
    made.stuck()
    made.taken_back()
    made.registry.push(SHOP, "x", "1.1.0")
    return made


@cache
def calls() -> list[str]:
    with mock_aws():
        unharmed = Killer(reads=True)
        fresh().run(unharmed)
        return unharmed.calls


def test_there_are_calls_of_every_kind() -> None:
    assert set(calls()) == {
        "ListServices", "DescribeServices", "DescribeTaskDefinition", "ListTaskDefinitions", "DescribeAlarms",
        "RegisterTaskDefinition", "UpdateService", "TagResource", "PutMetricData",
        "ListTasks", "DescribeTasks", "GetTaskProtection", "StopTask", "PutEvents",
    }  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_call_that_fails_costs_one_run_at_most(way: str) -> None:
    error, after = WAYS[way]
    for at, name in enumerate(calls(), 1):
        with mock_aws():
            made = fresh()
            made.run(Killer(at, after=after, error=error, reads=True))
            told = made.said("refused") + made.said("problem") + made.said("metrics-lost") + made.said("event-lost")
            told += [line for line in made.said("replacing") if line["task"] is None]
            assert len(told) >= 1, f"{name} ({at}) was not told"
            made.lines.clear()
            made.run()
            made.run()
            assert [made.on(service) for service in ("web", "api", "blog")] == ["shop:2", "api:2", "blog:1"], (name, at)
            assert made.revisions() == REVISIONS, (name, at)
            assert made.desired("busy") == 3, (name, at)
            assert (made.tasks("RUNNING"), made.tasks("STOPPED")) == (2, 1), (name, at)
            assert made.tags("back")[TRIED] == "back:2 failed", (name, at)
            assert not made.said("refused"), (name, at)


@mock_aws
def test_while_a_family_s_revisions_cannot_be_read_no_other_is_registered() -> None:
    made = fresh()
    with pytest.raises(Killed):
        made.run(Killer(1, after=True))
    assert len(made.revisions()) == len(REVISIONS) - 1, "one was registered"
    at = 1 + calls().index("ListTaskDefinitions")
    made.run(Killer(at, error=refused("ThrottlingException"), reads=True))
    made.run()
    assert made.revisions() == REVISIONS
    assert [made.on(service) for service in ("web", "api")] == ["shop:2", "api:2"]
