"""What is registered and updated, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from ecs_updater.chalicelib.images import Follow
from ecs_updater.chalicelib.model import TRIED, Definition, Service, Unknown
from ecs_updater.chalicelib.plan import TOLD_BY_ECS, Plan, content, images, plan
from ecs_world import arn_of, definition, digest, rollout, service, targets
from hypothesis import given
from hypothesis import strategies as st

ECS: Any = botocore.session.get_session().get_service_model("ecs")
REQUEST = ECS.operation_model("RegisterTaskDefinition").input_shape


def by_arn(*definitions: Definition) -> dict[str, Definition]:
    return {one["taskDefinitionArn"]: one for one in definitions}


def registered(drawn: Plan) -> list[tuple[str, list[str]]]:
    return [(revision.family, images(revision.content)) for revision in drawn.revisions if not revision.arn]


def test_a_new_tag_gives_one_revision_for_all_services_of_a_family() -> None:
    services = [service("web", "shop:1", "acme/shop:x"), service("jobs", "shop:1", "docker.io/acme/shop:x")]
    known = targets(**{"acme/shop:x": "1.1.0", "docker.io/acme/shop:x": "1.1.0"})
    drawn = plan(services, by_arn(definition("shop:1", "acme/shop:1.0.0", "proxy:3")), known, {})
    assert registered(drawn) == [("shop", ["acme/shop:1.1.0", "proxy:3"])]
    assert [(update.service.name, update.revision) for update in drawn.updates] == [("web", 0), ("jobs", 0)]


def test_two_families_with_one_image_are_both_moved() -> None:
    services = [service("web", "web:4", "acme/shop:x"), service("api", "api:7", "acme/shop:x")]
    drawn = plan(
        services,
        by_arn(definition("web:4", "acme/shop:1.0.0"), definition("api:7", "docker.io/acme/shop:1.0.0")),
        targets(**{"acme/shop:x": "2.0.0"}),
        {},
    )
    assert registered(drawn) == [("web", ["acme/shop:2.0.0"]), ("api", ["docker.io/acme/shop:2.0.0"])]


def test_who_has_not_opted_in_is_untouched_even_with_the_same_image_and_family() -> None:
    services = [service("web", "shop:1", "acme/shop:x"), service("other", "shop:1")]
    drawn = plan(services, by_arn(definition("shop:1", "acme/shop:1.0.0")), targets(**{"acme/shop:x": "2.0.0"}), {})
    assert [update.service.name for update in drawn.updates] == ["web"]
    assert services[1].arn not in drawn.verdicts


def test_every_container_of_the_image_moves_and_a_sidecar_that_is_followed_too() -> None:
    followed = service("web", "shop:1", "acme/shop:x acme/proxy:latest")
    drawn = plan(
        [followed],
        by_arn(definition("shop:1", "acme/shop:1.0.0", "acme/shop:1.0.0", "acme/proxy:latest", "redis")),
        targets(**{"acme/shop:x": "1.1.0", "acme/proxy:latest": "latest"}),
        {},
    )
    pinned = f"acme/proxy@{digest('latest')}"
    assert registered(drawn) == [("shop", ["acme/shop:1.1.0", "acme/shop:1.1.0", pinned, "redis"])]


def test_a_tag_that_moves_is_pinned_and_what_already_runs_it_stays() -> None:
    known = targets(**{"acme/shop:latest": "latest", "acme/shop:x": "1.0.0"})
    for now, pattern in ((f"acme/shop@{digest('latest')}", "latest"), (f"acme/shop@{digest('1.0.0')}", "x")):
        drawn = plan([service("web", "shop:2", f"acme/shop:{pattern}")], by_arn(definition("shop:2", now)), known, {})
        assert (drawn.revisions, drawn.updates) == ((), ())


def test_an_equal_revision_is_used_again() -> None:
    before, after = definition("shop:1", "acme/shop:1.0.0"), definition("shop:3", "acme/shop:1.1.0")
    between = definition("shop:2", "acme/shop:1.1.0", cpu="512")
    drawn = plan(
        [service("web", "shop:1", "acme/shop:x")],
        by_arn(before),
        targets(**{"acme/shop:x": "1.1.0"}),
        {"shop": [after, between, before]},
    )
    assert [revision.arn for revision in drawn.revisions] == [arn_of("shop:3")]


def test_what_was_tried_and_taken_back_waits_until_the_tag_moves() -> None:
    before, after = definition("shop:1", "acme/shop:1.0.0"), definition("shop:2", "acme/shop:1.1.0")
    events = (
        (rollout("shop:1").created, "(service web) (deployment ecs-svc/2) deployment failed: tasks failed to start."),
    )
    back = service("web", "shop:1", "acme/shop:x", tags={TRIED: "shop:2"}, events=events)
    recent = {"shop": [after, before]}
    drawn = plan([back], by_arn(before), targets(**{"acme/shop:x": "1.1.0"}), recent)
    assert drawn.updates == ()
    verdict = drawn.verdicts[back.arn]
    assert verdict.failed == "shop:2"
    assert "tasks failed to start" in verdict.why
    moved = plan([back], by_arn(before), targets(**{"acme/shop:x": "1.2.0"}), recent)
    assert registered(moved) == [("shop", ["acme/shop:1.2.0"])]


def test_a_failed_deployment_without_a_rollback_is_told() -> None:
    on = service("web", "shop:2", "acme/shop:x", deployments=(rollout("shop:2", "FAILED", reason="breaker"),))
    drawn = plan([on], by_arn(definition("shop:2", "acme/shop:1.1.0")), targets(**{"acme/shop:x": "1.1.0"}), {})
    assert drawn.verdicts[on.arn].failed == "shop:2"
    assert "breaker" in drawn.verdicts[on.arn].why


def test_a_deployment_that_does_not_go_on_is_told_with_what_ecs_says() -> None:
    said = "(service web) was unable to place a task. Reason: Capacity is unavailable at this time."
    events = ((rollout("shop:2").created, said), (rollout("shop:2").created, "(service web) has started 1 tasks."))
    on = service("web", "shop:2", "acme/shop:x", running=1, deployments=(rollout("shop:2"),), events=events)
    drawn = plan([on], by_arn(definition("shop:2", "acme/shop:1.1.0")), targets(**{"acme/shop:x": "1.1.0"}), {})
    assert drawn.verdicts[on.arn].why == f"being deployed: 1 of 2 run ({said})"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ({"controller": "CODE_DEPLOY"}, "CodeDeploy"),
        ({"controller": "EXTERNAL"}, "external"),
        ({"strategy": "BLUE_GREEN"}, "blue/green"),
        ({"strategy": "CANARY"}, "canary"),
        ({"daemon": True}, "daemon"),
    ],
)
def test_what_is_not_rolling_is_left_alone_with_a_reason(kind: dict[str, Any], why: str) -> None:
    one = service("web", "shop:1", "acme/shop:x", **kind)
    drawn = plan([one], by_arn(definition("shop:1", "acme/shop:1.0.0")), targets(**{"acme/shop:x": "2.0.0"}), {})
    assert (drawn.revisions, drawn.updates) == ((), ())
    assert drawn.verdicts[one.arn].why.startswith("left alone")
    assert why in drawn.verdicts[one.arn].why


def test_bad_input_has_a_reason_each_and_nothing_is_touched() -> None:
    definitions = by_arn(definition("shop:1", "acme/shop:1.0.0"))
    late = {Follow.parse("acme/shop:x"): Unknown("the registry cannot be asked", late=True)}
    for one, known, why in (
        (service("web", "shop:1", "acme/shop"), {}, "says no tag"),
        (service("web", "shop:1", "acme/shop:1 acme/shop:2"), {}, "twice"),
        (service("web", None, "acme/shop:x"), {}, "no task definition"),
        (service("web", "shop:9", "acme/shop:x"), {}, "shop:9 does not exist"),
        (service("web", "shop:1", "acme/blog:x"), {}, "no container of shop:1 uses docker.io/acme/blog"),
        (service("web", "shop:1", "acme/shop:x"), {Follow.parse("acme/shop:x"): Unknown("no such tag")}, "no such tag"),
        (service("web", "shop:1", "acme/shop:x"), late, "cannot be asked"),
    ):
        drawn = plan([one], definitions, known, {})
        assert (drawn.revisions, drawn.updates) == ((), ())
        assert why in drawn.verdicts[one.arn].why
    assert not plan([service("web", "shop:1", "acme/shop:x")], definitions, late, {}).verdicts[one.arn].behind


# ------------------------------------------------------------------------------------------- properties

VERSIONS = [f"1.{minor}.0" for minor in range(3)]
REPOSITORIES = ["acme/shop", "docker.io/acme/shop", "ghcr.io/acme/api", "h:5000/web"]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Service], list[Definition], dict[str, str]]:
    definitions = []
    for name in ("a", "b"):
        for number in range(1, draw(st.integers(1, 3)) + 1):
            used = draw(st.lists(st.sampled_from(REPOSITORIES), min_size=1, max_size=3))
            written = [f"{one}:{draw(st.sampled_from(VERSIONS))}" for one in used]
            definitions.append(definition(f"{name}:{number}", *written, cpu=str(draw(st.sampled_from([256, 512])))))
    names = [one["taskDefinitionArn"].rpartition("/")[2] for one in definitions]
    services = []
    for index in range(draw(st.integers(1, 4))):
        follow = draw(st.sampled_from(["", *(f"{one}:x" for one in REPOSITORIES)]))
        services.append(service(f"s{index}", draw(st.sampled_from(names)), follow))
    return services, definitions, {f"{one}:x": draw(st.sampled_from(VERSIONS)) for one in REPOSITORIES}


def carried_out(
    drawn: Plan, services: list[Service], definitions: list[Definition]
) -> tuple[list[Service], list[Definition]]:
    """The world once a plan was carried out, as ECS would have it."""
    arns, after = [], list(definitions)
    for revision in drawn.revisions:
        number = 1 + max(one["revision"] for one in after if one["family"] == revision.family)
        made = {**definition(f"{revision.family}:{number}"), **revision.content}
        arns.append(revision.arn or made["taskDefinitionArn"])
        after += [] if revision.arn else [made]
    moved = {update.service.arn: arns[update.revision] for update in drawn.updates}
    return [replace(one, definition=moved.get(one.arn, one.definition)) for one in services], after


def newest_first(definitions: list[Definition]) -> dict[str, list[Definition]]:
    families = {one["family"] for one in definitions}
    return {
        name: sorted((d for d in definitions if d["family"] == name), key=lambda d: -d["revision"]) for name in families
    }


@given(worlds())
def test_a_plan_is_idempotent_touches_only_its_own_and_changes_images_alone(
    world: tuple[list[Service], list[Definition], dict[str, str]],
) -> None:
    services, definitions, tags = world
    known = targets(**tags)
    drawn = plan(services, by_arn(*definitions), known, newest_first(definitions))
    assert all(update.service.follows() for update in drawn.updates), "touches nothing that did not opt in"
    for update in drawn.updates:
        before = content(by_arn(*definitions)[update.service.definition or ""])
        after = content(drawn.revisions[update.revision].content)
        assert bare(before) == bare(after), "equal but for the image"
        assert before != after
    contents = [(revision.family, repr(revision.content)) for revision in drawn.revisions]
    assert len(set(contents)) == len(contents), "no second revision"
    services, after_all = carried_out(drawn, services, definitions)
    again = plan(services, by_arn(*after_all), known, newest_first(after_all))
    assert (again.revisions, again.updates) == ((), ()), "idempotent"


@given(worlds(), st.integers(0, 3))
def test_a_plan_that_was_cut_short_goes_on_with_the_same_revisions(
    world: tuple[list[Service], list[Definition], dict[str, str]], done: int
) -> None:
    services, definitions, tags = world
    known = targets(**tags)
    whole = plan(services, by_arn(*definitions), known, newest_first(definitions))
    cut = replace(whole, revisions=whole.revisions[:done], updates=())
    services, halfway = carried_out(cut, services, definitions)
    rest = plan(services, by_arn(*halfway), known, newest_first(halfway))
    _, end = carried_out(rest, services, halfway)
    new = len([revision for revision in whole.revisions if not revision.arn])
    assert len(end) == len(definitions) + new


def bare(definition: Definition) -> Definition:
    containers = [{**one, "image": ""} for one in definition["containerDefinitions"]]
    return {**definition, "containerDefinitions": containers}


# --------------------------------------------------------------------------- the shape of a definition


def example_of(shape: Any, seen: tuple[str, ...] = ()) -> Any:
    """A value that uses every member of a shape."""
    match shape.type_name:
        case "structure":
            return {name: example_of(inner, (*seen, name)) for name, inner in shape.members.items() if name not in seen}
        case "list":
            return [example_of(shape.member, seen)]
        case "map":
            return {"key": example_of(shape.value, seen)}
        case "string":
            return shape.enum[0] if getattr(shape, "enum", None) else "text"
        case "timestamp":
            return "2026-11-28"
    return {"integer": 7, "long": 7, "boolean": True, "double": 1.5, "float": 1.5}[shape.type_name]


EVERYTHING = example_of(ECS.shape_for("TaskDefinition"))


@pytest.mark.parametrize("name", sorted(ECS.shape_for("TaskDefinition").members))
def test_each_field_that_ecs_returns_and_accepts_is_kept(name: str) -> None:
    assert (name in content(EVERYTHING)) == (name in REQUEST.members)
    assert content(EVERYTHING).get(name, EVERYTHING[name]) == EVERYTHING[name]


def test_ecs_accepts_what_is_kept_and_nothing_else_is_left_out() -> None:
    assert not ParamValidator().validate(content(EVERYTHING), REQUEST).has_errors()
    assert REQUEST.members.keys() - content(EVERYTHING).keys() == {"tags"}
    assert ECS.shape_for("TaskDefinition").members.keys() - REQUEST.members.keys() == TOLD_BY_ECS
