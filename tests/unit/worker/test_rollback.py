"""Which release a rollback makes live again, and where the next one leads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from attempt_world import APP_ERROR, NOON, RELEASE, SHOP, SHOP_ZIP, World, deliver, fail, upload

from worker.records.retention import RetentionRecords


@pytest.fixture
def world() -> World:
    return World()


def drop(world: World, version: str, back_to: str | None = None) -> None:
    """Make a version the newest one, an ordinary one or a rollback, and deliver it."""
    world.newest[SHOP_ZIP] = version
    if back_to:
        world.rollbacks[version] = back_to
    deliver(world, upload(version))


def rollback_target(world: World) -> Any:
    return world.receipt["serving"]["before"]


def test_a_rollback_takes_the_release_of_the_version_that_it_names(world: World) -> None:
    drop(world, "v1")
    drop(world, "v2")
    drop(world, "v3", back_to="v1")
    assert world.rollback_releases[-1] == replace(RELEASE, object_version="v3", timings={}, warnings=())
    live = world.record().live
    assert live
    assert (live.object_version, live.template_key) == ("v3", "bundles/v1.json")
    assert (world.receipt["rollback"], world.receipt["upload"]["version"]) == ("v1", "v3")
    assert world.ledger.history(SHOP, 1)[0].rollback == "v1"


def test_a_second_rollback_goes_further_back_and_not_forth_again(world: World) -> None:
    for version in ("v1", "v2", "v3"):
        drop(world, version)
    assert rollback_target(world) == "v2"
    drop(world, "v4", back_to="v2")
    assert rollback_target(world) == "v1"
    drop(world, "v5", back_to="v1")
    assert rollback_target(world) is None
    drop(world, "v6", back_to="v4")
    assert (world.rollback_releases[-1] or RELEASE).template_key == "bundles/v2.json"
    assert rollback_target(world) == "v1"


def test_a_new_drop_after_a_rollback_leads_back_to_it(world: World) -> None:
    drop(world, "v1")
    drop(world, "v2")
    drop(world, "v3", back_to="v1")
    drop(world, "v4")
    assert rollback_target(world) == "v3"


def test_the_same_release_once_more_leads_where_it_led_before(world: World) -> None:
    drop(world, "v1")
    drop(world, "v2")
    world.templates["v3"] = "bundles/v2.json"
    drop(world, "v3")
    assert rollback_target(world) == "v1"


def test_a_rollback_that_failed_leaves_where_one_leads_as_it_was(world: World) -> None:
    drop(world, "v1")
    drop(world, "v2")
    world.trouble = fail(APP_ERROR)
    drop(world, "v3", back_to="v1")
    assert world.receipt["status"] == "failed"
    assert rollback_target(world) == "v1"


def test_a_version_that_never_went_live_is_built_anew_and_the_receipt_says_so(world: World) -> None:
    drop(world, "v1")
    world.trouble = fail(APP_ERROR)
    drop(world, "v2")
    world.trouble = lambda _: None
    drop(world, "v3", back_to="v2")
    assert world.rollback_releases[-1] is None
    assert world.receipt["status"] == "live"
    assert any("v2" in warning and "built anew" in warning for warning in world.receipt["warnings"])


def test_a_rollback_finds_no_release_of_another_app(world: World) -> None:
    world.newest["apps/dev/blog.zip"] = "b1"
    deliver(world, upload("b1", name="blog"))
    drop(world, "v1", back_to="b1")
    assert world.rollback_releases[-1] is None
    assert world.receipt["warnings"]


def test_who_goes_on_with_a_rollback_leads_to_the_same(world: World) -> None:
    for version in ("v1", "v2", "v3"):
        drop(world, version)
    world.in_deploy = lambda: (_ for _ in ()).throw(OSError("throttled"))
    with pytest.raises(OSError, match="throttled"):
        drop(world, "v4", back_to="v2")
    world.in_deploy = lambda: None
    deliver(world, upload("v4"))
    assert (world.resumed[-1] or RELEASE).template_key == "bundles/v2.json"
    assert (world.receipt["status"], rollback_target(world)) == ("live", "v1")


def test_what_was_live_long_ago_is_still_known(world: World) -> None:
    drop(world, "v1")
    world.table.items_ = {key: item for key, item in world.table.items_.items() if "expires" not in item}
    drop(world, "v2")
    drop(world, "v3", back_to="v1")
    assert (world.rollback_releases[-1] or RELEASE).template_key == "bundles/v1.json"
    assert not world.receipt["warnings"]


def test_a_rollback_to_something_unknown_does_not_lead_forth_again(world: World) -> None:
    drop(world, "v2")
    drop(world, "v3", back_to="v0")
    assert rollback_target(world) is None


def test_a_rollback_to_a_collected_release_says_so_and_builds_anew(world: World) -> None:
    for version in ("v1", "v2"):
        drop(world, version)
    records = RetentionRecords(world.table, "w")
    releases = records.releases(SHOP)
    assert records.collect(SHOP, world.record().lease, releases, ["v1"], NOON)
    drop(world, "v3", back_to="v1")
    assert world.rollback_releases[-1] is None
    assert world.built[-1] == "v3"
    (warning,) = (it for it in world.receipt["warnings"] if "asked for again" in it)
    assert "its release was collected on 2026-01-02" in warning
    assert world.receipt["status"] == "live"


def test_what_goes_live_or_is_removed_is_due_for_collection(world: World) -> None:
    drop(world, "v1")
    records = RetentionRecords(world.table, "w")
    (due,) = records.due()
    assert (due.app, due.when) == (SHOP, NOON)
    records.done(due, None)
    assert records.due() == []
