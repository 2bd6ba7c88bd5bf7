"""Whatever ends for good is told outside: after it is recorded, never instead of it, and never by chance only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from attempt_world import APP_ERROR, NOON, SHOP, SHOP_ZIP, World, deliver, fail, upload
from event_bus import checked

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import Dropper
from worker.consumer.messages import InvalidKey
from worker.records.outbox import PARTITION

ANA = Dropper("AWS:AROA1:ana", "192.0.2.7")
SHA = "9f2c1a7b" * 5


@pytest.fixture
def world() -> World:
    return World()


def stored(world: World) -> list[dict[str, Any]]:
    """The events that the ledger holds, in the order of their times."""
    return [checked(str(item["detail"])) for item in world.table.items(PARTITION)]


def told(world: World) -> dict[str, Any]:
    """The last of them."""
    return stored(world)[-1]


def live(world: World) -> None:
    deliver(world, upload())


def rolled_back(world: World) -> None:
    deliver(world, upload())
    world.newest[SHOP_ZIP], world.rollbacks["v2"] = "v2", "v1"
    deliver(world, upload("v2"))


def failed(world: World) -> None:
    world.trouble = fail(APP_ERROR)
    deliver(world, upload())


def waiting(world: World) -> None:
    world.waits = AppError(Code.NEEDS_APPROVAL, "more rights", hint="ask")
    deliver(world, upload())


def superseded(world: World) -> None:
    def newer(_: object) -> None:
        world.newest[SHOP_ZIP] = "v2"

    world.trouble = newer
    deliver(world, upload())


def undeployed(world: World) -> None:
    deliver(world, upload())
    del world.newest[SHOP_ZIP]
    world.seconds += 1
    deliver(world, replace(upload("marker"), removed=True), undeploys=True)


@pytest.mark.parametrize(
    ("drop", "outcome", "detail_type", "status"),
    [
        (live, "live", "App Live", "live"),
        (rolled_back, "rolled-back", "App Rolled Back", "live"),
        (failed, "failed", "App Failed", "failed"),
        (waiting, "needs-approval", "App Needs Approval", "failed"),
        (superseded, "superseded", "App Superseded", "superseded"),
        (undeployed, "undeployed", "App Undeployed", "superseded"),
    ],
)
def test_each_final_receipt_has_its_event(
    world: World, drop: Callable[[World], None], outcome: str, detail_type: str, status: str
) -> None:
    drop(world)
    detail = next(it for it in stored(world) if it["outcome"] == outcome)
    assert detail["status"] == status == world.receipt["status"]
    world.seconds += 60
    world.outbox.send_left_over()
    assert detail_type in {entry.detail_type for entry in world.bus.entries}


def test_it_tells_who_what_where_and_when(world: World) -> None:
    world.metadata = {"commit": SHA, "repository": "acme/shop", "other": "x"}
    deliver(world, replace(upload(), by=ANA))
    detail = told(world)
    assert (detail["app"], detail["stage"]) == ("shop", "dev")
    assert detail["by"] == {"principal": "AWS:AROA1:ana", "address": "192.0.2.7"}
    assert (detail["commit"], detail["repository"]) == (SHA, "acme/shop")
    assert (detail["function"], detail["version"], detail["alias"]) == ("shop-dev", "2", "live")
    assert detail["upload"]["bucket"] == "drops"
    assert (detail["upload"]["key"], detail["upload"]["version"]) == (SHOP_ZIP, "v1")
    assert detail["receipt"] == {"bucket": "drops", "key": "apps/dev/shop.receipt.json"}
    assert detail["log"] == {"bucket": "drops", "key": "apps/dev/shop.log"}
    assert (detail["worker"], set(detail["timings"])) == ("w", {"build", "deploy"})
    assert detail["times"] == dict.fromkeys(("sent", "started", "ended"), NOON.isoformat())


def test_what_it_shares_with_the_receipt_says_the_same(world: World) -> None:
    world.metadata = {"commit": SHA}
    deliver(world, replace(upload(), by=ANA))
    detail = told(world)
    same = set(detail) & set(world.receipt) - {"log", "upload"}
    assert len(same) > 15
    assert {name: detail[name] for name in same} == {name: world.receipt[name] for name in same}
    assert world.receipt["upload"].items() <= detail["upload"].items()


def test_a_commit_that_is_none_is_not_passed_on(world: World) -> None:
    world.metadata = {"commit": "../../user", "repository": "a b"}
    deliver(world, upload())
    assert (told(world)["commit"], told(world)["repository"]) == (None, None)


def test_a_key_that_names_no_app_is_told_too_however_often_with_the_same_id(world: World) -> None:
    key = InvalidKey("drops", "apps/Über.zip", "v7", 7, "it has letters that names have not")
    for _ in range(2):
        deliver(world, invalid_keys=(key,))
    first, *more = stored(world)
    assert (first["outcome"], first["error"]["code"], first["app"]) == ("failed", "bad-key", None)
    assert {it["id"] for it in more} <= {first["id"]}


def test_what_comes_back_is_no_end(world: World) -> None:
    world.trouble = fail(OSError("disk full"))
    with pytest.raises(OSError, match="disk full"):
        deliver(world, upload())
    assert stored(world) == []


def test_a_duplicate_is_told_once_and_a_second_attempt_again(world: World) -> None:
    failed(world)
    deliver(world, upload())
    assert len(stored(world)) == 1
    world.seconds += 1
    deliver(world, replace(upload(), redrive="again"))
    assert len({it["id"] for it in stored(world)}) == 2


def test_without_a_bus_nothing_is_kept(world: World) -> None:
    world.told = False
    deliver(world, upload(), invalid_keys=(InvalidKey("drops", "apps/Ü.zip", "v7", 7, "no"),))
    assert world.receipt["status"] == "live"
    assert stored(world) == []


def test_an_outcome_that_is_not_recorded_is_not_told(world: World) -> None:
    write = world.table.write

    def refuses(*writes: Any) -> None:
        if len(writes) > 2:
            raise OSError("no DynamoDB")
        write(*writes)

    world.trouble = lambda _: setattr(world.table, "write", refuses)
    with pytest.raises(Exception, match="no DynamoDB"):
        deliver(world, upload())
    assert stored(world) == []
    assert world.record(App("dev", "shop")).live is None


def test_a_worker_that_dies_after_the_outcome_leaves_the_event_to_the_next_one(world: World) -> None:
    """Its message comes back and is a duplicate, so only the ledger knows of the event."""
    deliver(world, upload())
    assert world.bus.entries == []
    world.seconds += 60
    deliver(world, upload(), worker="w2")
    world.outbox.send_left_over()
    assert [it["outcome"] for it in world.bus.details] == ["live"]
    assert stored(world) == []
    assert world.record(SHOP).live


def test_no_secret_of_the_log_is_in_the_event(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "https://ana:hunter2hunter2@pypi.acme.example/simple"
    world.trouble = fail(AppError(Code.NO_FRAMEWORK, f"cannot read {secret}", hint=f"mend {secret}"))
    deliver(world, upload())
    assert "hunter2" not in world.receipt["error"]["message"]
    assert told(world)["error"] == world.receipt["error"]
