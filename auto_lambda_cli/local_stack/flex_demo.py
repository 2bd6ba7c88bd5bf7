"""``make demo-flex``: an app moves to Fargate and back while clients ask it all the time, and no request fails."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any

import urllib3

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.grants import grants_key
from auto_lambda.receipts import Receipt
from auto_lambda_cli.local_stack import picture, plot
from auto_lambda_cli.local_stack.demonstration import Demonstration
from auto_lambda_cli.local_stack.dns import DnsResolver, records_of
from auto_lambda_cli.local_stack.load import Asked, Clients
from auto_lambda_cli.local_stack.stack import LocalStack
from auto_lambda_cli.packing import zip_folder
from auto_lambda_cli.sources import apps_folder, examples_folder

APP, CONTROLLER = keys.App("dev", "quotes"), keys.App("platform", "flex-controller")
DOMAIN = "apps.localhost"
TOPIC = "flex-controller-platform_hints"
# The clock is fast: what takes minutes on AWS takes seconds here, by the settings of the app.
FLEX = """
[flex]
above = 12
below = 6
up_after = "10s"
down_after = "20s"
ttl = "2s"
cool_down = "5s"
transitions_per_hour = 1000
min_tasks = 2
max_tasks = 4
cpu = 512
memory = 1024
"""
STEADY, HIGH, LOW = 5.0, 25.0, 3.0  # requests per second
CALM, HELD = 6, 8  # seconds of steady load before the first move, and of high demand on Fargate
TICK = 2  # seconds between two looks of the controller; each is a function's run, which may take as long here
PATIENCE = 120.0  # seconds for each thing to happen
PHASES = ("lambda", "both", "fargate")
_PATHS = (*["/quotes"] * 8, "/openapi.json", "/docs")  # FastAPI's own pages are the app's, too


def run(folder: Path, rounds: int = 1) -> int:
    """Run the demo and return the exit code: 0 if the app went up and down and no request failed."""
    from rich.console import Console

    console = Console(highlight=False)
    began = time.monotonic()
    console.print("[bold]1. A local stack, with a domain and a fake Fargate[/]")
    with LocalStack.start(folder, app_rights="granted", domain=DOMAIN, settings={"AUTO_LAMBDA_SLOTS": "2"}) as stack:
        demo = FlexDemo(stack, console, PATIENCE, folder)
        good = demo.prepare() and demo.move(rounds)
        failed = demo.report()
        console.print(f"\n{'up and down' if good else '[red]not all of it[/]'}, {time.monotonic() - began:.0f} s")
    return 0 if good and not failed else 1


@dataclass(frozen=True, slots=True)
class Second:
    """What a second showed: demand and answers by front, the stack, the slowest twentieth of the requests."""

    demand: float
    answered: Mapping[str, int]
    phase: str
    weight: int
    tasks: int
    p95: float

    def line(self) -> str:
        """Return it for people."""
        answered = "  ".join(f"{front} {self.answered.get(front, 0):3}" for front in ("lambda", "fargate"))
        return (
            f"{self.phase:<8}{self.weight:3} % to Fargate   {self.demand:4.0f} requests/s   {answered}   "
            f"{self.tasks} tasks   p95 {self.p95 * 1000:4.0f} ms"
        )


@dataclass
class FlexDemo(Demonstration):
    """A stack with the controller and an app that flexes, and clients that ask it."""

    folder: Path
    seconds: list[Second] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    first: dict[str, bytes] = field(default_factory=dict)
    _asked: Iterator[str] = field(default_factory=lambda: cycle(_PATHS))

    # ------------------------------------------------------------------------------------------ prepare

    def prepare(self) -> bool:
        """Drop the controller and the app."""
        self.title("2. The flex controller and the example app quotes are dropped")
        zone = self.zone
        self.client("cloudformation").create_stack(
            StackName="flex-controller-setup",
            TemplateBody=(apps_folder() / "flex_controller" / "setup.yaml").read_text(),
            Parameters=[{"ParameterKey": "HostedZoneIds", "ParameterValue": zone}],
        )
        grants = (apps_folder() / "flex_controller" / "grants.json").read_bytes()
        self.client("s3").put_object(Bucket=self.stack.pipeline.artifacts, Key=grants_key(CONTROLLER), Body=grants)
        # One after the other: without the controller, an app with [flex] is refused.
        receipts = [
            self.followed(self.drop(app, source, settings))
            for app, source, settings in (
                (CONTROLLER, apps_folder() / "flex_controller", ""),
                (APP, examples_folder() / "quotes", FLEX),
            )
        ]
        for app, receipt in zip((CONTROLLER, APP), receipts, strict=True):
            self.say(f"{app}: {receipt.status}, {receipt.url or (receipt.error and receipt.error.message)}")
        if not all(receipt.status == "live" for receipt in receipts):
            return False
        if not self.happens(lambda: self._described() is not None):
            self.say(f"there is no stack {APP.flex_stack}")
            return False
        self.say("its [flex]: above 12 requests/s for 10 s it moves up, below 6 for 20 s down; the DNS's TTL is 2 s")
        return True

    def drop(self, app: keys.App, source: Path, settings: str) -> drops.Drop:
        """Drop a folder as an app, with more settings in its auto-lambda.toml."""
        copy, zipped = self.folder / app.name, self.folder / f"{app.name}.zip"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)
        with (copy / "auto-lambda.toml").open("a") as file:
            file.write(settings)
        zip_folder(copy, zipped)
        return drops.drop(self._store, self.stack.pipeline.bucket, app, zipped)

    def followed(self, dropped: drops.Drop) -> Receipt:
        """Wait for the final receipt of a drop."""
        return list(drops.follow(self._store, dropped, timeout=PATIENCE * 2))[-1]

    # ---------------------------------------------------------------------------------------------- move

    def move(self, rounds: int) -> bool:
        """Let demand rise and fall, and watch the app follow."""
        self.title("3. Demand rises and falls, and the app follows")
        self.say("four clients take a DNS answer for its TTL, four hold on to it for twice as long")
        resolvers = [
            DnsResolver(self._records, time.monotonic, random.random, hold) for hold in (1.0, 2.0) for _ in range(4)
        ]
        with Clients(self._ask, resolvers) as clients, self._shown() as show:
            good = all(self._round(clients, show, first=number == 0) for number in range(rounds))
            clients.stop()
            self.asked = clients.done()
        return good

    def _round(self, clients: Clients, show: Callable[[Second], None], *, first: bool) -> bool:
        held = Counter[str]()

        def up() -> bool:
            held.update([self.seconds[-1].phase])
            return held["fargate"] >= HELD

        calm = len(self.seconds) + CALM
        return (
            self._watch(clients, show, STEADY, lambda: len(self.seconds) >= calm)
            and self._watch(clients, show, HIGH, up)
            and (not first or self._drop_again(clients, show))
            and self._watch(clients, show, LOW, self._gone)
        )

    def _drop_again(self, clients: Clients, show: Callable[[Second], None]) -> bool:
        """Drop a new version while tasks serve, and watch it replace them."""
        before = self._revisions()
        dropped = self.drop(APP, examples_folder() / "quotes", f'{FLEX}\n[environment]\nRELEASE = "2"\n')
        with ThreadPoolExecutor(1) as pool:
            live = pool.submit(self.followed, dropped)
            good = self._watch(clients, show, HIGH, live.done) and live.result().status == "live"
        replaced = good and self._revisions().isdisjoint(before)
        self.say(
            "a new version was dropped while tasks served: " + ("they are replaced" if replaced else "they are not")
        )
        return replaced

    def _revisions(self) -> set[str]:
        return {task.service.definition for task in self.stack.fargate.tasks() if task.healthy}

    def _gone(self) -> bool:
        last = self.seconds[-1]
        balancers = self.client("elbv2").describe_load_balancers()["LoadBalancers"]
        return last.phase == "lambda" and not last.tasks and not balancers

    def _watch(self, clients: Clients, show: Callable[[Second], None], rate: float, until: Callable[[], bool]) -> bool:
        """Ask at a rate, tick now and then as the schedule does once a minute, and look, until something is so."""
        clients.rate = rate
        deadline = time.monotonic() + PATIENCE
        while True:
            began = time.monotonic()
            self.stack.check()
            if len(self.seconds) % TICK == 0:
                self.tick()
            time.sleep(max(0.0, 1 - (time.monotonic() - began)))
            self.seconds.append(self._second(clients, rate, began))
            show(self.seconds[-1])
            if until():
                return True
            if time.monotonic() > deadline:
                self.say(f"waited {PATIENCE:.0f} s in vain")
                return False

    def tick(self) -> None:
        """Let the controller look."""
        self.client("sns").publish(TopicArn=self._topic, Message='{"kind": "tick"}')

    def _second(self, clients: Clients, rate: float, since: float) -> Second:
        recent = [one for one in clients.done() if one.at + one.seconds >= since]
        fronts = Counter(_front(one.target) for one in recent if not one.wrong)
        took = sorted(one.seconds for one in recent)
        parameters = (self._described() or {}).get("Parameters", ())
        values = {one["ParameterKey"]: one["ParameterValue"] for one in parameters}
        return Second(
            rate, dict(fronts), values.get("Phase", "lambda"), int(values.get("FargateWeight", 0)),
            len(self.stack.fargate.tasks()), took[int(len(took) * 0.95)] if took else 0.0,
        )  # fmt: skip

    def _ask(self, target: str) -> str:
        """Ask where the name leads, under the app's own name, as a browser does; both fronts have to answer alike."""
        endpoint, asked = self.stack.aws.endpoint, next(self._asked)
        base = f"/_alb/{balancer_of(target)}" if _front(target) == "fargate" else ""
        port = endpoint.rpartition(":")[2]
        answer = self._http.request("GET", f"{endpoint}{base}{asked}", headers={"Host": f"{self._name}:{port}"})
        if answer.status != 200:
            return f"{answer.status} from {target} for {asked}: {answer.data[:200]!r}"
        first = self.first.setdefault(asked, answer.data)
        return "" if answer.data == first else f"another answer for {asked}: {answer.data[:200]!r}"

    @contextmanager
    def _shown(self) -> Iterator[Callable[[Second], None]]:
        """Show each second: in place on a terminal, else a line where something has changed."""
        from rich.live import Live

        if not self.console.is_terminal:
            yield self._print_changes
            return
        with Live(console=self.console, refresh_per_second=4) as live:
            yield lambda _: live.update("\n".join(self._view()))

    def _view(self) -> list[str]:
        demand = [float(sum(one.answered.values())) for one in self.seconds[-72:]]
        fargate = [float(one.answered.get("fargate", 0)) for one in self.seconds[-72:]]
        return [
            f"   {len(self.seconds):3} s  {self.seconds[-1].line()}",
            "   answers per second", *(f"   {line}" for line in plot.bars(demand, width=72, height=4)),
            "   of them by Fargate", *(f"   {line}" for line in plot.bars(fargate, width=72, height=4)),
        ]  # fmt: skip

    def _print_changes(self, second: Second) -> None:
        before = self.seconds[-2] if len(self.seconds) > 1 else None
        same = before and (before.phase, before.weight, before.tasks, before.demand) == (
            second.phase, second.weight, second.tasks, second.demand,
        )  # fmt: skip
        if not same:
            self.say(f"{len(self.seconds):3} s  {second.line()}")

    # -------------------------------------------------------------------------------------------- report

    def report(self) -> int:
        """Plot demand, phase and latency, and return how many requests failed."""
        if not self.asked:
            return 0
        self.title("4. What the clients saw")
        weights = [float(one.weight) for one in self.seconds]
        answers = [float(sum(one.answered.values())) for one in self.seconds]
        phases = [float(PHASES.index(one.phase)) for one in self.seconds]
        latency = [one.p95 * 1000 for one in self.seconds]
        shown: Sequence[tuple[str, list[float]]] = (
            ("requests per second", answers), ("phase: lambda, both, fargate", phases),
            ("share of the traffic on Fargate, %", weights), ("95 % of the requests took at most, ms", latency),
        )  # fmt: skip
        for title, values in shown:
            self.say(title)
            for line in plot.bars(values, width=72, height=3):
                self.say(line)
        wrong = [one for one in self.asked if one.wrong]
        path = self.folder / "flex.svg"
        path.write_text(self._picture(f"{len(wrong)} failed requests of {len(self.asked):,}"))
        self.say(f"the same as a picture: {path}")
        for reason, count in Counter(one.wrong for one in wrong).most_common(5):
            self.say(f"[{count}] {reason}")
        fronts = Counter(_front(one.target) for one in self.asked)
        self.say(f"answered by Lambda: {fronts['lambda']:,}, by Fargate: {fronts['fargate']:,}")
        self.console.print(f"\n[bold]{len(wrong)} failed requests of {len(self.asked):,}[/]")
        return len(wrong)

    def _picture(self, title: str) -> str:
        def of(front: str) -> list[float]:
            return [float(one.answered.get(front, 0)) for one in self.seconds]

        return picture.svg(title, [
            picture.Panel("answers per second", [
                ("demand", [one.demand for one in self.seconds]), ("by Lambda", of("lambda")),
                ("by Fargate", of("fargate")),
            ]),
            picture.Panel("phase", [("", [float(PHASES.index(one.phase)) for one in self.seconds])], PHASES),
            picture.Panel("tasks", [("", [float(one.tasks) for one in self.seconds])]),
            picture.Panel("95 % of the requests took at most, ms", [("", [one.p95 * 1000 for one in self.seconds])]),
        ])  # fmt: skip

    # ------------------------------------------------------------------------------------------- details

    @cached_property
    def _store(self) -> ObjectStore:
        return ObjectStore(self.client("s3"))

    @cached_property
    def _http(self) -> urllib3.PoolManager:
        return urllib3.PoolManager(maxsize=32, retries=False, timeout=20)

    @cached_property
    def zone(self) -> str:
        """The hosted zone of the apps' domain."""
        (zone,) = self.client("route53").list_hosted_zones()["HostedZones"]
        return str(zone["Id"]).rpartition("/")[2]

    @cached_property
    def _topic(self) -> str:
        topics = self.client("sns").list_topics()["Topics"]
        return next(str(one["TopicArn"]) for one in topics if one["TopicArn"].endswith(f":{TOPIC}"))

    @property
    def _name(self) -> str:
        return f"{APP.name}-{APP.stage}.{DOMAIN}"

    def _records(self) -> Any:
        listed = self.client("route53").list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        return records_of(self._name, listed)

    def _described(self) -> Any:
        listed = self.client("cloudformation").describe_stacks()["Stacks"]
        found = (one for one in listed if one["StackName"] == APP.flex_stack)
        return next((one for one in found if one["StackStatus"] != "DELETE_COMPLETE"), None)


def _front(target: str) -> str:
    return "fargate" if ".elb." in target else "lambda"


def balancer_of(target: str) -> str:
    """Return the name of a load balancer, which its DNS name begins with."""
    return target.partition(".")[0].rpartition("-")[0]
