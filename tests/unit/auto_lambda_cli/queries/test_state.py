"""What is live of an app, what is under way, what failed last."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from commands import BUCKET
from seen_pipeline import ANNA, NOON, SHOP, SeenPipeline

from auto_lambda_cli.queries.apps import apps
from auto_lambda_cli.queries.parts import Unknown, ask
from auto_lambda_cli.queries.releases import releases
from auto_lambda_cli.queries.rollback import RollbackUnclear, roll_back
from auto_lambda_cli.queries.services import Services
from auto_lambda_cli.queries.state import state

BEFORE = NOON - timedelta(minutes=1)
FAILED = {"code": "bad-config", "message": "config.json: line 3", "hint": "Mend line 3."}


def test_what_is_live_since_when_and_by_whom(pipeline: SeenPipeline, services: Services) -> None:
    first = pipeline.drop()
    pipeline.go_live(first)
    second = pipeline.drop()
    pipeline.go_live(second, before=first)
    seen = state(services, SHOP)
    assert seen.live
    assert (seen.live.release, seen.live.previous, seen.live.version) == (second, first, "2")
    assert (seen.live.url, seen.live.by) == ("https://shop.example/", str(ANNA))
    assert seen.live.since
    assert seen.live.since > NOON
    assert (seen.under_way, seen.failures, seen.unknown) == (None, (), ())


def test_what_failed_beside_what_still_serves(pipeline: SeenPipeline, services: Services) -> None:
    first = pipeline.drop()
    pipeline.go_live(first)
    broken = pipeline.drop()
    pipeline.attempt(broken, "failed", code="bad-config")
    serving = {"url": "https://shop.example/", "function": "shop-dev", "version": "1", "upload": first}
    upload = {"key": SHOP.key, "version": broken}
    of_the_broken_one = {"framework": "chalice", "python": "3.9", "by": {"principal": "AROAEXAMPLE:ben"}}
    told: dict[str, Any] = {"upload": upload, "serving": serving, "error": FAILED, **of_the_broken_one}
    pipeline.tell(status="failed", step="compile", updated=(NOON + timedelta(hours=1)).isoformat(), **told)
    seen = state(services, SHOP)
    assert seen.live
    assert (seen.live.release, seen.live.framework, seen.live.python) == (first, "zappa", "3.12")
    assert (seen.live.by, seen.live.since) == (str(ANNA), NOON + timedelta(minutes=1))
    (failure,) = seen.failures
    assert (failure.code, failure.message, failure.hint) == tuple(FAILED.values())


def test_of_a_first_release_that_failed_nothing_is_live(pipeline: SeenPipeline, services: Services) -> None:
    broken = pipeline.drop()
    serving = {"url": "https://shop.example/", "function": "shop-dev", "version": "$LATEST", "upload": broken}
    upload = {"key": SHOP.key, "version": broken}
    pipeline.tell(status="failed", step="verify", upload=upload, serving=serving, error=FAILED)
    assert state(services, SHOP).live is None
    assert not any(one.live for one in releases(services, SHOP).listed)
    (app,) = apps(services).listed
    assert app.url is None
    with pytest.raises(RollbackUnclear, match="not live"):
        roll_back(services, SHOP, None)


def test_a_zip_that_no_worker_has_yet_is_under_way(pipeline: SeenPipeline, services: Services) -> None:
    version = pipeline.drop()
    seen = state(services, SHOP)
    assert seen.under_way
    assert (seen.under_way.status, seen.live, seen.exists) == ("queued", None, True)
    assert (seen.under_way.release, seen.under_way.lost_after) == (version, None)
    assert seen.under_way.since


def test_a_build_is_under_way_with_its_step(pipeline: SeenPipeline, services: Services) -> None:
    version = pipeline.drop()
    upload = {"key": SHOP.key, "version": version}
    pipeline.tell(status="building", step="prove", upload=upload, url=None, worker="worker-1")
    seen = state(services, SHOP)
    assert seen.under_way
    assert (seen.under_way.step, seen.under_way.release, seen.under_way.worker) == ("prove", version, "worker-1")


def test_a_worker_that_should_have_written_again_may_be_lost(pipeline: SeenPipeline, services: Services) -> None:
    upload = {"key": SHOP.key, "version": pipeline.drop()}
    held_until = NOON + timedelta(seconds=130)
    times: dict[str, Any] = {
        "updated": NOON.isoformat(),
        "step_began": BEFORE.isoformat(),
        "held_until": held_until.isoformat(),
    }
    pipeline.tell(status="building", step="build", upload=upload, worker="w", **times)
    seen = state(services, SHOP).under_way
    assert seen
    assert (seen.since, seen.heard, seen.held_until) == (BEFORE, NOON, held_until)
    assert seen.lost_after == NOON + timedelta(seconds=30)


def test_of_an_app_that_was_never_dropped_nothing_is_known(services: Services) -> None:
    assert not state(services, SHOP).exists


def test_without_the_ledger_the_receipt_tells(pipeline: SeenPipeline) -> None:
    pipeline.go_live(pipeline.drop())
    seen = state(Services.of(BUCKET, {}), SHOP)
    assert seen.live
    assert seen.live.since
    assert [it.part for it in seen.unknown] == ["history"]


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Query")


def test_a_part_without_permission_is_unknown_and_says_which_call() -> None:
    def refused() -> None:
        raise _error("AccessDeniedException")

    told = ask("history", refused)
    assert isinstance(told, Unknown)
    assert str(told) == "history: these credentials may not: Query: no"


@pytest.mark.parametrize("code", ["ExpiredToken", "InternalError"])
def test_what_concerns_all_parts_is_raised(code: str) -> None:
    def failing() -> None:
        raise _error(code)

    with pytest.raises(ClientError):
        ask("history", failing)
