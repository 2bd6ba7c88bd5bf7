"""What needs no work is found without a slot, and nothing that needs work is taken for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.aws.s3 import Head
from auto_lambda.aws.sqs import Message
from auto_lambda.keys import App
from worker.consumer.deduplication import Deduplicator
from worker.consumer.inbox import Delivery
from worker.consumer.messages import InvalidKey, ParsedMessage
from worker.model import Upload
from worker.records.ledger import AppRecord, FailedUpload, LiveRelease, decide

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def upload(name: str, number: int) -> Upload:
    return Upload(App("dev", name), "drops", f"apps/{name}.zip", f"v{number}", f"{number:04X}")


def delivery(*uploads: Upload, invalid_keys: tuple[InvalidKey, ...] = ()) -> Delivery:
    return Delivery(Message(str(id(uploads)), "h", "", 1, NOON), ParsedMessage(uploads, invalid_keys))


def live(name: str, number: int) -> LiveRelease:
    version, sequencer = f"v{number}", f"{number:04X}"
    return LiveRelease(f"apps/{name}.zip", version, sequencer, NOON.isoformat(), "", "chalice", "t", "f", "1", None, "")


@dataclass
class World:
    """What is live and what lies in the bucket, by name of the app; ``asked`` tells who was asked for what."""

    live: dict[str, int] = field(default_factory=dict)
    bucket: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answers(self, apps: Collection[App]) -> Mapping[App, AppRecord]:
        self.asked.append("ledger")
        return {app: self.record(app) for app in apps}

    def record(self, app: App) -> AppRecord:
        return AppRecord(live(app.name, self.live[app.name])) if app.name in self.live else AppRecord()

    def newest(self, upload: Upload) -> Head | None:
        self.asked.append(upload.key)
        number = self.bucket.get(upload.app.name)
        return None if number is None else Head(upload.key, 1, f"v{number}", NOON)

    def redundant(self, *deliveries: Delivery, undeploys: bool = False) -> list[Delivery]:
        return list(Deduplicator(self.answers, self.newest, undeploys=undeploys).deduplicate(deliveries))


def test_duplicates_and_older_ones_cost_one_reading_of_the_ledger_and_nothing_of_s3() -> None:
    world = World(live={"shop": 2, "blog": 5}, bucket={"shop": 2, "blog": 5})
    old = [delivery(upload("shop", 2)), delivery(upload("shop", 1)), delivery(upload("blog", 5))]
    assert world.redundant(*old) == old
    assert world.asked == ["ledger"]


def test_what_a_newer_zip_has_taken_the_place_of_is_found_before_that_is_live() -> None:
    world = World(live={"shop": 1}, bucket={"shop": 4})
    two, three, four = (delivery(upload("shop", number)) for number in (2, 3, 4))
    assert world.redundant(two, three, four) == [two, three]
    assert world.asked == ["ledger", "apps/shop.zip"]


def test_a_message_about_several_apps_needs_work_if_one_of_them_does() -> None:
    world = World(live={"shop": 2, "blog": 1}, bucket={"shop": 2, "blog": 2})
    assert world.redundant(delivery(upload("shop", 2), upload("blog", 2))) == []


def test_the_uploader_of_an_invalid_key_must_still_be_told() -> None:
    world = World(live={"shop": 2}, bucket={"shop": 2})
    invalid_key = InvalidKey("drops", "apps/a b.zip", None, 1, "a space")
    assert world.redundant(delivery(upload("shop", 2), invalid_keys=(invalid_key,))) == []


def test_a_redriven_upload_needs_work_although_it_failed_before() -> None:
    class FailedWorld(World):
        def record(self, app: App) -> AppRecord:
            return AppRecord(
                failed=FailedUpload(f"apps/{app.name}.zip", "v1", "0001", "no-framework", NOON.isoformat())
            )

    world, again = FailedWorld(bucket={"shop": 1}), upload("shop", 1)
    assert len(world.redundant(delivery(again))) == 1
    assert world.redundant(delivery(replace(again, redrive="once more"))) == []


@pytest.mark.parametrize(("there", "settled"), [(None, 0), (1, 0), (2, 1), (3, 0)])
def test_a_deleted_zip_needs_work_unless_what_is_there_is_live(there: int | None, settled: int) -> None:
    world = World(live={"shop": 2}, bucket={} if there is None else {"shop": there})
    gone = delivery(replace(upload("shop", 9), removed=True))
    assert len(world.redundant(gone, undeploys=True)) == settled


def test_a_deleted_zip_that_nothing_is_known_of_may_be_in_somebodys_hands() -> None:
    gone = delivery(replace(upload("shop", 9), removed=True))
    assert World(bucket={}).redundant(gone, undeploys=True) == []


NAMES = st.sampled_from(["a", "b", "c"])
NUMBERS = st.integers(1, 4)


@given(
    st.dictionaries(NAMES, NUMBERS), st.dictionaries(NAMES, NUMBERS),
    st.lists(st.lists(st.builds(upload, NAMES, NUMBERS), min_size=1, max_size=3), max_size=10),
)  # fmt: skip
def test_a_batch_is_decided_as_each_message_would_be_alone(
    live: dict[str, int], bucket: dict[str, int], messages: list[list[Upload]]
) -> None:
    world = World(live, bucket)
    deliveries = [delivery(*uploads) for uploads in messages]
    alone = [
        it
        for it in deliveries
        if all(decide(up, world.record(up.app), world.newest).decision != "go" for up in it.parsed.uploads)
    ]
    assert world.redundant(*deliveries) == alone
