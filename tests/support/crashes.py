"""Runs the real worker against an embedded AWS of its own, spoils one call, and compares what is left in the end."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Self

import boto3
import remembered_builds
from aftermath import Aftermath, Subject
from chaos_scenarios import Scenario
from faulty_aws import Call, Fault, FaultyAws, Watch
from stable_tasks import move, telling_stable

from auto_lambda import drops
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.aws.session import client
from auto_lambda.keys import App
from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.processes import Child, tail
from auto_lambda_cli.local_stack.stack import deploy_pipeline, local_client, pipeline_domain
from auto_lambda_cli.running_stacks import REGION
from worker.bundle.flex.parts import CONTROLLER

Order = Callable[[ObjectStore, str, App, str], drops.Drop]
"""Drops a version of an app's zip again: store, bucket, app, version."""
_LOOK = 5.0  # seconds
PATIENCE = 300.0  # seconds; a case of a killed worker takes 30 on a quiet machine, which is what leases and skew take
SETTINGS = {
    "AUTO_LAMBDA_VISIBILITY_SECONDS": "10",
    "AUTO_LAMBDA_POLL_SECONDS": "1",
    "AUTO_LAMBDA_BACK_OFF_SECONDS": "1",
    "AUTO_LAMBDA_CALL_SECONDS": "5",
    "AUTO_LAMBDA_CALL_ATTEMPTS": "2",
    "AUTO_LAMBDA_RECONCILE_HOURS": "0",  # what is lost must come back by its message alone
    "AUTO_LAMBDA_DRAIN_SECONDS": "0",
    "AUTO_LAMBDA_SLOTS": "1",
    "AUTO_LAMBDA_SPARE_BUILDERS": "0",
    "PYTHONUNBUFFERED": "1",
}


_NAMES = {"Domain": "DOMAIN", "CertificateArn": "CERTIFICATE_ARN", "HostedZoneId": "HOSTED_ZONE_ID"}
_SHARE = 300.0  # seconds until traffic shifts


@dataclass(frozen=True, slots=True)
class Result:
    """How a case ended: ``difference`` is empty when all is as without the fault. ``reached``: the fault happened."""

    reached: bool
    difference: tuple[str, ...]
    seconds: float
    calls: tuple[Call, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)


class Lane:
    """One embedded AWS with the pipeline in it, one worker process, the proxy between them. A context manager.

    Cases run one after the other. Use it from one thread: the worker ends with the thread that started it.

    Attributes:
        scenario: what is done; another one that the lane suits may take its place between two cases.
    """

    _words = itertools.count(int(time.time()) % 10_000_000)

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        self.scenario = scenario
        self._folder = folder
        self._exit = ExitStack()
        self._app: Subject | None = None
        self._earlier: Subject | None = None
        self._shifting: Subject | None = None
        self._counts: dict[str, int] = {}

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._aws = undo.enter_context(EmbeddedAws.start(self._folder, patience=PATIENCE))
            names = pipeline_domain(self._aws, "apps.localhost") if self.scenario.flexes else {}
            self._names = {f"AUTO_LAMBDA_{name}": names[key] for key, name in _NAMES.items() if key in names}
            removes = {"UndeployOnDelete": "true"} if self.scenario is Scenario.REMOVING else {}
            self._pipeline = deploy_pipeline(self._aws, self._folder, {**names, **removes})
            self._client = cache(partial(_client, self._aws.endpoint))
            if names:
                self._pretend_controller()
                undo.enter_context(telling_stable(self._client("ecs"), every=0.3))
            self._proxy = undo.enter_context(FaultyAws(self._aws.endpoint))
            self._aftermath = Aftermath(self._client, self._pipeline, (self._proxy.endpoint, self._aws.endpoint))
            self._worker = self._make_worker()
            undo.callback(self._worker.end, 0)
            self._ensure_worker()
            self._exit = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def run(self, fault: Fault | None = None, expected: Mapping[str, Any] | None = None) -> Result:
        """Drop a zip, have the fault happen, wait for the end, and compare."""
        began = time.monotonic()
        self._ensure_worker()
        before = self._prepare()
        self._counts = self._counts or self._aftermath.counts()
        watch = self._proxy.watch(fault, self._worker.pid, self.scenario.throttled)
        subject = self._drop(before)
        ended = self._wait(subject, watch)
        self._proxy.watch()
        try:
            state = self._aftermath.look(subject, self._counts)
            if self.scenario is Scenario.COLLECTING:
                state["kept"] = self._aftermath.kept(subject)
            if self.scenario is Scenario.ABORTING:
                state["function"].pop("newer than live")  # nobody was led to it: it is collected soon
        except Exception as error:
            state = {"not to be seen": f"{type(error).__name__}: {error}", "receipt": self._aftermath.receipt(subject)}
        difference = list(differences(expected, state)) if expected is not None else []
        if not ended:
            difference.insert(0, f"not at an end after {PATIENCE:.0f} s")
        if difference:
            difference.append(f"the worker's log:\n{self._log()}")
        self._clean_up(subject, state, bool(difference))
        seconds = time.monotonic() - began
        return Result(watch.fired.is_set(), tuple(difference), seconds, tuple(watch.calls), state)

    def suits(self, scenario: Scenario) -> bool:
        """Whether its AWS and its worker are set up for a scenario, too."""
        return (scenario.flexes, scenario.settings) == (self.scenario.flexes, self.scenario.settings)

    def begin(self, scenario: Scenario) -> None:
        """Go over to another scenario that it suits. What the last one has left stays, as other apps do in AWS."""
        self.scenario, self._app, self._earlier, self._counts = scenario, None, None, {}

    @property
    def url(self) -> str:
        """Where the app of the present case answers."""
        assert self._app
        receipt = self._aftermath.receipt(self._app) or {}
        return str(receipt["serving"]["url"]).replace(self._proxy.endpoint, self._aws.endpoint)

    def drop(self, body: bytes, fault: Fault | None = None) -> dict[str, Any]:
        """Drop a zip of that content over the app that is live, and return its receipt. Nothing is compared."""
        self._ensure_worker()
        before = self._prepare()
        assert before
        watch = self._proxy.watch(fault, self._worker.pid)
        subject = self._put(before.app, body, before.word, self._versions_of(before))
        ended = self._wait(subject, watch)
        self._proxy.watch()
        receipt = self._aftermath.receipt(subject)
        assert ended, self._log()
        assert receipt
        assert fault is None or watch.fired.is_set(), "the call was not made"
        self._app = subject
        return receipt

    def _pretend_controller(self) -> None:
        """Let the worker find a controller: its stack. None moves the traffic here."""
        template = json.dumps({"Resources": {"Hints": {"Type": "AWS::SNS::Topic"}}})
        local_client(self._aws, "cloudformation").create_stack(StackName=CONTROLLER.stack, TemplateBody=template)

    # -- the worker

    def _make_worker(self) -> Child:
        work = self._folder / "work"
        work.mkdir()
        seen = replace(
            self._pipeline,
            endpoint=self._proxy.endpoint,
            queue=self._pipeline.queue.replace(self._aws.endpoint, self._proxy.endpoint),
            dead_letters=self._pipeline.dead_letters.replace(self._aws.endpoint, self._proxy.endpoint),
        )
        more = {**self.scenario.settings, **self._names}
        module = "worker"
        if self.scenario.remembers:
            module, builds = remembered_builds.__name__, self._folder.parent / "builds"
            more |= {remembered_builds.FOLDER: str(builds), "PYTHONPATH": str(Path(__file__).parent)}
        environ = {**seen.environ_over(os.environ), **SETTINGS, **more, "AUTO_LAMBDA_WORK_DIR": str(work)}
        return Child("worker", module, self._folder / "worker.log", environ)

    def _ensure_worker(self) -> None:
        if self._worker.pid is not None and self._worker.returncode() is None:
            return
        self._worker.end(0)
        self._worker.start()
        self._worker.wait_until_ready(PATIENCE)

    def _log(self) -> str:
        return "\n".join(line[:600] for line in tail(self._folder / "worker.log", 25).splitlines())

    # -- one case

    def _prepare(self) -> Subject | None:
        """What is live before. A first deploy finds no artifact of its own stored."""
        if not self.scenario.updates:
            self._empty_artifacts()
            return None
        self._app = self._app or self._first()
        if self.scenario is Scenario.ROLLBACK:
            self._earlier, self._app = self._app, self._undisturbed(self._app)
        if self.scenario.orders:
            self._shifting = self._shift(self._app)
        return self._undisturbed(self._app) if self.scenario is Scenario.COLLECTING else self._app

    def _first(self) -> Subject:
        """An app that is live; on Fargate, or on both fronts, if it is about that."""
        subject = self._undisturbed(None)
        if self.scenario.flexes:
            cloudformation, stack = self._client("cloudformation"), App("dev", subject.app).flex_stack
            move(cloudformation, stack, "both", 100)
            if self.scenario is Scenario.FLEX:
                move(cloudformation, stack, "fargate", 100)
        return subject

    def _undisturbed(self, before: Subject | None) -> Subject:
        subject = self._drop_zip(before)
        if not self._wait(subject, self._proxy.watch()):
            raise RuntimeError(f"what the case begins with did not go live:\n{self._log()}")
        return subject

    def _shift(self, before: Subject) -> Subject:
        """A release that has its first share of the calls, and nobody who works on it."""
        subject, end = self._drop_zip(before), time.monotonic() + _SHARE
        while time.monotonic() < end:
            if self._aftermath.shifts(subject):
                return subject
            time.sleep(0.2)
        raise RuntimeError(f"no traffic shifts:\n{self._log()}")

    def _drop(self, before: Subject | None) -> Subject:
        if before is None:
            return self._drop_zip(None)
        if self.scenario is Scenario.ROLLBACK and self._earlier:
            return self._ordered(drops.again, before, self._earlier)
        if self.scenario is Scenario.ABORTING and self._shifting:
            return self._ordered(drops.again, self._shifting, before)
        if self.scenario is Scenario.PROMOTING and self._shifting:
            return self._ordered(drops.at_once, self._shifting, self._shifting)
        if self.scenario is Scenario.REMOVING:
            answer = self._client("s3").delete_object(Bucket=self._pipeline.bucket, Key=f"apps/{before.app}.zip")
            return replace(before, version=answer["VersionId"])
        if self.scenario is Scenario.UNHEALTHY:
            return replace(self._drop_zip(before, answers=False), word=before.word)
        return self._drop_zip(before)

    def _ordered(self, order: Order, newest: Subject, to: Subject) -> Subject:
        """Drop the zip of a release again, with an order; the last receipt is that of ``newest``."""
        versions = self._versions_of(newest)
        dropped = order(ObjectStore(self._client("s3")), self._pipeline.bucket, App("dev", to.app), to.version)
        return Subject(to.app, str(dropped.version), to.word, *versions)

    def _drop_zip(self, before: Subject | None, *, answers: bool = True) -> Subject:
        number = next(self._words)
        word, app = f"word{number:08d}", before.app if before else f"app{number:08d}"
        versions = self._versions_of(before) if before else (0, 0)
        return self._put(app, self.scenario.zip(word, answers=answers), word, versions)

    def _put(self, app: str, body: bytes, word: str, versions: tuple[int, int]) -> Subject:
        answer = self._client("s3").put_object(
            Bucket=self._pipeline.bucket, Key=f"apps/{app}.zip", Body=body, ContentType="application/zip"
        )
        return Subject(app, answer["VersionId"], word, *versions)

    def _versions_of(self, subject: Subject) -> tuple[int, int]:
        """The version that is live, and the newest one."""
        serving = (self._aftermath.receipt(subject) or {}).get("serving")
        return (int(serving["version"]), self._aftermath.newest(serving["function"])) if serving else (0, 0)

    def _wait(self, subject: Subject, watch: Watch) -> bool:
        """Looks when the worker has deleted a message, and now and then: looking costs what others need."""
        end = time.monotonic() + PATIENCE
        look = time.monotonic() + _LOOK
        while time.monotonic() < end:
            if watch.fired.is_set():
                self._ensure_worker()
            if watch.settled.is_set() or time.monotonic() > look:
                watch.settled.clear()
                look = time.monotonic() + _LOOK
                if self._aftermath.final(subject) and self._has_collected(subject):
                    return True
            time.sleep(0.2)
        return False

    def _has_collected(self, subject: Subject) -> bool:
        return self.scenario is not Scenario.COLLECTING or self._aftermath.collected(subject.app)

    def _clean_up(self, subject: Subject, state: Mapping[str, Any], failed: bool) -> None:
        """An update's app is updated again by the next case, unless it is not what it should be."""
        if self.scenario.updates and self.scenario is not Scenario.REMOVING and not failed:
            self._app = subject
            return
        self._app, self._earlier, self._counts = None, None, {}  # layers outlive their stacks on purpose
        if failed:
            self._client("sqs").purge_queue(QueueUrl=self._pipeline.queue)
        with contextlib.suppress(Exception):
            self._aftermath.remove(subject.app)

    def _empty_artifacts(self) -> None:
        s3, bucket = self._client("s3"), self._pipeline.artifacts
        for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=item["Key"])


_SESSION = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
_ONE_AT_A_TIME = threading.Lock()


def _client(endpoint: str, service: str) -> Any:
    """One session for all lanes: each would read the descriptions of all services anew. It is not safe for threads."""
    with _ONE_AT_A_TIME:
        return client(_SESSION, service, endpoint=endpoint)


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """Each place where two end states differ, one line each."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            line
            for name in sorted({*expected, *found})
            for line in differences(expected.get(name), found.get(name), f"{path}/{name}")
        ]
    return [] if expected == found else [f"{path}: {found!r} instead of {expected!r}"]
