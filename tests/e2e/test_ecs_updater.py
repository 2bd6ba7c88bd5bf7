"""The ECS updater, dropped like any other app: what it hears becomes what runs. The hooks come over real HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from e2e_stack import AUTO_LAMBDA, ROOT, Answer, Stack, make_zip, read_folder, until

from auto_lambda_cli.local_stack.registry import RegistryServer, serving

APP = ROOT / "apps" / "ecs_updater"
ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/api"
SETUP = "ecs-updater-setup"
PARAMETERS = "/auto-lambda/platform/ecs-updater"
FOLLOW = "ecs-updater:follow"


@dataclass
class Updater:
    """The updater on a cluster with three services, and a registry on the loopback address."""

    stack: Stack
    registry: RegistryServer
    url: str = ""

    def __post_init__(self) -> None:
        self.ecs = self.stack.client("ecs")

    def prepare(self) -> None:
        """Do what the README says comes before the drop, and create the services."""
        cloudformation = self.stack.client("cloudformation")
        cloudformation.create_stack(StackName=SETUP, TemplateBody=(APP / "setup.yaml").read_text())
        self.topic = next(
            one["OutputValue"]
            for one in cloudformation.describe_stacks(StackName=SETUP)["Stacks"][0]["Outputs"]
            if one["OutputKey"] == "TopicArn"
        )
        for name in ("hook-token", "github-secret"):
            self.stack.client("ssm").put_parameter(Name=f"{PARAMETERS}/{name}", Type="SecureString", Value=f"a {name}")
        self.ecs.create_cluster(clusterName="shop")
        for name, follow in (("web", "x"), ("jobs", "latest"), ("blog", None)):
            image = f"{self.registry.host}/acme/shop"
            self.create(name, f"{image}:1.0.0", {FOLLOW: f"{image}:{follow}"} if follow else {})

    def create(self, name: str, image: str, tags: dict[str, str]) -> None:
        containers = [{"name": "main", "image": image, "memory": 64}]
        self.ecs.register_task_definition(family=name, containerDefinitions=containers)
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        self.ecs.create_service(cluster="shop", serviceName=name, taskDefinition=name, desiredCount=2, tags=listed)

    def zip(self) -> bytes:
        files = read_folder(APP)
        files["auto-lambda.toml"] += f'PLAIN_HTTP_REGISTRIES = "{self.registry.host}"\n'.encode()
        return make_zip(files)

    def post(self, path: str, told: Any, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        return self.stack.http(
            self.url + path, "POST", body=body, headers={"Content-Type": "application/json", **named}
        )

    def docker_hub(self, token: str = "a%20hook-token") -> Answer:
        told = {"push_data": {"tag": "1.1.0"}, "repository": {"repo_name": "acme/shop"}}
        return self.post(f"hooks/docker-hub/{token}", told)

    def described(self, name: str) -> Any:
        return self.ecs.describe_services(cluster="shop", services=[name])["services"][0]

    def image(self, name: str) -> str:
        """What a service runs, without the registry's address."""
        told = self.ecs.describe_task_definition(taskDefinition=self.described(name)["taskDefinition"])
        return str(told["taskDefinition"]["containerDefinitions"][0]["image"]).rpartition("/")[2]

    def runs(self, name: str, image: str) -> None:
        until(lambda: self.image(name) == image, 30, lambda: f"{name} does not run {image}: {self.status()}")

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [AUTO_LAMBDA, *arguments], env=self.stack.environ, capture_output=True, text=True, timeout=60, check=False
        )

    def status(self) -> dict[str, Any]:
        told = self.cli("ecs", "status", "--json")
        assert told.stdout, told.stderr
        return {row["service"].rpartition("/")[2]: row for row in json.loads(told.stdout)["services"]}


@pytest.fixture(scope="module")
def updater(granted_stack: Stack) -> Iterator[Updater]:
    with serving(RegistryServer()) as registry:
        for tag in ("1.0.0", "latest"):
            registry.push("acme/shop", tag)
        made = Updater(granted_stack, registry)
        made.prepare()
        refused = granted_stack.final(granted_stack.drop("platform/ecs-updater", made.zip()))
        assert refused["error"]["code"] == "rights-not-granted"
        assert "ecs:UpdateService on arn:aws:ecs:*:*:service/shop/*" in refused["error"]["message"]
        done = made.cli("grants", "set", "ecs-updater", "--stage", "platform", "--from", str(APP / "grants.json"))
        assert done.returncode == 0, done.stderr
        receipt = granted_stack.live(granted_stack.drop("platform/ecs-updater", made.zip()))
        made.url = receipt["url"]
        yield made


def test_a_push_becomes_running_tasks_and_a_replay_changes_nothing(updater: Updater) -> None:
    latest = updater.registry.push("acme/shop", "latest")
    updater.registry.push("acme/shop", "1.1.0")
    assert updater.docker_hub().status == 202
    updater.runs("web", "shop:1.1.0")
    updater.runs("jobs", f"shop@{latest}")
    assert updater.image("blog") == "shop:1.0.0"
    before = updater.ecs.list_task_definitions()["taskDefinitionArns"]
    assert [updater.docker_hub().status for _ in range(3)] == [202] * 3
    until(lambda: updater.status()["web"]["running"] == 2, 30, lambda: str(updater.status()))
    assert updater.ecs.list_task_definitions()["taskDefinitionArns"] == before


def test_who_is_not_believed_is_refused(updater: Updater) -> None:
    assert updater.docker_hub("wrong").status == 404
    assert updater.post("hooks/github", {}, X_Hub_Signature_256="sha256=00", X_GitHub_Event="package").status == 401
    assert updater.post("hooks/push", {}, Authorization="Bearer wrong").status == 401
    assert updater.post("hooks/docker-hub/a%20hook-token", b"no json").status == 400
    assert updater.stack.http(f"{updater.url}status").status == 403


def test_its_api_lets_through_so_many_requests(updater: Updater) -> None:
    told = updater.stack.client("cloudformation").get_template(StackName="al-ecs-updater-platform")["TemplateBody"]
    resources = (json.loads(told) if isinstance(told, str) else told)["Resources"].values()
    (stage,) = (one["Properties"] for one in resources if one["Type"] == "AWS::ApiGateway::Stage")
    assert stage["MethodSettings"][0]["ThrottlingRateLimit"] == 5


def test_github_and_any_ci_are_heard(updater: Updater) -> None:
    updater.registry.push("acme/shop", "1.2.0")
    told = json.dumps({"package": {"namespace": "acme", "name": "shop"}}).encode()
    signature = f"sha256={hmac.new(b'a github-secret', told, hashlib.sha256).hexdigest()}"
    assert updater.post("hooks/github", told, X_Hub_Signature_256=signature, X_GitHub_Event="package").status == 202
    updater.runs("web", "shop:1.2.0")
    updater.registry.push("acme/shop", "1.3.0")
    assert updater.post("hooks/push", b"{}", Authorization="Bearer a hook-token").status == 202
    updater.runs("web", "shop:1.3.0")


def test_a_push_to_ecr_is_heard(updater: Updater) -> None:
    ecr = updater.stack.client("ecr")
    ecr.create_repository(repositoryName="shop/api")
    for tag in ("1.0.0", "1.1.0"):
        ecr.put_image(
            repositoryName="shop/api", imageTag=tag, imageManifest=json.dumps({"schemaVersion": 2, "tag": tag})
        )
    updater.create("api", f"{ECR}:1.0.0", {FOLLOW: f"{ECR}:x"})
    detail = {"action-type": "PUSH", "result": "SUCCESS", "repository-name": "shop/api", "image-tag": "1.1.0"}
    event = {
        "version": "0", "id": "1", "account": "123456789012", "time": "2026-11-28T12:00:00Z", "region": "us-east-1",
        "source": "aws.ecr", "detail-type": "ECR Image Action", "resources": [], "detail": detail,
    }  # fmt: skip
    events = updater.stack.client("events")
    patterns = [rule["EventPattern"] for rule in events.list_rules()["Rules"] if "EventPattern" in rule]
    heard = [events.test_event_pattern(EventPattern=one, Event=json.dumps(event))["Result"] for one in patterns]
    assert heard.count(True) == 1, patterns
    # The emulator sends no events of AWS's own, and refuses them from others.
    updater.stack.invoke(updater.stack.function("ecs-updater", "pushed", "platform"), event)
    updater.runs("api", "api:1.1.0")


def test_an_alarm_raises_the_count_through_the_topic(updater: Updater) -> None:
    updater.create("busy", "redis:7", {"ecs-updater:raise": "deep", "ecs-updater:min": "1", "ecs-updater:max": "4"})
    cloudwatch = updater.stack.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="deep", MetricName="Depth", Namespace="shop", Statistic="Average", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold", AlarmActions=[updater.topic], TreatMissingData="ignore",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="deep", StateValue="ALARM", StateReason="a test")
    until(lambda: updater.described("busy")["desiredCount"] == 3, 30, lambda: str(updater.described("busy")))


def test_what_was_taken_back_is_told_and_not_tried_again(updater: Updater) -> None:
    updater.registry.push("acme/shop", "1.4.0")
    updater.docker_hub()
    updater.runs("web", "shop:1.4.0")
    until(lambda: "ecs-updater:tried" in updater_tags(updater, "web"), 30, lambda: "no tag")
    updater.ecs.update_service(cluster="shop", service="web", taskDefinition="web:1")
    updater.docker_hub()
    until(lambda: updater_tags(updater, "web")["ecs-updater:tried"].endswith("failed"), 30, lambda: "not told")
    assert updater.image("web") == "shop:1.0.0"
    done = updater.cli("ecs", "status")
    assert done.returncode == 1
    assert "was tried and taken back" in done.stdout


def updater_tags(updater: Updater, name: str) -> dict[str, str]:
    (told,) = updater.ecs.describe_services(cluster="shop", services=[name], include=["TAGS"])["services"]
    return {tag["key"]: tag["value"] for tag in told["tags"]}
