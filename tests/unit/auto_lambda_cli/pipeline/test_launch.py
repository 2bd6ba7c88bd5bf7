"""A launch as CloudFormation makes it end: refused, failed and repeated, cut off, drained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auto_lambda.aws.cloudformation import DeployResult, Inspect, Plan, Stack, StackFailed
from auto_lambda_cli.pipeline import launch as launching
from auto_lambda_cli.pipeline.change_sets import Change
from auto_lambda_cli.pipeline.checks import LaunchRefused
from auto_lambda_cli.pipeline.launch import choose, drain, launch, left, refresh, resize, take_down
from auto_lambda_cli.pipeline.parts import ORDER, all_parts, stack_name
from auto_lambda_cli.pipeline.review import DATA, additions, review
from auto_lambda_cli.pipeline.site import Memory, Site

QUIET: Callable[[str], None] = lambda _: None  # noqa: E731
PIPELINE = "auto-lambda"


@dataclass
class FakeStacks:
    """Stacks that exist or not, whose operations end as a test wants."""

    there: dict[str, Stack] = field(default_factory=dict)
    now: dict[str, tuple[Change, ...]] = field(default_factory=dict)
    later: dict[str, tuple[Change, ...]] = field(default_factory=dict)
    fails: dict[str, BaseException] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def describe(self, name: str) -> Stack | None:
        return self.there.get(name)

    def ended(self, name: str, _: Any = None) -> Stack | None:
        return self.there.get(name)

    def review(self, plan: Plan) -> tuple[Change, ...]:
        return self.now.get(plan.stack, ())

    def changes(self, change_set: str) -> tuple[Change, ...]:
        return self.later.get(change_set, self.now.get(change_set, ()))

    def deploy(self, plan: Plan, _: Any = None, inspect: Inspect | None = None) -> DeployResult:
        if inspect:
            inspect(plan.stack)
        if error := self.fails.pop(plan.stack, None):
            raise error
        part = next(it for it in all_parts() if it.stack(PIPELINE) == plan.stack)
        outputs = {name: f"{name}-of-{part.name}" for name in part.outputs}
        self.there[plan.stack] = Stack(plan.stack, "id", "CREATE_COMPLETE", outputs, plan.tags, plan.parameters)
        self.done.append(plan.stack)
        return DeployResult(self.there[plan.stack], changed=True)

    def delete(self, name: str, _: Any = None) -> None:
        self.there.pop(name, None)
        self.done.append(name)


@dataclass
class FakeGroups:
    """Auto Scaling groups that end their instances one by one, and refreshes that end as a test wants."""

    groups: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    refreshes: list[str] = field(default_factory=lambda: ["InProgress", "Successful"])
    protected: bool = False

    def describe_auto_scaling_groups(self, AutoScalingGroupNames: list[str]) -> Any:  # noqa: N803 - boto3's
        found = [dict(group, Instances=list(group["Instances"])) for group in self.groups]
        for group in self.groups:
            if group["MaxSize"] == 0 and group["Instances"] and not self.protected:
                group["Instances"].pop()
        return {"AutoScalingGroups": [it for it in found if it["AutoScalingGroupName"] in AutoScalingGroupNames]}

    def update_auto_scaling_group(self, AutoScalingGroupName: str, **sizes: int) -> None:  # noqa: N803 - boto3's
        self.calls.append(f"{AutoScalingGroupName} {sizes['MinSize']}-{sizes['MaxSize']}")
        for group in self.groups:
            if group["AutoScalingGroupName"] == AutoScalingGroupName:
                group.update(sizes)

    def terminate_instance_in_auto_scaling_group(self, InstanceId: str, **_: Any) -> None:  # noqa: N803 - boto3's
        self.calls.append(f"end {InstanceId}")
        self.protected = False

    def start_instance_refresh(self, AutoScalingGroupName: str, **_: Any) -> None:  # noqa: N803 - boto3's
        if f"refresh {AutoScalingGroupName}" in self.calls:
            raise ClientError({"Error": {"Code": "InstanceRefreshInProgress"}}, "StartInstanceRefresh")
        self.calls.append(f"refresh {AutoScalingGroupName}")

    def describe_instance_refreshes(self, **_: Any) -> Any:
        return {"InstanceRefreshes": [{"Status": self.refreshes.pop(0), "StatusReason": "no capacity"}]}


def group(name: str, *instances: str, sizes: tuple[int, int] = (0, 10)) -> dict[str, Any]:
    return {
        "AutoScalingGroupName": f"{PIPELINE}-{name}", "MinSize": sizes[0], "MaxSize": sizes[1],
        "Instances": [{"InstanceId": one, "LifecycleState": "InService"} for one in instances],
    }  # fmt: skip


@dataclass(frozen=True)
class FakeSite(Site):
    """A site whose memory is a list."""

    memories: list[Memory] = field(default_factory=lambda: [Memory()])

    def memory(self) -> Memory:
        return self.memories[-1]

    def remember(self, memory: Memory) -> None:
        self.memories.append(memory)


@pytest.fixture
def groups() -> FakeGroups:
    return FakeGroups()


@pytest.fixture
def stacks() -> FakeStacks:
    return FakeStacks()


@pytest.fixture
def site(stacks: FakeStacks, groups: FakeGroups, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    monkeypatch.setattr(launching, "migrate", lambda *_: 0)
    monkeypatch.setattr("auto_lambda_cli.pipeline.maker.TemplateBucket.put", lambda _, part: f"https://s3/{part.name}")
    clients = {"autoscaling": groups, "s3": object(), "dynamodb": object()}
    return FakeSite(PIPELINE, "1" * 12, "eu-west-1", clients.__getitem__, stacks)  # type: ignore[arg-type]


def all_there(stacks: FakeStacks) -> None:
    for part in all_parts():
        told = {name: f"{name}-of-{part.name}" for name in part.outputs}
        stacks.there[part.stack(PIPELINE)] = Stack(part.stack(PIPELINE), "id", "CREATE_COMPLETE", told, {})


def go(site: Site, chosen: Mapping[str, str] | None = None) -> None:
    launch(site, chosen or {}, review(site, chosen or {}, QUIET), QUIET, sleep=lambda _: None)


def test_the_stacks_are_made_in_order_and_told_of_each_other(site: FakeSite, stacks: FakeStacks) -> None:
    go(site, {"WorkersMax": "3"})
    assert stacks.done == [stack_name(PIPELINE, part) for part in ORDER]
    fleet = stacks.there["auto-lambda-fleet"].parameters
    assert fleet["WorkersMax"] == "3"
    assert fleet["QueueName"] == "QueueName-of-core"
    assert fleet["WorkerProfileArn"] == "WorkerProfileArn-of-roles"


def test_a_creation_that_failed_is_repeated_with_what_was_chosen(site: FakeSite, stacks: FakeStacks) -> None:
    stacks.fails["auto-lambda-roles"] = StackFailed("auto-lambda-roles", "WorkerRole", "it exists already")
    with pytest.raises(StackFailed, match="WorkerRole: it exists already"):
        go(site, {"WorkersMax": "3", "ImageExists": "false"})
    assert site.memory() == Memory(None, {"WorkersMax": "3"})
    assert list(stacks.there) == ["auto-lambda", "auto-lambda-network"]
    chosen = site.parameters({})
    assert chosen["WorkersMax"] == "3"
    go(site, chosen)
    assert list(stacks.there) == [stack_name(PIPELINE, part) for part in ORDER]


def test_a_launch_that_is_cut_off_is_remembered_and_goes_on(site: FakeSite, stacks: FakeStacks) -> None:
    stacks.fails["auto-lambda-fleet"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        go(site, {"WorkersMax": "3"})
    go(site, site.parameters({}))
    assert stacks.there["auto-lambda-fleet"].parameters["WorkersMax"] == "3"


@pytest.mark.parametrize("name", sorted(DATA))
@pytest.mark.parametrize(
    "how", [Change("Remove", "", "AWS::S3::Bucket"), Change("Modify", "", "AWS::S3::Bucket", "True")]
)
def test_what_holds_data_is_neither_removed_nor_replaced(
    site: FakeSite, stacks: FakeStacks, name: str, how: Change
) -> None:
    all_there(stacks)
    stacks.now["auto-lambda"] = (replace(how, resource=name),)
    with pytest.raises(LaunchRefused, match=f"{name} holds data"):
        go(site)
    assert stacks.done == []


def test_a_removal_that_was_not_shown_is_not_made(site: FakeSite, stacks: FakeStacks) -> None:
    all_there(stacks)
    stacks.now["auto-lambda-fleet"] = (Change("Modify", "WorkerGroup", "AWS::AutoScaling::AutoScalingGroup"),)
    stacks.later["auto-lambda-fleet"] = (Change("Remove", "CheckerGroup", "AWS::AutoScaling::AutoScalingGroup"),)
    with pytest.raises(LaunchRefused, match="CheckerGroup would be removed, which was not announced"):
        go(site)
    assert stacks.done == ["auto-lambda", "auto-lambda-network", "auto-lambda-roles"]


def test_a_stack_whose_parameters_are_not_known_yet_is_said_to_change(site: FakeSite, stacks: FakeStacks) -> None:
    all_there(stacks)
    del stacks.there["auto-lambda-network"]
    steps = {step.stack: step for step in review(site, {}, QUIET)}
    assert steps["auto-lambda-network"].new
    assert "depends on SecurityGroup, Subnets" in steps["auto-lambda-fleet"].changes[0].kind


def test_what_is_left_of_a_failed_creation_counts_as_new(site: FakeSite, stacks: FakeStacks) -> None:
    all_there(stacks)
    stacks.there["auto-lambda-roles"] = replace(stacks.there["auto-lambda-roles"], status="ROLLBACK_COMPLETE")
    stacks.there["auto-lambda-fleet"] = replace(stacks.there["auto-lambda-fleet"], status="UPDATE_ROLLBACK_FAILED")
    steps = {step.stack: step for step in review(site, {}, QUIET)}
    assert steps["auto-lambda-roles"].new
    assert "rollback of its last update" in steps["auto-lambda-fleet"].changes[0].kind
    assert stacks.done == []


def test_a_new_stack_is_shown_with_all_that_its_template_has() -> None:
    network = next(part for part in all_parts() if part.name == "network")
    assert Change("Add", "NoInboundTraffic", "AWS::EC2::SecurityGroup") in additions(network)


def test_a_parameter_that_there_is_not_is_refused_with_those_that_there_are(site: FakeSite) -> None:
    with pytest.raises(LaunchRefused, match=r"no parameter of a pipeline: Workers\. There are: .*WorkersMax"):
        choose(site, {"Workers": "3"})


def test_outputs_of_earlier_stacks_are_no_parameters_to_people(site: FakeSite) -> None:
    with pytest.raises(LaunchRefused, match="no parameter of a pipeline: QueueName"):
        choose(site, {"QueueName": "mine"})


def test_draining_waits_for_every_instance(site: FakeSite, groups: FakeGroups) -> None:
    groups.groups += [group("workers", "i-1", "i-2"), group("checker", "i-3", sizes=(1, 1))]
    said: list[str] = []
    drain(site, said.append, sleep=lambda _: None)
    assert groups.calls == ["auto-lambda-workers 0-0", "auto-lambda-checker 0-0"]
    assert not any(one["Instances"] for one in groups.groups)
    assert "i-1" in said[0]


def test_an_instance_that_builds_for_long_is_ended_and_returns_its_builds(site: FakeSite, groups: FakeGroups) -> None:
    groups.groups.append(group("workers", "i-1"))
    groups.protected = True
    drain(site, QUIET, sleep=lambda _: None)
    assert groups.calls == ["auto-lambda-workers 0-0", "end i-1"]


def test_a_replacement_that_was_begun_already_is_waited_for(site: FakeSite, groups: FakeGroups) -> None:
    groups.groups.append(group("workers", "i-1"))
    refresh(site, QUIET, sleep=lambda _: None)
    groups.refreshes[:] = ["InProgress", "Successful"]
    refresh(site, QUIET, sleep=lambda _: None)
    assert groups.refreshes == []


def test_groups_that_were_drained_get_their_sizes_again(site: FakeSite, groups: FakeGroups) -> None:
    groups.groups += [group("workers", sizes=(0, 0)), group("checker", sizes=(0, 0))]
    resize(site, {"WorkersMax": "7", "WorkersMin": "1", "ImageExists": "true"})
    assert groups.calls == ["auto-lambda-workers 1-7", "auto-lambda-checker 1-1"]
    groups.calls.clear()
    resize(site, {"WorkersMax": "7", "WorkersMin": "1", "ImageExists": "true"})
    assert groups.calls == []
    resize(site, {"WorkersMax": "7", "ImageExists": "false"})
    assert groups.calls == ["auto-lambda-workers 0-0", "auto-lambda-checker 0-0"]


def test_instances_are_replaced_only_when_the_version_changes(
    site: FakeSite, stacks: FakeStacks, groups: FakeGroups
) -> None:
    groups.groups += [group("workers", "i-1"), group("checker", sizes=(1, 1))]
    go(site)
    assert "refresh auto-lambda-workers" not in groups.calls
    site.remember(Memory("0.0.1", {}))
    go(site)
    assert groups.calls[-1] == "refresh auto-lambda-workers"  # the checker's group has no instance
    assert site.memory().version != "0.0.1"


def test_a_replacement_that_fails_is_told(site: FakeSite, groups: FakeGroups) -> None:
    groups.groups.append(group("workers", "i-1"))
    groups.refreshes[:] = ["InProgress", "Failed"]
    with pytest.raises(LaunchRefused, match="ended as Failed: no capacity"):
        refresh(site, QUIET, sleep=lambda _: None)


def test_down_leaves_the_core_and_says_what_is_left(site: FakeSite, stacks: FakeStacks) -> None:
    all_there(stacks)
    told = take_down(site, QUIET, sleep=lambda _: None)
    assert stacks.done == [stack_name(PIPELINE, part) for part in reversed(ORDER)][:-1]
    assert list(stacks.there) == ["auto-lambda"]
    text = "\n".join(told)
    for name in ("UploadsBucket-of-core", "ArtifactsBucket-of-core", "LedgerTable-of-core", "WorkerLogs-of-core"):
        assert name in text
    assert "aws cloudformation delete-stack --stack-name auto-lambda" in text
    assert left(site) == told


def test_down_does_not_touch_a_pipeline_in_one_stack(site: FakeSite, stacks: FakeStacks) -> None:
    stacks.there[PIPELINE] = Stack(PIPELINE, "id", "CREATE_COMPLETE", {"WorkerGroup": "w"}, {})
    with pytest.raises(LaunchRefused, match="auto-lambda pipeline upgrade"):
        take_down(site, QUIET)
    assert stacks.done == []


def test_tags_are_given_to_every_stack_and_stay(site: FakeSite, stacks: FakeStacks) -> None:
    given = replace(site, given_tags={"team": "tools"})
    launch(given, {}, review(given, {}, QUIET), QUIET)
    assert stacks.there.keys() == {stack_name(PIPELINE, part) for part in ORDER}
    assert all(stack.tags == {"team": "tools"} for stack in stacks.there.values())
    stacks.there[PIPELINE] = replace(stacks.there[PIPELINE], tags={"team": "tools", "aws:servicecatalog:arn": "x"})
    later = replace(site, given_tags={"cost": "7"})
    assert later.tags() == {"team": "tools", "cost": "7"}


def test_a_value_that_a_template_does_not_admit_is_refused_with_what_it_may_be(site: FakeSite) -> None:
    with pytest.raises(LaunchRefused, match=r"WorkersMax is 'abc': it is a whole number from 0 to 50"):
        choose(site, {"WorkersMax": "abc"})
