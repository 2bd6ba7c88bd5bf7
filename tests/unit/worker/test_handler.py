"""One delivery from claim to receipt, with the ways in which it can end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attempt_world import APP_ERROR, NOON, RELEASE, SHOP, SHOP_ZIP, World, deliver, fail, upload
from botocore.exceptions import ClientError
from console import eventually
from structlog.testing import capture_logs
from tables import FakeTable

from auto_lambda.aws.cloudformation import StackFailed
from auto_lambda.aws.dynamodb import Delete, Put
from auto_lambda.errors import AppError, Code
from auto_lambda.model import Dropper
from worker.cancellation import Cancelled, CancelToken
from worker.consumer.daemon import Busy, PutOff
from worker.consumer.messages import InvalidKey
from worker.model import Deployment, Upload
from worker.records.lease import SKEW


@pytest.fixture
def world() -> World:
    return World()


def test_an_upload_goes_live_and_the_ledger_says_what_it_is(world: World) -> None:
    deliver(world, upload())
    assert world.order[-2:] == ["deployed", "receipt live"]
    live = world.record().live
    assert live is not None
    assert (live.object_version, live.template_key, live.function_version) == ("v1", "bundles/v1.json", "2")
    assert (live.sha256, live.framework, live.modified) == ("ab" * 32, "zappa", NOON.isoformat())


def test_each_attempt_is_logged_once_with_what_the_metric_filters_read(world: World) -> None:
    with capture_logs() as lines:
        deliver(world, upload())
        world.newest[SHOP_ZIP] = "v2"
        world.trouble = fail(OSError("disk full"))
        with pytest.raises(OSError, match="disk full"):
            deliver(world, upload("v2"))
    live, delayed = (line for line in lines if line["event"] == "finished")
    assert (live["outcome"], delayed["outcome"]) == ("live", "delayed")
    for line in (live, delayed):
        assert isinstance(line["step"], str)
        assert {"framework", "since_drop", "code"} <= set(line)


TOO_MANY = StackFailed(
    "al-shop-dev",
    "Api",
    'Resource handler returned message: "Too Many Requests (Service: ApiGateway, Status Code: 429, Request ID: 1)" '
    "(RequestToken: 2, HandlerErrorCode: Throttling)",
    "ROLLBACK_COMPLETE",
)
SLOWER = ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "CreateChangeSet")


@pytest.mark.parametrize("error", [TOO_MANY, SLOWER])
def test_what_aws_throttles_is_put_off_and_the_receipt_says_until_when(world: World, error: Exception) -> None:
    world.trouble = fail(error)
    with pytest.raises(PutOff) as caught, capture_logs() as lines:
        deliver(world, upload())
    assert 30 <= caught.value.seconds <= 60
    receipt = world.receipt
    assert (receipt["status"], receipt["error"]["code"]) == ("delayed", "throttled")
    assert datetime.fromisoformat(receipt["retry_at"]) == NOON + timedelta(
        milliseconds=round(caught.value.seconds * 1000 - 0.5)
    )
    assert f"in {caught.value.seconds:.0f} s" in receipt["error"]["hint"]
    (finished,) = (line for line in lines if line["event"] == "finished")
    assert (finished["outcome"], finished["code"]) == ("delayed", "throttled")


def test_what_aws_throttles_for_a_day_counts_as_tried(world: World) -> None:
    world.trouble = fail(SLOWER)
    world.seconds = 25 * 3600
    with pytest.raises(ClientError):
        deliver(world, upload())
    assert (world.receipt["error"]["code"], world.receipt["retry_at"]) == ("our-side", None)


def test_a_failure_of_ours_beside_a_throttled_upload_counts(world: World) -> None:
    world.newest["apps/dev/blog.zip"] = "v1"

    def trouble(it: Upload) -> None:
        raise SLOWER if it.app == SHOP else OSError("disk full")

    world.trouble = trouble
    with pytest.raises(OSError, match="disk full"):
        deliver(world, upload(), upload(name="blog"))


def test_what_a_build_says_is_in_our_own_log_without_its_secrets(world: World) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKC\n-----END PRIVATE KEY-----"
    message = f"KeyError: correct-horse-battery\nDB_PASSWORD=swordfish-and-more\n{key}"
    world.trouble = fail(AppError(Code.DEPENDENCY_BUILD_FAILED, message, hint="Correct it."))
    world.confidential = ("correct-horse-battery",)
    with capture_logs() as lines:
        deliver(world, upload())
    told = next(line["reason"] for line in lines if line["event"] == "the uploader can fix it")
    assert "KeyError: ***" in told
    assert not any(secret in str(lines) for secret in ("horse", "swordfish", "MIIE"))


def test_the_second_version_is_told_which_template_was_live(world: World) -> None:
    deliver(world, upload("v1"))
    world.newest[SHOP_ZIP] = "v2"
    deliver(world, upload("v2"))
    assert world.previous == [None, "bundles/v1.json"]


def test_while_it_is_worked_on_the_receipt_says_until_when_it_is_this_workers(world: World) -> None:
    token, seen = CancelToken(), list[str]()

    def trouble(_: Upload) -> None:
        for world.seconds in (0, 30):
            token.beat()
            until = datetime.fromtimestamp(1e9 + world.seconds + 60 + SKEW, UTC).isoformat(timespec="milliseconds")
            assert eventually(lambda: until in str(world.receipts))  # noqa: B023
            seen.append(until)

    world.trouble = trouble
    deliver(world, upload(), cancel_token=token)
    assert len(seen) == 2
    assert (world.receipt["status"], world.receipt["held_until"]) == ("live", None)


def test_who_dropped_it_stands_in_receipt_history_and_log(world: World) -> None:
    ana = Dropper("AWS:AROA1:ana", "192.0.2.7")
    with capture_logs() as lines:
        deliver(world, replace(upload(), by=ana))
    assert world.receipt["by"] == {"principal": "AWS:AROA1:ana", "address": "192.0.2.7"}
    assert [attempt.by for attempt in world.ledger.history(SHOP, 1)] == [ana]
    assert next(line for line in lines if line["event"] == "started")["by"] == "AWS:AROA1:ana from 192.0.2.7"


def test_an_upload_that_we_announce_ourselves_keeps_who_dropped_it(world: World) -> None:
    ana = Dropper("AWS:AROA1:ana", "192.0.2.7")
    world.trouble = fail(OSError("disk full"))
    with pytest.raises(OSError, match="disk full"):
        deliver(world, replace(upload(), by=ana))
    world.trouble = lambda _: None
    deliver(world, upload())
    assert world.receipt["status"] == "live"
    assert world.receipt["by"] == {"principal": "AWS:AROA1:ana", "address": "192.0.2.7"}
    world.newest[SHOP_ZIP] = "v2"
    deliver(world, upload("v2"))
    assert world.receipt["by"] is None


def test_a_release_that_waited_for_its_approval_goes_on_without_a_build(world: World) -> None:
    world.waits = AppError(Code.NEEDS_APPROVAL, "more rights", hint="ask")
    deliver(world, upload())
    assert world.receipt["error"]["code"] == "needs-approval"
    world.waits = None
    deliver(world, upload())
    assert world.receipt["status"] == "failed"  # a duplicate of the event is no approval
    deliver(world, replace(upload(), redrive="approval-1"))
    assert world.receipt["status"] == "live"
    assert [release and release.template_key for release in world.resumed] == [None, "bundles/v1.json"]
    assert world.record().live


def test_a_newer_zip_does_not_go_on_with_what_waited(world: World) -> None:
    world.waits = AppError(Code.NEEDS_APPROVAL, "more rights", hint="ask")
    deliver(world, upload())
    world.waits, world.newest[SHOP_ZIP] = None, "v2"
    deliver(world, upload("v2"))
    assert world.resumed == [None, None]


def test_a_duplicate_does_nothing_at_all(world: World) -> None:
    deliver(world, upload())
    world.order.clear()
    deliver(world, upload())
    assert world.order == []
    assert world.built == ["v1"]


def test_an_older_version_does_not_touch_the_receipt_of_the_newer_one(world: World) -> None:
    world.newest[SHOP_ZIP] = "v2"
    deliver(world, upload("v2"))
    world.order.clear()
    deliver(world, upload("v1"))
    assert world.order == []
    assert world.receipt["upload"]["version"] == "v2"


def test_an_app_error_is_final_and_a_duplicate_of_it_does_nothing(world: World) -> None:
    world.trouble = fail(APP_ERROR)
    deliver(world, upload())
    assert world.receipt["status"] == "failed"
    assert world.receipt["error"]["code"] == "no-framework"
    assert world.record().failed
    deliver(world, upload())
    assert world.built == ["v1"]


def test_a_failed_upload_tells_what_stays_live(world: World) -> None:
    deliver(world, upload("v1"))
    world.newest[SHOP_ZIP] = "v2"
    world.trouble = fail(APP_ERROR)
    deliver(world, upload("v2"))
    assert "shop-dev version 2" in world.logs["apps/dev/shop.log"]
    assert (world.receipt["status"], world.receipt["url"], world.receipt["version"]) == ("failed", None, None)
    assert world.receipt["serving"] == {
        "url": None, "function": "shop-dev", "version": "2", "upload": "v1", "before": None,
    }  # fmt: skip
    assert world.record().live is not None


def test_what_had_to_be_made_live_again_is_known_by_its_new_version(world: World) -> None:
    deliver(world, upload("v1"))
    world.newest[SHOP_ZIP] = "v2"
    world.restores = Deployment("al", "shop-dev", "4", "live", "https://old/", "bundles/v1.json", changed=True)
    world.in_verify = unhealthy
    deliver(world, upload("v2"))
    live = world.record().live
    assert live
    assert (live.object_version, live.function_version, live.template_key) == ("v1", "4", "bundles/v1.json")
    assert (world.receipt["serving"]["version"], world.receipt["serving"]["upload"]) == ("4", "v1")


STANDING = Deployment("al", "shop-dev", "1", "live", "https://new/", "", changed=False)


def test_a_first_release_that_does_not_answer_is_what_serves(world: World) -> None:
    world.in_verify, world.stands = unhealthy, STANDING
    deliver(world, upload())
    told = world.receipt
    assert (told["status"], told["url"], told["function"]) == ("failed", "https://new/", "shop-dev")
    assert told["serving"] == {
        "url": "https://new/", "function": "shop-dev", "version": "1", "upload": "v1", "before": None,
    }  # fmt: skip
    assert world.record().live is None


def test_what_an_earlier_failure_left_is_told_of_a_zip_that_gets_less_far(world: World) -> None:
    world.in_verify, world.stands = unhealthy, STANDING
    deliver(world, upload())
    world.newest[SHOP_ZIP], world.trouble = "v2", fail(APP_ERROR)
    deliver(world, upload("v2"))
    assert (world.receipt["function"], world.receipt["serving"]["version"]) == ("shop-dev", "1")
    assert world.receipt["serving"]["upload"] is None


@pytest.mark.parametrize("stands", [None, OSError("CloudFormation is away")])
def test_without_a_stack_to_tell_of_the_failure_is_told_all_the_same(world: World, stands: Exception | None) -> None:
    world.in_verify, world.stands = unhealthy, stands
    deliver(world, upload())
    assert (world.receipt["status"], world.receipt["function"], world.receipt["serving"]) == ("failed", None, None)


def test_the_url_of_what_is_live_is_told_of_a_zip_that_is_not(world: World) -> None:
    deliver(world, upload("v1"))
    world.newest[SHOP_ZIP], world.trouble = "v2", fail(APP_ERROR)
    deliver(world, upload("v2"))
    assert (world.receipt["function"], world.receipt["version"]) == ("shop-dev", None)


def test_any_other_failure_is_ours_delays_and_is_raised(world: World) -> None:
    world.trouble = fail(OSError("disk full"))
    with pytest.raises(OSError, match="disk full"):
        deliver(world, upload())
    assert world.receipt["status"] == "delayed"
    assert "disk full" in world.receipt["error"]["message"]
    assert (world.record().live, world.record().failed) == (None, None)
    world.trouble = lambda _: None
    deliver(world, upload())
    assert world.receipt["status"] == "live"


def test_a_receipt_that_cannot_be_written_fails_the_attempt_with_the_first_error(world: World) -> None:
    world.put_fails = True
    world.trouble = fail(ValueError("the first"))
    with pytest.raises(ValueError, match="the first"):
        deliver(world, upload())
    world.trouble = lambda _: None
    with pytest.raises(OSError, match="no S3"):
        deliver(world, upload())
    assert (world.record().live, world.record().failed) == (None, None)


def test_a_newer_zip_during_the_build_takes_its_place_before_anything_is_deployed(world: World) -> None:
    def replace_it(_: Upload) -> None:
        world.newest[SHOP_ZIP] = "v2"

    world.trouble = replace_it
    deliver(world, upload("v1"))
    assert world.receipt["status"] == "superseded"
    assert (world.record().live, world.record().failed) == (None, None)


def test_a_zip_deleted_during_the_build_still_goes_live(world: World) -> None:
    world.trouble = lambda _: world.newest.clear()
    deliver(world, upload("v1"))
    assert world.receipt["status"] == "live"


@pytest.mark.parametrize("error", [None, APP_ERROR, OSError("killed")])
def test_cancelled_work_changes_nothing_more(world: World, error: Exception | None) -> None:
    """Its processes are ended under it, which may look like any failure; the next worker must find a clean table."""
    cancel_token = CancelToken()

    def cancelled(_: Upload) -> None:
        cancel_token.cancel("the worker is stopping")
        if error:
            raise error

    world.trouble = cancelled
    with pytest.raises(Cancelled):
        deliver(world, upload(), cancel_token=cancel_token)
    assert (world.record().live, world.record().failed) == (None, None)
    assert all(receipt["status"] in ("queued", "building") for receipt in world.receipts.values())


def test_one_uploads_bad_luck_does_not_hold_up_the_others_of_its_message(world: World) -> None:
    world.newest |= {"apps/dev/blog.zip": "v1"}

    def only_shop(it: Upload) -> None:
        if it.app == SHOP:
            raise OSError("bad luck")

    world.trouble = only_shop
    with pytest.raises(OSError, match="bad luck"):
        deliver(world, upload(), upload(name="blog"))
    assert world.receipts["apps/dev/blog.receipt.json"]["status"] == "live"
    assert world.receipt["status"] == "delayed"


def test_a_key_that_names_no_app_gets_a_failed_receipt_beside_it(world: World) -> None:
    deliver(world, invalid_keys=(InvalidKey("drops", "apps/My Shop.zip", "v1", 7, "the name 'My Shop' is not valid"),))
    receipt = world.receipts["apps/My Shop.receipt.json"]
    assert (receipt["status"], receipt["error"]["code"], receipt["app"]) == ("failed", "bad-key", None)
    assert "My Shop" in receipt["error"]["message"]
    assert world.built == []


@pytest.mark.parametrize(
    ("key", "receipt", "hint"),
    [
        ("shop.zip", "shop.receipt.json", "Upload it again as apps/shop.zip "),
        ("apps/dev/Shop.ZIP", "apps/dev/Shop.ZIP.receipt.json", "Upload it again as apps/dev/shop.zip "),
        ("apps/shop.tgz", "apps/shop.tgz.receipt.json", "into a zip, upload that as apps/shop.zip "),
        ("apps/lambda/auto.zip", "apps/lambda/auto.receipt.json", "Upload it again as apps/<name>.zip or"),
    ],
)
def test_a_refused_name_comes_with_the_nearest_that_works(world: World, key: str, receipt: str, hint: str) -> None:
    deliver(world, invalid_keys=(InvalidKey("drops", key, "v1", 7, "no"),))
    assert hint in world.receipts[receipt]["error"]["hint"]


def test_a_receipt_that_says_live_is_there_before_the_ledger_says_so(world: World) -> None:
    """Killed between the two, the next worker writes the receipt again; the other way round nobody would."""
    said: list[str] = []
    world.trouble = lambda _: None
    put = world.put

    def watched(bucket: str, key: str, body: bytes, content_type: str) -> None:
        put(bucket, key, body, content_type)
        if key.endswith(".json") and world.receipts[key]["status"] == "live":
            said.append("live in the ledger" if world.record().live else "not yet in the ledger")

    world.put = watched  # type: ignore[method-assign]
    deliver(world, upload())
    assert said == ["not yet in the ledger"]
    assert world.record().live


@dataclass
class LosesAnswers(FakeTable):
    """Does what it is asked, but its answers get lost where a write has such an item."""

    about: str = ""

    def write(self, *writes: Put | Delete) -> None:
        super().write(*writes)
        if any(isinstance(it, Put) and it.item["sk"] == self.about for it in writes):
            raise OSError("connection reset")


def test_a_live_receipt_is_not_taken_back_when_the_ledgers_last_answer_is_lost(world: World) -> None:
    """The ledger has it already, so that no successor would come to write the receipt again."""
    world.table = LosesAnswers(about="live")
    with pytest.raises(Exception, match="reset"):
        deliver(world, upload())
    assert world.receipt["status"] == "live"
    deliver(world, upload())
    assert world.receipt["status"] == "live"
    assert world.built == ["v1"]


def test_a_receipt_follows_once_the_ledger_takes_the_outcome(world: World) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no DynamoDB")

    world.trouble = lambda _: setattr(world.table, "write", refuse)
    with pytest.raises(OSError, match="no DynamoDB"):
        deliver(world, upload())
    assert world.receipt["status"] == "delayed"
    del world.table.write
    world.trouble = lambda _: None
    world.seconds = 100.0
    deliver(world, upload())
    assert world.receipt["status"] == "live"


def test_a_claim_whose_answer_was_lost_holds_nobody_up_and_counts_as_no_death(world: World) -> None:
    world.table = LosesAnswers(about=f"{NOON.isoformat()}#{1:012d}")
    with pytest.raises(OSError, match="reset"):
        deliver(world, upload())
    world.table = FakeTable(world.table.items_)
    deliver(world, upload(), worker="other")
    assert world.receipt["status"] == "live"
    assert world.record().lease.crashes == 0


def test_two_workers_never_work_on_one_app_at_once(world: World) -> None:
    def second_worker(_: Upload) -> None:
        world.trouble = lambda _: None
        with pytest.raises(Busy):
            deliver(world, upload(), worker="other")

    world.trouble = second_worker
    deliver(world, upload())
    assert world.built == ["v1"]
    assert world.record().lease.owner is None


def test_different_apps_are_worked_on_in_parallel(world: World) -> None:
    world.newest |= {"apps/dev/blog.zip": "v1"}

    def other_app(it: Upload) -> None:
        if it.app == SHOP:
            deliver(world, upload(name="blog"), worker="other")

    world.trouble = other_app
    deliver(world, upload())
    assert world.built == ["v1", "v1"]


@pytest.mark.parametrize("moment", ["trouble", "in_deploy"])
def test_who_has_lost_the_lease_without_knowing_it_writes_nothing(world: World, moment: str) -> None:
    """Its heartbeats stopped for longer than the lease lasts; the successor has the app by now."""

    def stall(*_: object) -> None:
        world.trouble, world.in_deploy = lambda _: None, lambda: None
        world.seconds += 75
        deliver(world, upload(), worker="successor")

    setattr(world, moment, stall)
    with pytest.raises(Cancelled):
        deliver(world, upload(), worker="stalled")
    assert world.order.count("deployed") == (1 if moment == "trouble" else 2)
    assert world.receipt["worker"] == "successor"
    assert world.record().lease.fence == 2
    assert [it.worker for it in world.ledger.history(SHOP, 9) if it.outcome == "live"] == ["successor"]


def test_known_bug_7_a_lease_of_a_worker_that_was_killed_runs_out(world: World) -> None:
    killed(world)
    with pytest.raises(Busy):
        deliver(world, upload())
    world.seconds += 71
    deliver(world, upload())
    assert world.receipt["status"] == "live"


class Killed(BaseException):
    """What no handler of ours sees."""


def killed(world: World) -> None:
    """A worker process that ends without a word while it works."""

    def die(_: Upload) -> None:
        raise Killed

    world.trouble, before = die, dict(world.table.items_)
    claimed: dict[Any, Any] = {}

    def remember(_: Upload) -> None:
        claimed.update(world.table.items_)
        raise Killed

    world.trouble = remember
    with pytest.raises(Killed):
        deliver(world, upload())
    world.table.items_ = before | claimed
    world.trouble = lambda _: None


def test_an_upload_that_has_ended_three_workers_is_not_touched_again(world: World) -> None:
    for _ in range(3):
        killed(world)
        world.seconds += 71
    world.built.clear()
    deliver(world, upload())
    assert world.built == []
    assert (world.receipt["status"], world.receipt["error"]["code"]) == ("failed", "ends-workers")
    assert world.dead_letters == ["ends-workers: it has crashed 3 worker processes"]
    deliver(world, upload())
    assert len(world.dead_letters) == 1


def test_two_dead_workers_are_bad_luck_and_a_new_zip_begins_anew(world: World) -> None:
    for _ in range(2):
        killed(world)
        world.seconds += 71
    world.newest[SHOP_ZIP] = "v2"
    deliver(world, upload("v2"))
    assert world.receipt["status"] == "live"
    assert world.record().lease.crashes == 0


def test_what_was_redriven_is_tried_again_once_though_it_has_its_answer(world: World) -> None:
    for _ in range(3):
        killed(world)
        world.seconds += 71
    deliver(world, upload())
    again = replace(upload(), redrive="r1")
    deliver(world, again)
    assert world.receipt["status"] == "live"
    world.order.clear()
    deliver(world, again)
    assert world.order == []


def test_failures_of_ours_do_not_count_as_dead_workers(world: World) -> None:
    world.trouble = fail(OSError("throttled"))
    for _ in range(5):
        with pytest.raises(OSError, match="throttled"):
            deliver(world, upload())
    assert world.record().lease.crashes == 0


def test_the_history_has_every_attempt_the_killed_ones_too(world: World) -> None:
    killed(world)
    world.seconds += 71
    deliver(world, upload())
    last, first = world.ledger.history(SHOP, 9)
    assert (first.outcome, first.ended, first.worker) == (None, None, "w")
    assert (last.outcome, last.function_version, last.template_key) == ("live", "2", "bundles/v1.json")
    assert last.ended


def test_before_and_after_each_effect_the_journal_says_so(world: World) -> None:
    deliver(world, upload())
    steps = [(item["step"], item["phase"]) for item in world.table.writes if item["sk"] == "journal"]
    assert steps == [(step, phase) for step in ("artifacts", "expand", "verify") for phase in ("begun", "done")]


def test_a_successor_tells_how_far_its_predecessor_came(world: World) -> None:
    def die() -> None:
        claimed.update(world.table.items_)
        raise Killed

    claimed: dict[Any, Any] = {}
    world.in_deploy = die
    with pytest.raises(Killed):
        deliver(world, upload(), worker="first")
    world.table.items_, world.in_deploy = claimed, lambda: None
    world.seconds += 71
    deliver(world, upload(), worker="second")
    assert "first worked on this before, and got as far as: expand begun" in world.logs["apps/dev/shop.log"]


def die_in(world: World, moment: str, what: Upload | None = None) -> None:
    """A worker process that ends without a word at that moment; its lease has run out when this returns."""
    claimed: dict[Any, Any] = {}

    def die() -> None:
        claimed.update(world.table.items_)
        raise Killed

    setattr(world, moment, die)
    with pytest.raises(Killed):
        deliver(world, what or upload(), worker="first", undeploys=what is not None and what.removed)
    world.table.items_ = claimed
    setattr(world, moment, lambda: None)
    world.seconds += 71


def test_a_successor_goes_on_with_what_its_predecessor_has_stored(world: World) -> None:
    die_in(world, "in_deploy")
    world.trouble = fail(AssertionError("nothing is built again"))
    world.logs["apps/dev/shop.log"] = "what the first has told\n"
    deliver(world, upload(), worker="second")
    assert world.resumed == [None, replace(RELEASE, object_version="v1")]
    assert world.receipt["status"] == "live"
    live = world.record().live
    assert live
    assert (live.sha256, live.template_key, live.object_version) == ("ab" * 32, "bundles/v1.json", "v1")
    log = world.logs["apps/dev/shop.log"]
    assert (
        log.index("what the first has told")
        < log.index("first worked on this before, and got as far as: expand begun")
        < log.index("live:")
    )


def test_a_third_worker_goes_on_with_it_too(world: World) -> None:
    die_in(world, "in_deploy")
    die_in(world, "in_deploy")
    deliver(world, upload(), worker="third")
    assert [release is None for release in world.resumed] == [True, False, False]


def test_a_successor_builds_anew_what_was_not_stored_to_the_end(world: World) -> None:
    die_in(world, "in_artifacts")
    deliver(world, upload(), worker="second")
    assert world.resumed == [None, None]
    assert world.receipt["status"] == "live"


def unhealthy() -> None:
    raise AppError(Code.UNHEALTHY, "GET / was answered 502", hint="mend it")


def test_a_successor_goes_back_from_what_was_found_unhealthy_without_deploying_it_again(world: World) -> None:
    world.in_verify = unhealthy
    die_in(world, "in_going_back")
    world.order.clear()
    deliver(world, upload(), worker="second")
    assert [it for it in world.order if it != "receipt deploying"] == ["taken back", "receipt failed"]
    assert world.receipt["error"] == {"code": "unhealthy", "message": "GET / was answered 502", "hint": "mend it"}
    assert world.record().failed


def test_what_somebody_died_over_is_taken_back_when_the_next_zip_fails_before_its_turn_to_deploy(world: World) -> None:
    deliver(world, upload())
    world.newest[SHOP_ZIP], world.in_verify = "v2", unhealthy
    die_in(world, "in_going_back", upload("v2"))
    world.newest[SHOP_ZIP], world.trouble = "v3", fail(APP_ERROR)
    deliver(world, upload("v3"))
    assert "restored bundles/v1.json over bundles/v2.json" in world.order
    assert world.receipt["serving"]["version"] == "9"
    live = world.record().live
    assert live
    assert (live.object_version, live.function_version) == ("v1", "9")
    world.order.clear()
    world.newest[SHOP_ZIP] = "v4"
    deliver(world, upload("v4"))
    assert not [line for line in world.order if "restored" in line]


def test_a_zip_that_ends_workers_in_the_middle_of_deploying_is_taken_back(world: World) -> None:
    deliver(world, upload())
    world.newest[SHOP_ZIP] = "v2"
    for _ in range(3):
        die_in(world, "in_deploy", upload("v2"))
    deliver(world, upload("v2"))
    assert world.receipt["error"]["code"] == "ends-workers"
    assert "restored bundles/v1.json over bundles/v2.json" in world.order


def test_what_is_to_be_taken_out_is_not_put_back_first(world: World) -> None:
    deliver(world, upload(), undeploys=True)
    world.newest[SHOP_ZIP] = "v2"
    die_in(world, "in_deploy", upload("v2"))
    world.newest.clear()

    def refused() -> None:
        raise AppError(Code.STACK_FAILED, "a bucket is not empty", hint="empty it")

    world.in_removal = refused
    deliver(world, replace(upload("marker"), removed=True), undeploys=True)
    assert world.receipt["error"]["code"] == "stack-failed"
    assert not [line for line in world.order if "restored" in line]


def test_a_verdict_is_forgotten_with_the_work_that_it_was_about(world: World) -> None:
    world.in_verify = unhealthy
    deliver(world, upload())
    world.in_verify = lambda: None
    world.newest[SHOP_ZIP], world.trouble = "v2", fail(APP_ERROR)
    deliver(world, upload("v2"))
    world.newest[SHOP_ZIP], world.trouble = "v1", lambda _: None
    deliver(world, upload("v1"))  # v2 was deleted for good, and v1 is the newest once more
    assert world.receipt["status"] == "live"


def test_what_went_wrong_before_the_stack_was_there_is_tried_again(world: World) -> None:
    def refused() -> None:
        world.put_fails = True  # the verdict is in the journal, and its receipt nowhere
        raise AppError(Code.STACK_FAILED, "no", hint="mend it")

    world.in_deploy = refused
    with pytest.raises(OSError, match="no S3"):
        deliver(world, upload(), worker="first")
    world.put_fails, world.in_deploy = False, lambda: None
    deliver(world, upload(), worker="second")
    assert world.receipt["status"] == "live"


def test_what_was_stored_of_one_version_is_nothing_to_the_next(world: World) -> None:
    die_in(world, "in_deploy")
    world.newest[SHOP_ZIP] = "v2"
    deliver(world, upload("v2"), worker="second")
    assert world.resumed == [None, None]
    assert "worked on this before" not in world.logs["apps/dev/shop.log"]


def test_after_a_failure_of_ours_in_deploy_nothing_is_built_again(world: World) -> None:
    def throttled() -> None:
        raise OSError("throttled")

    world.in_deploy = throttled
    with pytest.raises(OSError, match="throttled"):
        deliver(world, upload())
    world.in_deploy = lambda: None
    deliver(world, upload())
    assert [release is None for release in world.resumed] == [True, False]
    last, first = world.ledger.history(SHOP, 9)
    assert set(first.timings or {}) == {"build", "deploy"}
    assert set(last.timings or {}) == {"deploy"}, "each attempt tells of its own steps"


def test_a_newer_drop_cancels_the_build_with_the_next_heartbeat(world: World) -> None:
    cancel_token = CancelToken()

    def long_build(_: Upload) -> None:
        world.newest[SHOP_ZIP] = "v2"
        cancel_token.beat()
        raise AppError(Code.COMPILE_FAILED, "its processes were ended", hint="")

    world.trouble = long_build
    deliver(world, upload("v1"), cancel_token=cancel_token)
    assert world.receipt["status"] == "superseded"
    assert world.record().failed is None


def test_a_newer_drop_does_not_stop_a_deploy_that_has_begun(world: World) -> None:
    cancel_token = CancelToken()

    def during() -> None:
        world.newest[SHOP_ZIP] = "v2"
        cancel_token.beat()

    world.in_deploy = during
    deliver(world, upload("v1"), cancel_token=cancel_token)
    assert world.receipt["status"] == "live"


def test_deleting_the_zip_undeploys_only_where_that_is_asked_for(world: World) -> None:
    deliver(world, upload(), undeploys=True)
    world.newest.clear()
    deliver(world, replace(upload("marker"), removed=True), undeploys=True)
    assert "removed dev/shop, was bundles/v1.json" in world.order
    assert world.record().live is None
    assert (world.receipt["status"], world.receipt["serving"]) == ("superseded", None)
    assert "the app is removed from AWS" in world.logs["apps/dev/shop.log"]


def test_a_deletion_that_is_told_late_does_not_undeploy_a_newer_zip(world: World) -> None:
    deliver(world, upload(), undeploys=True)
    deliver(world, replace(upload("marker"), removed=True), undeploys=True)
    assert world.record().live


def test_deleting_the_newest_version_brings_the_one_before_back(world: World) -> None:
    deliver(world, upload("v1"), undeploys=True)
    world.newest["apps/dev/shop.zip"] = "v2"
    deliver(world, upload("v2"), undeploys=True)
    world.newest["apps/dev/shop.zip"] = "v1"
    removal = replace(upload("v2"), removed=True)
    deliver(world, removal, undeploys=True)
    assert world.built == ["v1", "v2", "v1"]
    assert (world.receipt["status"], world.receipt["upload"]["version"]) == ("live", "v1")
    deliver(world, removal, undeploys=True)
    assert len(world.built) == 3, "the same message once more"


def test_removing_a_delete_marker_brings_the_app_back(world: World) -> None:
    deliver(world, upload("v1"), undeploys=True)
    there = dict(world.newest)
    world.newest.clear()
    removal = replace(upload("marker"), removed=True)
    deliver(world, removal, undeploys=True)
    world.newest.update(there)
    deliver(world, removal, undeploys=True)
    live = world.record().live
    assert live
    assert live.object_version == "v1"


def test_where_deleting_undeploys_a_late_event_does_not_bring_the_app_back(world: World) -> None:
    world.newest.clear()
    deliver(world, upload(), undeploys=True)
    assert world.built == []


def test_a_deletion_during_the_first_deployment_waits_for_its_end(world: World) -> None:
    removal = replace(upload("marker"), removed=True)

    def deleted() -> None:
        world.newest.clear()
        with pytest.raises(Busy):
            deliver(world, removal, undeploys=True)

    world.in_deploy = deleted
    deliver(world, upload(), undeploys=True)
    assert world.record().live
    deliver(world, removal, undeploys=True)
    assert world.record().live is None
    assert "removed dev/shop, was bundles/v1.json" in world.order


def test_a_deletion_takes_away_what_a_dead_worker_may_have_left(world: World) -> None:
    die_in(world, "in_deploy")
    world.newest.clear()
    removal = replace(upload("marker"), removed=True)
    die_in(world, "in_removal", removal)
    deliver(world, removal, undeploys=True)
    assert "removed dev/shop, was None" in world.order


def test_a_deletion_takes_away_what_a_first_deployment_left_that_failed_on_our_side(world: World) -> None:
    world.in_deploy = lambda: (_ for _ in ()).throw(OSError("throttled"))
    with pytest.raises(OSError, match="throttled"):
        deliver(world, upload(), undeploys=True)
    world.newest.clear()
    removal = replace(upload("marker"), removed=True)
    deliver(world, removal, undeploys=True)
    deliver(world, upload(), undeploys=True)
    assert world.order.count("removed dev/shop, was None") == 1
    deliver(world, removal, undeploys=True)
    assert world.order.count("removed dev/shop, was None") == 1


def test_deleting_a_faulty_first_zip_takes_away_what_it_left(world: World) -> None:
    world.trouble = fail(APP_ERROR)
    deliver(world, upload(), undeploys=True)
    world.newest.clear()
    removal = replace(upload("marker"), removed=True)
    deliver(world, removal, undeploys=True)
    deliver(world, removal, undeploys=True)
    assert world.order.count("removed dev/shop, was None") == 1
    assert world.record().failed is None


def test_a_release_that_failed_and_stays_deployed_is_remembered_until_another_takes_its_place(world: World) -> None:
    def unhealthy() -> None:
        raise APP_ERROR

    world.in_verify = unhealthy
    deliver(world, upload("v1"))
    failed = world.record().failed
    assert failed
    assert failed.deployed == "bundles/v1.json"
    world.newest[SHOP_ZIP] = "v2"
    world.in_verify, world.trouble = lambda: None, fail(APP_ERROR)
    deliver(world, upload("v2"))
    failed = world.record().failed
    assert failed
    assert (failed.object_version, failed.deployed) == ("v2", "bundles/v1.json"), "v2 did not get that far"
