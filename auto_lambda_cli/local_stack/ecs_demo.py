"""``make demo-ecs``: drop the ECS updater, push an image, and let an alarm raise and lower a service."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_lambda import drops, keys
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.aws.urls import callable_url
from auto_lambda.grants import grants_key
from auto_lambda_cli.local_stack import plot
from auto_lambda_cli.local_stack.demonstration import Demonstration
from auto_lambda_cli.local_stack.registry import RegistryServer, serving
from auto_lambda_cli.local_stack.stack import LocalStack
from auto_lambda_cli.packing import zip_folder
from auto_lambda_cli.running_stacks import KEY_ID, REGION
from auto_lambda_cli.sources import apps_folder
from auto_lambda_cli.updater import NoStatus, ask_status, status_lines

if TYPE_CHECKING:
    pass

APP = keys.App("platform", "ecs-updater")
CLUSTER, REPOSITORY, TOKEN = "shop", "acme/shop", "a-token-that-nobody-guesses"
PATIENCE = 60.0  # seconds for each thing to happen
BUSY, CALM = range(4, 16), 3.0  # seconds of the load; the depth from which the alarm rings
MOST_SECONDS = 75  # of the scaling
SCALES = {
    "ecs-updater:raise": "web-busy", "ecs-updater:min": "2", "ecs-updater:max": "6",
    "ecs-updater:cooldown": "2 4", "ecs-updater:quiet": "15",
}  # fmt: skip


def run(folder: Path) -> int:
    """Run the demo and return the exit code: 0 if everything came as announced."""
    from rich.console import Console

    console = Console(highlight=False)
    began = time.monotonic()
    console.print("[bold]1. A local stack, and a registry[/]")
    with serving(RegistryServer()) as registry, LocalStack.start(folder, app_rights="granted") as stack:
        demo = EcsDemo(stack, console, PATIENCE, registry)
        demo.prepare()
        good = demo.drop(folder) and demo.push() and demo.replay() and demo.scale()
        console.print(
            f"\n{'all of it' if good else '[red]not all of it[/]'} came, after {time.monotonic() - began:.0f} s"
        )
    return 0 if good else 1


@dataclass
class EcsDemo(Demonstration):
    """A cluster with three services, two of which use one image, and the updater."""

    registry: RegistryServer
    url: str = ""
    before: list[str] = field(default_factory=list)

    @cached_property
    def ecs(self) -> Any:
        """A client of ECS."""
        return self.client("ecs")

    def prepare(self) -> None:
        """Create what is there before the updater is: the cluster, and what `setup.yaml` and the README say."""
        for tag in ("1.0.0", "latest"):
            self.registry.push(REPOSITORY, tag)
        self.ecs.create_cluster(clusterName=CLUSTER)
        image = f"{self.registry.host}/{REPOSITORY}"
        self._service("web", f"{image}:1.0.0", {"ecs-updater:follow": f"{image}:1.x", **SCALES})
        self._service("jobs", f"{image}:1.0.0", {"ecs-updater:follow": f"{image}:1.x"})
        self._service("blog", f"{self.registry.host}/acme/blog:7", {})
        template = (apps_folder() / "ecs_updater" / "setup.yaml").read_text()
        self.client("cloudformation").create_stack(StackName="ecs-updater-setup", TemplateBody=template)
        name = "/auto-lambda/platform/ecs-updater/hook-token"
        self.client("ssm").put_parameter(Name=name, Type="SecureString", Value=TOKEN)
        self.say("the cluster shop: web and jobs run acme/shop 1.0.0 and follow 1.x; blog runs something else")

    def drop(self, folder: Path) -> bool:
        """Drop the updater, first without its grants."""
        self.title("2. The updater is dropped like any other app")
        store = ObjectStore(self.client("s3"))
        refused = self._drop(store, folder)
        self.say(f"without grants: {refused.status}, {refused.error.code if refused.error else ''}")
        grants = (apps_folder() / "ecs_updater" / "grants.json").read_bytes()
        self.client("s3").put_object(Bucket=self.stack.pipeline.artifacts, Key=grants_key(APP), Body=grants)
        receipt = self._drop(store, folder)
        if not receipt.url:
            self.say(f"with grants: {receipt.status}, {receipt.error.message if receipt.error else ''}")
            return False
        self.url = callable_url(receipt.url, self.stack.aws.endpoint)
        self.say(f"with its grants.json: {receipt.status}, {self.url}")
        return True

    def push(self) -> bool:
        """Push an image, show the plan, post Docker Hub's webhook and watch the services follow."""
        self.title("3. Version 1.1.0 is pushed, and Docker Hub says so")
        self.before = self._running()
        self.registry.push(REPOSITORY, "1.1.0")
        self.say("the plan, before anybody has called the webhook (auto-lambda ecs status):")
        self._status()
        self.say(f"POST /hooks/docker-hub/...: {self._post('1.1.0')}")
        followed = self.happens(lambda: self._running()[:2] == ["web:2", "jobs:2"])
        for old, new in zip(self.before, self._running(), strict=True):
            self.say(f"{old} -> {new}" if old != new else f"{old} untouched", 6)
        self.happens(lambda: not any(row["behind"] for row in self._asked()["services"]))
        self._status()
        return followed and self._running()[2] == "blog:1"

    def replay(self) -> bool:
        """Post the same webhook again."""
        self.title("4. The same webhook twice more, and one with a wrong token")
        revisions = self._revisions()
        self.say(f"{self._post('1.1.0')}, {self._post('1.1.0')}, and {self._post('1.1.0', 'a-guess')}")
        time.sleep(3)
        same = self._revisions() == revisions
        self.say("no new revision, no update" if same else f"there are new revisions: {self._revisions()}")
        return same

    def scale(self) -> bool:
        """Make load, and watch the alarm raise the count and the quiet lower it."""
        self.title("5. An alarm raises the service web, and a quiet quarter of an hour lowers it")
        self.say("the clock is fast: a minute takes a second, in the tags of the service as in the updater's tick")
        tick = self._function("Tick")
        topic = self.client("sns").list_topics()["Topics"]
        self._alarm(next(one["TopicArn"] for one in topic if one["TopicArn"].endswith("_hints")))
        depths: list[float] = []
        counts: list[float] = []
        for second in range(MOST_SECONDS):
            self.stack.check()
            depths.append(9.0 if second in BUSY else 1.0)
            self.client("cloudwatch").put_metric_data(
                Namespace="shop", MetricData=[{"MetricName": "Depth", "Value": depths[-1]}]
            )
            self.client("lambda").invoke(FunctionName=tick, Qualifier="live", InvocationType="Event", Payload=_TICK)
            time.sleep(1)
            counts.append(self._desired())
            if second > max(BUSY) and counts[-1] == counts[0] < max(counts):
                break
        self._plot(depths, counts)
        return counts[-1] == counts[0] < max(counts)

    # ----------------------------------------------------------------------------------------- details

    def _service(self, name: str, image: str, tags: dict[str, str]) -> None:
        containers = [{"name": "main", "image": image, "memory": 64}]
        self.ecs.register_task_definition(family=name, containerDefinitions=containers)
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        self.ecs.create_service(cluster=CLUSTER, serviceName=name, taskDefinition=name, desiredCount=2, tags=listed)

    def _drop(self, store: ObjectStore, folder: Path) -> Any:
        copy, zipped = folder / "ecs_updater", folder / "ecs_updater.zip"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(apps_folder() / "ecs_updater", copy)
        with (copy / "auto-lambda.toml").open("a") as settings:
            settings.write(f'PLAIN_HTTP_REGISTRIES = "{self.registry.host}"\n')
        zip_folder(copy, zipped)
        dropped = drops.drop(store, self.stack.pipeline.bucket, APP, zipped)
        return list(drops.follow(store, dropped, timeout=PATIENCE * 3))[-1]

    def _post(self, tag: str, token: str = TOKEN) -> str:
        told = {"push_data": {"tag": tag}, "repository": {"repo_name": REPOSITORY}}
        request = urllib.request.Request(  # noqa: S310 - the receipt's URL
            f"{self.url}hooks/docker-hub/{token}", json.dumps(told).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return f"{answer.status} {answer.read().decode()}"
        except urllib.error.HTTPError as error:
            return f"{error.code} {error.read().decode()}"

    def _alarm(self, topic: str) -> None:
        self.client("cloudwatch").put_metric_alarm(
            AlarmName="web-busy", Namespace="shop", MetricName="Depth", Statistic="Average", Period=10,
            EvaluationPeriods=1, Threshold=CALM, ComparisonOperator="GreaterThanThreshold",
            AlarmActions=[topic], OKActions=[topic],
        )  # fmt: skip

    def _function(self, logical: str) -> str:
        stack = f"al-{APP.name}-{APP.stage}"
        told = self.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=logical)
        return str(told["StackResourceDetail"]["PhysicalResourceId"])

    def _described(self) -> list[Any]:
        told = self.ecs.describe_services(cluster=CLUSTER, services=["web", "jobs", "blog"])
        return list(told["services"])

    def _running(self) -> list[str]:
        return [service["taskDefinition"].rpartition("/")[2] for service in self._described()]

    def _desired(self) -> float:
        return float(self._described()[0]["desiredCount"])

    def _revisions(self) -> list[str]:
        return sorted(self.ecs.list_task_definitions()["taskDefinitionArns"])

    def _asked(self) -> Any:
        import boto3

        session = boto3.Session(
            aws_access_key_id=KEY_ID, aws_secret_access_key=self.stack.aws.secret, region_name=REGION
        )
        try:
            return ask_status(self.url, session)
        except NoStatus as error:
            return {"services": [], "problems": [str(error)]}

    def _status(self) -> None:
        told = json.loads(json.dumps(self._asked()).replace(f"{self.registry.host}/", ""))  # for narrow terminals
        for line in (*status_lines(told), *told["problems"]):
            self.say(line, 6)

    def _plot(self, depths: list[float], counts: list[float]) -> None:
        for title, values in (("depth of the queue; the alarm rings above 3", depths), ("tasks of web", counts)):
            self.say(title)
            for line in plot.bars(values, width=72, height=3):
                self.say(line)


_TICK = json.dumps(
    {
        "version": "0", "id": "1", "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": REGION,
        "source": "aws.events", "detail-type": "Scheduled Event", "resources": [], "detail": {},
    }
)  # fmt: skip
