"""A convergence against moto's ECS: what it does, that kills change nothing, and what it says of what AWS refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError
from ecs_cluster import SHOP, Cluster
from ecs_updater.chalicelib.ecs import Ecs
from ecs_updater.chalicelib.images import Follow
from ecs_updater.chalicelib.model import COOLDOWN, FOLLOW, MAX, MIN, RAISE, SCALED, TRIED, Target, Unknown
from ecs_world import NOON
from killing import Killed, Killer, kills
from moto import mock_aws


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with mock_aws():
        yield Cluster().make()


def test_a_push_reaches_the_services_that_follow_and_a_replay_changes_nothing(cluster: Cluster) -> None:
    cluster.registry.push(SHOP, "x", "1.1.0")
    cluster.run()
    assert [cluster.on(name) for name in ("web", "api", "blog")] == ["shop:2", "api:2", "blog:1"]
    told = cluster.client.describe_task_definition(taskDefinition="shop:2")["taskDefinition"]
    assert [one["image"] for one in told["containerDefinitions"]] == ["acme/shop:1.1.0", "proxy:3"]
    replay = Killer()
    cluster.run(replay)
    assert replay.calls == ["PutMetricData"]


def test_without_a_push_nothing_changes(cluster: Cluster) -> None:
    quiet = Killer()
    cluster.run(quiet)
    assert quiet.calls == ["PutMetricData"]


def test_killed_before_or_after_any_call_it_converges_without_a_second_revision() -> None:
    def fresh() -> Cluster:
        made = Cluster().make()
        made.registry.push(SHOP, "x", "1.1.0")
        return made

    def once(killer: Killer) -> Cluster:
        with mock_aws():
            made = fresh()
            made.run(killer)
            return made

    ways = list(kills(once))
    assert len(ways) >= 12
    for at, after in ways:
        with mock_aws():
            made = fresh()
            with pytest.raises(Killed):
                made.run(Killer(at, after=after))
            made.run()
            made.run()
            assert [made.on(name) for name in ("web", "api", "blog")] == ["shop:2", "api:2", "blog:1"], (at, after)
            assert made.revisions() == ["api:1", "api:2", "blog:1", "shop:1", "shop:2"], (at, after)


def test_scaling_that_is_killed_anywhere_is_one_step() -> None:
    def fresh() -> Cluster:
        made = Cluster().make()
        made.service("busy", "blog", {RAISE: "deep", MIN: "1", MAX: "5", COOLDOWN: "60 60"})
        made.alarm("deep", "ALARM")
        return made

    def once(killer: Killer) -> None:
        with mock_aws():
            fresh().run(killer)

    for at, after in kills(once):
        with mock_aws():
            made = fresh()
            with pytest.raises(Killed):
                made.run(Killer(at, after=after))
            made.now += timedelta(seconds=20)
            made.run()
            assert made.desired("busy") == 3, (at, after)


def test_replacing_and_telling_that_are_killed_anywhere_stop_one_task_and_tell_of_the_failure() -> None:
    def fresh() -> Cluster:
        made = Cluster().make()
        made.stuck()
        made.taken_back()
        return made

    with mock_aws():
        unharmed = Killer(reads=True)
        fresh().run(unharmed)
    wanted = {"ListTasks", "DescribeTasks", "GetTaskProtection", "StopTask", "PutEvents"}
    assert wanted <= set(unharmed.calls)
    for at, name in enumerate(unharmed.calls, 1):
        for after in (False, True) if name in wanted else ():
            with mock_aws():
                made = fresh()
                with pytest.raises(Killed):
                    made.run(Killer(at, after=after, reads=True))
                made.run()
                made.run()
                assert (made.tasks("RUNNING"), made.tasks("STOPPED")) == (2, 1), (name, after)
                assert made.tags("back")[TRIED] == "back:2 failed", (name, after)
                assert {line["revision"] for line in made.said("failed")} == {"back:2"}, (name, after)


def test_an_alarm_raises_and_a_quiet_quarter_of_an_hour_lowers(cluster: Cluster) -> None:
    cluster.service("busy", "blog", {RAISE: "deep", MIN: "1", MAX: "5"})
    cluster.alarm("deep", "ALARM")
    cluster.run()
    assert cluster.desired("busy") == 3
    assert cluster.tags("busy")[SCALED] == "2026-11-28T12:00:00Z 2 3"
    cluster.run()
    assert cluster.desired("busy") == 3, "a doubled alarm is one step"
    cluster.alarm("deep", "OK")
    cluster.now = datetime.now(NOON.tzinfo) + timedelta(minutes=14)
    cluster.run()
    assert cluster.desired("busy") == 3
    cluster.now += timedelta(minutes=2)
    cluster.run()
    assert cluster.desired("busy") == 2


def test_a_revision_that_was_taken_back_is_told_once_and_not_tried_again(cluster: Cluster) -> None:
    cluster.registry.push(SHOP, "x", "1.1.0")
    cluster.run()
    cluster.client.update_service(cluster="shop", service="web", taskDefinition="shop:1")  # as the circuit breaker does
    for _ in range(3):
        cluster.run()
    assert cluster.on("web") == "shop:1"
    assert [line["revision"] for line in cluster.said("failed")] == ["shop:2"]
    assert cluster.tags("web")[TRIED] == "shop:2 failed"
    cluster.registry.push(SHOP, "x", "1.2.0")
    cluster.run()
    assert cluster.on("web") == "shop:3"


def test_a_family_without_a_service_gets_a_revision_if_it_has_opted_in(cluster: Cluster) -> None:
    for name in ("nightly", "manual"):
        cluster.register(name, "acme/shop:1.0.0")
    arn = cluster.client.describe_task_definition(taskDefinition="nightly")["taskDefinition"]["taskDefinitionArn"]
    cluster.client.tag_resource(resourceArn=arn, tags=[{"key": FOLLOW, "value": "acme/shop:x"}])
    cluster.registry.push(SHOP, "x", "1.1.0")
    for _ in range(2):
        rows = cluster.run(families=("nightly", "manual", "gone"))
    newest = cluster.client.describe_task_definition(taskDefinition="nightly", include=["TAGS"])
    assert newest["taskDefinition"]["revision"] == 2
    assert newest["taskDefinition"]["containerDefinitions"][0]["image"] == "acme/shop:1.1.0"
    assert newest["tags"] == [{"key": FOLLOW, "value": "acme/shop:x"}]
    assert "manual:2" not in cluster.revisions()
    (told,) = (row.told() for row in rows if not row.service.cluster)
    assert (told["service"], told["definition"], told["behind"]) == ("family nightly", "nightly:2", False)


def test_two_runs_at_once_leave_the_same_as_one(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one looks and acts between the first one's look and its first call."""
    register = Ecs.register
    cluster.registry.push(SHOP, "x", "1.1.0")

    def meanwhile(self: Ecs, revision: Any) -> str:
        monkeypatch.setattr(Ecs, "register", register)
        cluster.run()
        return register(self, revision)

    monkeypatch.setattr(Ecs, "register", meanwhile)
    cluster.run()
    quiet = Killer()
    cluster.run(quiet)
    assert quiet.calls == ["PutMetricData"], "they agree, at the cost of one superfluous revision"
    images = {name: cluster.images(name) for name in ("web", "api", "blog")}
    assert images == {
        "web": ["acme/shop:1.1.0", "proxy:3"],
        "api": ["docker.io/acme/shop:1.1.0"],
        "blog": ["acme/shop:1.0.0"],
    }


def test_the_tags_of_a_definition_are_carried_over(cluster: Cluster) -> None:
    arn = cluster.client.describe_task_definition(taskDefinition="shop:1")["taskDefinition"]["taskDefinitionArn"]
    cluster.client.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "shop"}])
    cluster.registry.push(SHOP, "x", "1.1.0")
    cluster.run()
    told = cluster.client.describe_task_definition(taskDefinition="shop:2", include=["TAGS"])
    assert {"key": "team", "value": "shop"} in told["tags"]


def test_a_cluster_that_is_gone_is_told_and_the_others_go_on(cluster: Cluster) -> None:
    cluster.registry.push(SHOP, "x", "1.1.0")
    cluster.run(clusters=("gone", "shop"))
    assert cluster.on("web") == "shop:2"
    assert "there is no cluster gone" in cluster.said("problem")[0]["why"]


def test_a_registry_that_cannot_be_asked_is_late_not_lost(cluster: Cluster) -> None:
    cluster.registry.table[f"{SHOP}:x"] = Unknown("docker.io cannot be asked", late=True)
    rows = cluster.run()
    assert [row.verdict.why for row in rows] == ["docker.io cannot be asked"] * 2
    cluster.registry.push(SHOP, "x", "1.1.0")
    cluster.run()
    assert cluster.on("web") == "shop:2"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("ThrottlingException", "AWS asks to wait"),
        ("AccessDeniedException", "not granted"),
        ("ClientException", "full"),
    ],
)
def test_what_aws_refuses_for_one_service_is_told_and_the_others_go_on(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, code: str, why: str
) -> None:
    update = Ecs.update

    def refusing(self: Ecs, service: Any, arn: str) -> None:
        if service.name == "web":
            raise ClientError({"Error": {"Code": code, "Message": "full"}}, "UpdateService")
        update(self, service, arn)

    cluster.registry.push(SHOP, "x", "1.1.0")
    with monkeypatch.context() as patched:
        patched.setattr(Ecs, "update", refusing)
        rows = {row.service.name: row.verdict for row in cluster.run()}
    assert why in rows["web"].why
    assert rows["web"].behind
    assert [cluster.on(name) for name in ("web", "api")] == ["shop:1", "api:2"]
    cluster.run()
    assert cluster.on("web") == "shop:2"
    assert cluster.revisions().count("shop:3") == 0


def test_a_field_that_boto3_does_not_know_stops_the_update_of_that_service(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember = Ecs._remember

    def newer(self: Ecs, response_dict: dict[str, Any], **more: Any) -> None:
        told = json.loads(response_dict["body"])
        if told["taskDefinition"]["family"] == "shop":
            told["taskDefinition"]["containerDefinitions"][0]["tomorrow"] = True
        remember(self, {"body": json.dumps(told)}, **more)

    cluster.registry.push(SHOP, "x", "1.1.0")
    monkeypatch.setattr(Ecs, "_remember", newer)
    rows = {row.service.name: row.verdict for row in cluster.run()}
    assert "containerDefinitions[].tomorrow" in rows["web"].why
    assert [cluster.on(name) for name in ("web", "api")] == ["shop:1", "api:2"]


def test_metrics_say_how_many_are_behind_and_what_was_done(cluster: Cluster) -> None:
    cluster.registry.push(SHOP, "x", "1.1.0")
    cluster.run()
    told = cluster.cloudwatch.list_metrics(Namespace="auto-lambda/platform/ecs-updater")["Metrics"]
    assert {metric["MetricName"] for metric in told} >= {"Behind", "Updates"}
    assert {line["run"] for line in cluster.lines} == {"run"}
    assert cluster.said("converged")[0]["behind"] == 2


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({FOLLOW: "acme/shop"}, "says no tag"),
        ({FOLLOW: "acme/none:x"}, "no container of blog:1 uses"),
        ({FOLLOW: "acme/shop:gone"}, "no tag gone"),
        ({FOLLOW: "acme/shop:late"}, "cannot be asked"),
        ({RAISE: "deep", MIN: "many", MAX: "5"}, "not a number"),
    ],
)
def test_bad_input_has_a_line_in_the_log_that_names_the_service(
    cluster: Cluster, tags: dict[str, str], why: str
) -> None:
    cluster.registry.table[f"{SHOP}:gone"] = Unknown(f"{SHOP} has no tag gone")
    cluster.registry.table[f"{SHOP}:late"] = Unknown("docker.io cannot be asked", late=True)
    cluster.service("odd", "blog", tags)
    cluster.run()
    (line,) = (one for one in cluster.said("service") if one["service"] == "shop/odd")
    assert why in line["why"] + line["scaling"]


def test_a_service_without_a_task_definition_has_a_line_in_the_log(cluster: Cluster) -> None:
    external = {"type": "EXTERNAL"}
    tags = [{"key": FOLLOW, "value": "acme/shop:x"}]
    cluster.client.create_service(
        cluster="shop", serviceName="odd", deploymentController=external, desiredCount=1, tags=tags
    )
    cluster.run()
    (line,) = (one for one in cluster.said("service") if one["service"] == "shop/odd")
    assert (line["definition"], "external" in line["why"]) == ("", True)


def test_a_registry_that_takes_too_long_is_late_and_the_others_go_on(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = Event()
    resolve = cluster.registry.resolve

    def slowly(follow: Follow) -> Target | Unknown:
        if follow.image.registry == "slow.example":
            let_go.wait(30)
        return resolve(follow)

    for number in range(20):  # more than are asked at once
        cluster.register(f"slow{number}", f"slow.example/s{number}:1")
        cluster.service(f"slow{number}", f"slow{number}", {FOLLOW: f"slow.example/s{number}:x"})
    cluster.registry.push(SHOP, "x", "1.1.0")
    cluster.patience = 0.5
    monkeypatch.setattr(cluster.registry, "resolve", slowly)
    rows = {row.service.name: row.verdict.why for row in cluster.run()}
    let_go.set()
    assert "slow.example has not answered in time; later" in rows["slow0"]
    assert cluster.on("web") == "shop:2"
