from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.local_stack.fargate.plan import (
    Drain,
    FargateService,
    FargateTask,
    Kill,
    Phase,
    StartTask,
    Terminate,
    plan,
    told,
)

SERVICE = FargateService("service", "shop:1", 2, group="group", grace=5, delay=10)


@dataclass
class World:
    """Processes that become healthy when it is told so."""

    services: list[FargateService]
    tasks: dict[str, FargateTask] = field(default_factory=dict)
    failures: dict[tuple[str, str], int] = field(default_factory=dict)
    now: float = 0.0
    made: int = 0

    def tick(self) -> None:
        for action in plan(self.services, list(self.tasks.values()), self.failures, self.now):
            match action:
                case StartTask(service):
                    self.made += 1
                    self.tasks[str(self.made)] = FargateTask(str(self.made), service, Phase.RUNNING, self.now)
                case Drain(task, failed):
                    if failed:
                        key = (task.service.arn, task.service.definition)
                        self.failures[key] = self.failures.get(key, 0) + 1
                    self.tasks[task.id] = replace(task, phase=Phase.DRAINING, since=self.now)
                case Terminate(task):
                    self.tasks[task.id] = replace(task, phase=Phase.STOPPING, since=self.now)
                case Kill(task):
                    del self.tasks[task.id]

    def become(self, health: str, name: str) -> None:
        if name in self.tasks:
            self.tasks[name] = replace(self.tasks[name], health=health)

    def all_become(self, health: str) -> None:
        for name in self.tasks:
            self.become(health, name)

    def healthy(self) -> int:
        return sum(task.healthy for task in self.tasks.values())

    def revisions(self) -> list[str]:
        return sorted(one.service.definition for one in self.tasks.values() if one.phase is Phase.RUNNING)


def settled(service: FargateService = SERVICE) -> World:
    world = World([service])
    world.tick()
    world.all_become("healthy")
    world.tick()
    return world


def test_missing_tasks_are_started_and_no_more() -> None:
    world = settled()
    assert world.revisions() == ["shop:1", "shop:1"]
    assert told(SERVICE, world.tasks.values(), 0) == "stable 2 shop:1"


def test_old_tasks_leave_one_by_one_as_new_ones_become_healthy() -> None:
    world = settled()
    world.services = [replace(SERVICE, definition="shop:2")]
    world.tick()
    assert world.revisions() == ["shop:1", "shop:1", "shop:2", "shop:2"]
    world.become("healthy", "3")
    world.tick()
    assert world.revisions() == ["shop:1", "shop:2", "shop:2"]
    assert told(world.services[0], world.tasks.values(), 0) == "moving 1 of 2 shop:2"
    world.become("healthy", "4")
    world.tick()
    assert world.revisions() == ["shop:2", "shop:2"]
    assert told(world.services[0], world.tasks.values(), 0) == "stable 2 shop:2"


def test_a_task_that_leaves_has_its_delay_then_its_stop_timeout() -> None:
    world = settled()
    world.services = []
    world.tick()
    assert {task.phase for task in world.tasks.values()} == {Phase.DRAINING}
    world.now = SERVICE.delay
    world.tick()
    assert {task.phase for task in world.tasks.values()} == {Phase.STOPPING}
    world.now += 29
    world.tick()
    assert len(world.tasks) == 2
    world.now += 1
    world.tick()
    assert world.tasks == {}


def test_a_sick_task_is_replaced_after_its_grace() -> None:
    world = settled()
    world.become("unhealthy", "1")
    world.tick()
    assert world.revisions() == ["shop:1", "shop:1"]
    world.now = 6
    world.tick()
    assert world.tasks["1"].phase is Phase.DRAINING
    assert world.failures == {("service", "shop:1"): 1}


def test_after_three_failures_no_more_are_started() -> None:
    world = World([SERVICE], failures={("service", "shop:1"): 3})
    world.tick()
    assert world.tasks == {}
    assert told(SERVICE, [], 3).startswith("failed shop:1 3 tasks")


def test_without_a_load_balancer_a_task_that_runs_is_healthy() -> None:
    service = replace(SERVICE, group="")
    world = World([service])
    world.tick()
    assert told(service, world.tasks.values(), 0) == "stable 2 shop:1"


changes = st.one_of(
    st.tuples(st.just("count"), st.integers(1, 5)),
    st.tuples(st.just("revision"), st.integers(1, 3)),
    st.tuples(st.just("healthy"), st.integers(1, 40)),
    st.tuples(st.just("time"), st.integers(0, 50)),
)


@given(st.lists(changes, max_size=40))
def test_what_served_is_never_fewer_than_wanted_and_in_the_end_all_is_as_wanted(
    steps: list[tuple[str, int]],
) -> None:
    world = settled()
    for what, number in steps:
        (service,) = world.services
        before = world.healthy()
        if what == "count":
            world.services = [replace(service, desired=number)]
        elif what == "revision":
            world.services = [replace(service, definition=f"shop:{number}")]
        elif what == "healthy":
            world.become("healthy", str(number))
        else:
            world.now += number
        world.tick()
        assert world.healthy() >= min(before, world.services[0].desired)
    for _ in range(4):
        world.all_become("healthy")
        world.now += 100
        world.tick()
    (service,) = world.services
    assert world.revisions() == [service.definition] * service.desired
    assert len(world.tasks) == service.desired
