"""Many drops of many apps on workers that are killed, with events doubled and held back and calls throttled.

The bucket announces to a queue of ours, and a thread hands its events on: real ones, in an order of our making.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from e2e_stack import make_zip, saying, small_zappa
from faulty_aws import WORKER, FaultyAws, _Answer, _Request, refusal

from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.processes import Child
from auto_lambda_cli.local_stack.stack import deploy_pipeline, local_client

STEADY = "steady"
"""The worker that is never killed."""
SETTINGS = {
    "AUTO_LAMBDA_VISIBILITY_SECONDS": "30",
    "AUTO_LAMBDA_POLL_SECONDS": "1",
    "AUTO_LAMBDA_RECONCILE_HOURS": "0",  # what is lost must come back by its message alone
    "AUTO_LAMBDA_DRAIN_SECONDS": "5",
    "AUTO_LAMBDA_SLOTS": "1",
    "PYTHONUNBUFFERED": "1",
}
LONGEST_LATE = 40  # seconds
BuildLog = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to the pipeline.

    Attributes:
        drops: how many zips.
        apps: of how many apps.
        rate: zips a second.
        kills: how many workers are killed, spread over the drops.
        victims: how many workers may be killed; one more is never.
        doubled: the share of events that are sent twice.
        late: the share of events that are held back, up to `LONGEST_LATE` seconds.
        throttled: the share of calls of the workers that are refused.
        seed: of all that is drawn by lot.
        deadline: seconds until all must be over.
        settings: of the workers, over ours.
    """

    drops: int = 1000
    apps: int = 50
    rate: float = 2.0
    kills: int = 40
    victims: int = 3
    doubled: float = 0.3
    late: float = 0.2
    throttled: float = 0.05
    seed: int = 1
    deadline: float = 1800
    settings: Mapping[str, str] = field(default_factory=dict)

    def app(self, number: int) -> str:
        """Both frameworks, by turns."""
        return f"{'zappa' if number % 2 else 'chalice'}-{number:03d}"


@dataclass(frozen=True, slots=True)
class Dropped:
    """One zip: its app answers ``word``. ``when`` in seconds since 1970, before the upload."""

    app: str
    version: str
    word: str
    when: float


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident memory of one worker process, in bytes, now and at its peak; ``when`` in seconds from the beginning."""

    worker: str
    pid: int
    when: float
    resident: int
    peak: int


class ThrottlingAws(FaultyAws):
    """Refuses a share of the workers' calls."""

    def __init__(self, behind: str, share: float, lots: random.Random) -> None:
        super().__init__(behind)
        self._share = share
        self._lots = lots
        self.calls: Counter[str] = Counter()

    def handle(self, request: _Request, client: Any) -> _Answer | None:
        theirs = WORKER in request.headers.get("user-agent", "") and "authorization" in request.headers
        self.calls["all"] += theirs
        if theirs and self._lots.random() < self._share:
            self.calls["throttled"] += 1
            return refusal(request, throttled=True)
        return self._forward(request)


class Traffic:
    """Drops zips, and hands on what the bucket says of them: one thread each.

    Args:
        plan: see there.
        client: makes clients, by service.
        bucket: for zips.
        intake: what the bucket announces to.
        queue: what the workers listen to.
    """

    def __init__(self, plan: Plan, client: Callable[[str], Any], bucket: str, intake: str, queue: str) -> None:
        self._plan = plan
        self._client = client
        self._bucket, self._intake, self._queue = bucket, intake, queue
        self._over = threading.Event()
        self._threads = [threading.Thread(target=it, daemon=True) for it in (self._drop_all, self._hand_on_all)]
        self.dropped: list[Dropped] = []
        self.events: list[str] = []
        self.late: set[str] = set()
        self.doubled = 0
        self.failures: list[str] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def handed_on(self) -> bool:
        """Whether every zip was dropped and announced once at least."""
        return len(self.events) >= self._plan.drops or bool(self.failures)

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)

    def _drop_all(self) -> None:
        lots, s3 = random.Random(self._plan.seed), self._client("s3")
        began = time.monotonic()
        try:
            for number in range(self._plan.drops):
                if self._over.wait(max(0.0, began + number / self._plan.rate - time.monotonic())):
                    return
                # Every app once, then any: some apps get several in a row.
                which = number if number < self._plan.apps else lots.randrange(self._plan.apps)
                self._drop(s3, self._plan.app(which), f"word{number:06d}")
        except Exception as error:
            self.failures.append(f"dropping ended: {error!r}")

    def _drop(self, s3: Any, app: str, word: str) -> None:
        when = time.time()
        answer = s3.put_object(Bucket=self._bucket, Key=f"apps/{app}.zip", Body=zip_of(app, word))
        self.dropped.append(Dropped(app, answer["VersionId"], word, when))

    def _hand_on_all(self) -> None:
        lots, sqs = random.Random(self._plan.seed + 1), self._client("sqs")
        try:
            while not self._over.is_set():
                answer = sqs.receive_message(QueueUrl=self._intake, MaxNumberOfMessages=10, WaitTimeSeconds=1)
                for message in answer.get("Messages", []):
                    self._hand_on(sqs, message["Body"], lots)
                    sqs.delete_message(QueueUrl=self._intake, ReceiptHandle=message["ReceiptHandle"])
        except Exception as error:
            self.failures.append(f"handing on ended: {error!r}")

    def _hand_on(self, sqs: Any, body: str, lots: random.Random) -> None:
        """Held back, an event comes after newer ones of its app; doubled, it comes again when all may be done."""
        if "Records" not in json.loads(body):
            return  # S3's test event
        delay = lots.randint(1, LONGEST_LATE) if lots.random() < self._plan.late else 0
        if delay:
            self.late.add(json.loads(body)["Records"][0]["s3"]["object"]["versionId"])
        sqs.send_message(QueueUrl=self._queue, MessageBody=body, DelaySeconds=delay)
        if lots.random() < self._plan.doubled:
            self.doubled += 1
            sqs.send_message(QueueUrl=self._queue, MessageBody=body, DelaySeconds=lots.randint(0, LONGEST_LATE))
        self.events.append(body)


def zip_of(app: str, word: str) -> bytes:
    """An app without dependencies that answers a word."""
    return make_zip(saying(word, small_zappa(project_name=app) if app.startswith("zappa") else None))


class Fleet:
    """The worker processes. Use it from the main thread: they end with the thread that started them."""

    def __init__(self, plan: Plan, folder: Path, environ: Mapping[str, str]) -> None:
        self._lots = random.Random(plan.seed + 2)
        self._began = time.monotonic()
        self.kills: Counter[str] = Counter()
        self.samples: list[Sample] = []
        names = [*(f"worker-{number}" for number in range(1, plan.victims + 1)), STEADY]
        self._children = {name: self._child(name, folder, environ) for name in names}

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self.stop)
            for child in self._children.values():
                child.start()
            for child in self._children.values():
                child.wait_until_ready(120)
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def logs(self) -> list[Path]:
        return [child.log for child in self._children.values()]

    def kill_one(self) -> str:
        """One of those that may be, as the kernel would when memory runs out; its successor is at work on return."""
        name = self._lots.choice([name for name in self._children if name != STEADY])
        child = self._children[name]
        assert child.pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        child.end(5)  # and what it left, as systemd would
        self.kills[name] += 1
        child.start()
        child.wait_until_ready(120)
        return name

    def look(self) -> None:
        """Take a sample of each; what has ended by itself is an error."""
        for name, child in self._children.items():
            if (code := child.returncode()) is not None:
                raise RuntimeError(f"{name} ended by itself with {code}:\n{child.log.read_text()[-3000:]}")
            assert child.pid is not None
            resident, peak = memory(child.pid)
            self.samples.append(Sample(name, child.pid, time.monotonic() - self._began, resident, peak))

    def stop(self) -> None:
        for child in self._children.values():
            child.ask_to_stop()
        for child in self._children.values():
            child.end(15)

    @staticmethod
    def _child(name: str, folder: Path, environ: Mapping[str, str]) -> Child:
        work = folder / "work" / name
        work.mkdir(parents=True)
        environ = {**environ, "AUTO_LAMBDA_WORK_DIR": str(work)}
        return Child(name, "worker", folder / f"{name}.log", environ)


def memory(pid: int) -> tuple[int, int]:
    """Resident memory of a process in bytes: now, and at its peak."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    resident, peak = (int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return resident, peak


class Soak:
    """One run: the embedded AWS, the pipeline in it, the proxy before it, the fleet, the traffic. A context manager."""

    def __init__(self, plan: Plan, folder: Path, say: BuildLog) -> None:
        self.plan = plan
        self._folder = folder
        self._say = say
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.aws = undo.enter_context(EmbeddedAws.start(self._folder))
            self.pipeline = deploy_pipeline(self.aws, self._folder)
            lots = random.Random(self.plan.seed + 3)
            self.proxy = undo.enter_context(ThrottlingAws(self.aws.endpoint, self.plan.throttled, lots))
            self._sqs = self.client("sqs")
            self._intake = self._sqs.create_queue(QueueName="soak-intake")["QueueUrl"]
            self._announce_to(self._intake)
            self._exit = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def client(self, service: str) -> Any:
        """A client of the embedded AWS itself, which is never throttled."""
        return local_client(self.aws, service)

    def environ(self, endpoint: str) -> dict[str, str]:
        """A worker's that sees AWS at an address."""

        def seen(url: str) -> str:
            return url.replace(self.aws.endpoint, endpoint)

        queue, letters = seen(self.pipeline.queue), seen(self.pipeline.dead_letters)
        pipeline = replace(self.pipeline, endpoint=endpoint, queue=queue, dead_letters=letters)
        return {**pipeline.environ_over(os.environ), **SETTINGS, **self.plan.settings}

    def run(self) -> tuple[Fleet, Traffic, bool]:
        """All drops, kills and the rest; whether it came to an end before the deadline."""
        traffic = Traffic(self.plan, self.client, self.pipeline.bucket, self._intake, self.pipeline.queue)
        with Fleet(self.plan, self._folder, self.environ(self.proxy.endpoint)) as fleet:
            traffic.start()
            try:
                ended = self._until_quiet(fleet, traffic)
            finally:
                traffic.stop()
        return fleet, traffic, ended

    def _until_quiet(self, fleet: Fleet, traffic: Traffic) -> bool:
        began, kills = time.monotonic(), list(self._kill_times())
        told, quiet = 0.0, 0
        while (now := time.monotonic() - began) < self.plan.deadline:
            if kills and now >= kills[0]:
                kills.pop(0)
                fleet.kill_one()
            fleet.look()
            depth = self._depth()
            if now - told >= 15:
                told = now
                self._say(
                    f"{now:5.0f} s: {len(traffic.dropped)} dropped, {traffic.doubled} doubled, {fleet.kills.total()} "
                    f"killed, {self.proxy.calls['throttled']} calls throttled, {depth} messages in the queue"
                )
            quiet = quiet + 1 if traffic.handed_on and depth == 0 else 0
            if quiet >= 3:
                return not traffic.failures
            time.sleep(0.5)
        return False

    def _kill_times(self) -> Iterator[float]:
        """Spread over the time of the drops, each somewhere in its share of it."""
        lots, share = random.Random(self.plan.seed + 4), self.plan.drops / self.plan.rate / max(self.plan.kills, 1)
        for number in range(self.plan.kills):
            yield (number + lots.random()) * share

    def _depth(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        names.append("ApproximateNumberOfMessagesDelayed")
        answer = self._sqs.get_queue_attributes(QueueUrl=self.pipeline.queue, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def _announce_to(self, queue: str) -> None:
        answer = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        s3, bucket = self.client("s3"), self.pipeline.bucket
        configuration = s3.get_bucket_notification_configuration(Bucket=bucket)
        announced = configuration["QueueConfigurations"]
        for one in announced:
            one["QueueArn"] = answer["Attributes"]["QueueArn"]
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": announced}
        )
