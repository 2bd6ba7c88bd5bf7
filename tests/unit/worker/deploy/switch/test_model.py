"""Whatever fails, whoever dies, whatever CloudFormation rolls back: users get what has answered, and nothing else.

The deployer is the real one, AWS is simulated. Its twin, which lets the stack go first, is caught.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import cache
from itertools import chain, repeat
from pathlib import Path

import pytest
from drafts import APP, HELLO, Maker, resource, rest_template
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated_aws import Killed, Misled, SimulatedFunctions, SimulatedStacks, SimulatedStore, World, state_of

from auto_lambda.aws.cloudformation import DeployResult
from auto_lambda.errors import AppError
from worker.bundle import pointers
from worker.deploy.context import DeployContext
from worker.deploy.deployer import Deployer
from worker.deploy.outlook import Outlook
from worker.deploy.switch.rollout import Rollout
from worker.deploy.switch.switchover import ExpandedStack
from worker.deploy.switch.versions import is_of
from worker.model import Bundle
from worker.outcome import Failed

CODE = {"white", "black", "bad"}
KINDS = [*sorted(CODE), "slow", "routes", "queue", "bad queue"]
FAULT = st.sampled_from(["die before", "die after", "refuse", "roll back"])
FAULTS = st.dictionaries(st.integers(1, 9), FAULT, max_size=4)
DROPS = st.lists(st.tuples(st.sampled_from(KINDS), FAULTS), min_size=1, max_size=4)
LOOKS = st.lists(st.sampled_from(["never", "now", "long ago"]), max_size=5)
"""When a worker has read what is there: for each drop, ``now`` without an entry."""
HANDS = st.lists(st.sampled_from(["nothing", "change", "publish"]), max_size=5)
"""What somebody does by hand after each drop."""


@cache
def maker() -> Maker:
    return Maker(Path(tempfile.mkdtemp()))


@cache
def bundle(kind: str) -> Bundle:
    """A release. One with a queue needs more than calls to Lambda before it is live."""
    template = rest_template(Timeout=7) if kind == "slow" else rest_template()
    if kind not in CODE:
        template["Resources"]["Rest"]["Properties"]["Body"]["info"]["version"] = kind
    if "queue" in kind:
        template["Resources"]["Queue"] = resource("SQS::Queue")
    return maker().bundle(template, HELLO.replace('"white"', f'"{kind}"'))


class StackFirst(Rollout):
    def lead(self, bundle: Bundle, found: ExpandedStack, context: DeployContext) -> DeployResult:
        versions = self.switchover.publish(bundle, found, context.log)
        self.switchover.front(bundle, found, versions, context)
        return super().lead(bundle, found, context)


def stack_first(deployer: Deployer) -> None:
    """A twin: bring the stack in line with versions that nobody has asked."""
    rollout = deployer._rollout
    deployer._rollout = StackFirst(*(getattr(rollout, it.name) for it in fields(rollout)))


def switched_at_once(deployer: Deployer) -> None:
    """A twin: lead users to what was made past the stack before it is asked."""
    switchover = deployer._rollout.switchover
    expand = switchover.expand

    def expanded(bundle: Bundle, context: DeployContext) -> ExpandedStack:
        found = expand(bundle, context)
        if found.past_stack:
            switchover.switch(found, found.past_stack, context.log)
        return found

    switchover.expand = expanded  # type: ignore[method-assign]


def never_settled(deployer: Deployer) -> None:
    """A twin: rely on CloudFormation to set back what it has not changed."""
    deployer._stack.settle = lambda *_: None  # type: ignore[method-assign]
    deployer._stack.undo_drift = lambda *_: None  # type: ignore[method-assign]


Spoil = Callable[[Deployer], None]


def deployer(world: World, spoil: Spoil) -> Deployer:
    stacks = SimulatedStacks(world, json.loads)
    store, functions = SimulatedStore(world), SimulatedFunctions(world)
    made = Deployer(store, stacks, functions, maker().surroundings, sleep=lambda _: None)  # type: ignore[arg-type]
    made._verifier.verify = lambda *_: None  # type: ignore[method-assign]
    spoil(made)
    return made


class Worker:
    """Drops releases as the pipeline does: whoever takes over knows how a release has failed."""

    def __init__(self, world: World, spoil: Spoil) -> None:
        self._world = world
        self._deployer = deployer(world, spoil)
        self._seen_before: Outlook | None = None
        self.live: Bundle | None = None

    def drop(self, wanted: Bundle, look: str = "now") -> None:
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
        long_ago, self._seen_before = self._seen_before, self._deployer.look(APP, None)
        while True:
            seen = self._deployer.look(APP, previous) if look == "now" else None
            context = replace(context, outlook=long_ago if look == "long ago" else seen)
            try:
                done = self._deployer.deploy(wanted, maker().access, previous, context, known)
            except Killed:
                continue
            except AppError:
                return
            if not isinstance(done, Failed):
                self.live = wanted
            return


def play(
    drops: list[tuple[str, dict[int, str]]],
    spoil: Spoil = lambda _: None,
    looks: Sequence[str] = (),
    hands: Sequence[str] = (),
) -> World:
    world = World()
    for release in (pointers.release_of(bundle(kind).template, "Api") for kind in ("bad", "bad queue")):
        assert release
        world.bad.add(release.code_sha256)
    worker = Worker(world, spoil)
    for (name, faults), look, hand in zip(  # noqa: B905 - two of them are endless
        drops, chain(looks, repeat("now")), chain(hands, repeat("nothing"))
    ):
        world.faults = {world.changes + at: fault for at, fault in faults.items()}
        worker.drop(bundle(name), look)
        world.look()
        world.faults = {}
        if worker.live:
            assert serves(world, worker.live)
        if hand != "nothing":
            world.change_by_hand(publish=hand == "publish")
    worker.drop(bundle("black"))
    assert worker.live is bundle("black")
    assert serves(world, bundle("black"))
    assert world.stack
    assert world.stack.parameters["AutoLambdaVersionApi"] == world.alias
    assert world.template == bundle("black").template
    assert in_line(world), "what the function is now is what the stack says"
    return world


def in_line(world: World) -> bool:
    return bool(world.template and world.latest == state_of(world.template["Resources"]["Api"]["Properties"]))


def serves(world: World, wanted: Bundle) -> bool:
    release = pointers.release_of(wanted.template, "Api")
    assert release
    assert world.alias
    return is_of(world.versions[world.alias], release)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DROPS, LOOKS, HANDS)
def test_users_get_only_what_has_answered(
    drops: list[tuple[str, dict[int, str]]], looks: list[str], hands: list[str]
) -> None:
    play(drops, looks=looks, hands=hands)


@pytest.mark.parametrize("hand", ["change", "publish"])
@pytest.mark.parametrize("fault", ["refuse", "roll back"])
def test_no_release_goes_back_to_what_somebody_has_published_by_hand(hand: str, fault: str) -> None:
    """Not where it has not answered, nor where the stack fails once users are led to it."""
    play([("white", {}), ("bad", {})], hands=[hand])
    play([("white", {}), ("black", {3: fault})], hands=[hand])
    play([("white", {}), ("routes", {}), ("bad queue", {})], hands=[hand, hand])


@pytest.mark.parametrize("hand", ["change", "publish"])
def test_a_change_by_hand_is_undone_where_a_stack_did_not_get_back(hand: str) -> None:
    play([("bad", {}), ("routes", {}), ("bad queue", {4: "roll back"})], hands=["nothing", "change", hand])


def test_what_has_changed_since_it_was_looked_at_is_looked_at_again() -> None:
    world = play([("white", {}), ("black", {}), ("white", {})], looks=["now", "now", "long ago"])
    assert "publish_code" in world.told


@pytest.mark.parametrize("spoil", [stack_first, switched_at_once])
def test_twins_that_lead_users_to_what_has_not_answered_are_caught(spoil: Spoil) -> None:
    with pytest.raises(Misled):
        play([("white", {}), ("bad", {})], spoil)


def test_a_twin_that_leaves_it_to_cloudformation_to_set_a_function_back_is_caught() -> None:
    """The stack has the template of black already when black is dropped again: it compares no functions."""
    play([("black", {}), ("bad", {})])
    with pytest.raises(AssertionError, match="is what the stack says"):
        play([("black", {}), ("bad", {})], never_settled)


def test_a_change_of_code_needs_no_update_of_the_stack_before_it_is_live() -> None:
    world = play([("white", {})])
    assert world.told[-3:] == ["publish_code", "point", "deploy"]


def test_a_release_whose_version_exists_is_live_by_one_call() -> None:
    world = play([("black", {}), ("white", {})])
    assert world.told[-2:] == ["point", "deploy"]
