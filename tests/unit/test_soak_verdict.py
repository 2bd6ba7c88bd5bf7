"""What `make soak` says of a run: it must see what it is for."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws
from soak_verdict import Verdict, judge, memory_of
from soaking import STEADY, Dropped, Fleet, Sample, Soak, Traffic
from tables import create_ledger

from auto_lambda.attempts import Attempt
from auto_lambda.aws.dynamodb import Table
from auto_lambda.keys import App
from worker.records.ledger import LiveRelease, put_live

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SHOP = App("dev", "shop")


@dataclass(frozen=True)
class Names:
    table: str = "ledger"
    bucket: str = "uploads"
    dead_letters: str = ""


@dataclass
class Finished:
    """A soak that is over: one app, two zips, and the worker has found the first one to be superseded."""

    folder: Path
    url: str
    pipeline: Names
    dropped: list[Dropped] = field(default_factory=list)

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]

    @property
    def table(self) -> Table:
        return Table(self.client("dynamodb"), "ledger")

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    def attempt(self, version: str, after: float, seconds: float = 10, outcome: Any = "live") -> None:
        """One try, so many seconds after the beginning."""
        started, ended = (NOON + timedelta(seconds=it) for it in (after, after + seconds))
        one = Attempt("apps/shop.zip", version, "w", 1, started, ended=ended, outcome=outcome)
        self.table.write(one.put(SHOP, int(after)))

    def live(self, version: str, receipt: str | None = None) -> None:
        """What the ledger says, and what the receipt says if that is another version."""
        entry = LiveRelease(
            "apps/shop.zip", version, None, NOON.isoformat(), "ab" * 32, "chalice", "bundles/1.json", "shop-dev", "7",
            self.url, NOON.isoformat(),
        )  # fmt: skip
        self.table.write(put_live(SHOP, entry))
        told = {"status": "live", "url": self.url, "upload": {"version": receipt or version}}
        self.client("s3").put_object(Bucket="uploads", Key="apps/shop.receipt.json", Body=json.dumps(told))

    def judged(self) -> Verdict:
        """The verdict on it."""
        traffic = Traffic.__new__(Traffic)
        traffic.dropped, traffic.late = self.dropped, set()
        logs = type("Logs", (), {"logs": [self.log]})()
        return judge(cast(Soak, self), cast(Fleet, logs), traffic, ended=True)


class Answering(http.server.BaseHTTPRequestHandler):
    """The app: it answers its second zip's word."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"word": "second"}')

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def soak(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Finished]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        create_ledger(boto3.client("dynamodb", region_name="us-east-1"))
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="uploads")
        queue = boto3.client("sqs", region_name="us-east-1").create_queue(QueueName="dead")["QueueUrl"]
        over = Finished(tmp_path, address, Names(dead_letters=queue))
        over.dropped += [
            Dropped("shop", "v1", "first", NOON.timestamp()),
            Dropped("shop", "v2", "second", NOON.timestamp()),
        ]
        over.log.write_text('{"event": "superseded", "version": "v1"}\n')
        over.attempt("v2", after=5)
        over.live("v2")
        yield over


def test_a_run_in_which_all_went_well(soak: Finished) -> None:
    verdict = soak.judged()
    assert (verdict.lost, verdict.wrong, verdict.twice, verdict.dead_letters) == ((), (), (), 0)
    assert verdict.fates == {"live": 1, "superseded without work": 1}
    assert verdict.median == 15


def test_a_version_that_nobody_knows_of_is_lost(soak: Finished) -> None:
    soak.log.write_text("")
    assert soak.judged().lost == ("shop@v1",)


def test_an_app_whose_newest_zip_is_not_live_is_wrong(soak: Finished) -> None:
    soak.live("v1")
    assert soak.judged().wrong == ("shop: live is v1, newest v2",)


def test_a_receipt_of_an_older_zip_is_wrong(soak: Finished) -> None:
    soak.live("v2", receipt="v1")
    assert soak.judged().wrong == ("shop: its receipt says live of v1",)


def test_an_app_that_answers_as_an_older_zip_would_is_wrong(soak: Finished) -> None:
    soak.dropped[-1] = Dropped("shop", "v2", "third", NOON.timestamp())
    (wrong,) = soak.judged().wrong
    assert wrong.endswith("instead of third")


def test_attempts_that_overlap_are_two_deploys_at_once(soak: Finished) -> None:
    soak.attempt("v1", after=0, seconds=6, outcome="superseded")
    (twice,) = soak.judged().twice
    assert twice.startswith("shop: ")


def test_memory_that_grows_is_seen() -> None:
    samples = [Sample(STEADY, 1, float(second), 70 + second, 80 + second) for second in range(1, 100)]
    memory = memory_of(samples)
    assert memory.steady_last - memory.steady_first > 60
    assert memory.steady_peak == 179
