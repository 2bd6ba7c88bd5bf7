"""Whatever fails, whoever dies, whatever CloudFormation rolls back: users get what has answered, and nothing else.

The deployer is the real one, AWS is simulated. Its twin, which lets the stack go first, is caught.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from drafts import HELLO, Maker, rest_template
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated_aws import Killed, Misled, SimulatedFunctions, SimulatedStacks, SimulatedStore, World

from auto_lambda.aws.cloudformation import DeployResult
from auto_lambda.errors import AppError
from worker.bundle import pointers
from worker.deploy import DeployContext, Deployer
from worker.deploy.switch.switchover import ExpandedStack
from worker.model import Bundle
from worker.outcome import Failed

FAULTS = st.dictionaries(st.integers(1, 9), st.sampled_from(["die before", "die after", "roll back"]), max_size=4)
DROPS = st.lists(st.tuples(st.sampled_from(["white", "black", "routes", "bad"]), FAULTS), min_size=1, max_size=4)


@cache
def maker() -> Maker:
    return Maker(Path(tempfile.mkdtemp()))


@cache
def bundle(kind: str) -> Bundle:
    template = rest_template()
    if kind == "routes":
        template["Resources"]["Rest"]["Properties"]["Body"]["info"]["version"] = "2"
    return maker().bundle(template, HELLO.replace('"white"', f'"{kind}"'))


class StackFirst(Deployer):
    """The twin: brings the stack in line with versions that nobody has asked."""

    def _switched(self, bundle: Bundle, found: ExpandedStack, context: DeployContext) -> DeployResult:
        versions = self._switchover.publish(bundle, found, context.log)
        self._switchover.front(bundle, found, versions, context)
        return super()._switched(bundle, found, context)


def deployer(world: World, kind: type[Deployer] = Deployer) -> Deployer:
    stacks = SimulatedStacks(world, json.loads)
    store, functions = SimulatedStore(world), SimulatedFunctions(world)
    made = kind(store, stacks, functions, maker().surroundings, sleep=lambda _: None)  # type: ignore[arg-type]
    made._verifier.verify = lambda *_: None  # type: ignore[method-assign]
    return made


class Worker:
    """Drops releases as the pipeline does: whoever takes over knows how a release has failed."""

    def __init__(self, world: World, kind: type[Deployer]) -> None:
        self._world = world
        self._deployer = deployer(world, kind)
        self.live: Bundle | None = None

    def drop(self, wanted: Bundle) -> None:
        known: AppError | None = None

        @contextmanager
        def effect(step: str) -> Iterator[None]:
            nonlocal known
            try:
                yield
            except AppError as error:
                known = error if step != "expand" else known
                raise

        context = DeployContext(lambda _: None, effect=effect)
        previous = self.live.template_key if self.live else None
        while True:
            try:
                done = self._deployer.deploy(wanted, maker().access, previous, context, known)
            except Killed:
                continue
            except AppError:
                return
            if not isinstance(done, Failed):
                self.live = wanted
            return


def play(drops: list[tuple[str, dict[int, str]]], kind: type[Deployer] = Deployer) -> None:
    world = World()
    release = pointers.release_of(bundle("bad").template, "Api")
    assert release
    world.bad.add(release.code_sha256)
    worker = Worker(world, kind)
    for name, faults in drops:
        world.faults = {world.changes + at: fault for at, fault in faults.items()}
        worker.drop(bundle(name))
        world.look()
        world.faults = {}
        if worker.live:
            assert serves(world, worker.live)
    worker.drop(bundle("black"))
    assert worker.live is bundle("black")
    assert serves(world, bundle("black"))
    assert world.stack
    assert world.stack.parameters["AutoLambdaVersionApi"] == world.alias
    assert world.template == bundle("black").template


def serves(world: World, wanted: Bundle) -> bool:
    release = pointers.release_of(wanted.template, "Api")
    assert release
    assert world.alias
    variables = world.versions[world.alias].settings["Environment"]["Variables"]
    return bool(variables["AUTO_LAMBDA_RELEASE"] == release.stamp)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DROPS)
def test_users_get_only_what_has_answered(drops: list[tuple[str, dict[int, str]]]) -> None:
    play(drops)


def test_the_twin_is_caught() -> None:
    with pytest.raises(Misled):
        play([("white", {}), ("bad", {})], StackFirst)
