"""The stage about flex: an app moves to Fargate and back while it is asked all the time."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
from e2e_stack import ROOT, read_folder, small_zappa

from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.grants import grants_key
from auto_lambda_cli.local_stack.dns import DnsResolver, records_of
from auto_lambda_cli.local_stack.flex_demo import balancer_of
from e2e_aws.model import Finding, expect
from e2e_aws.run import Run
from worker.bundle.flex.parts import CONTROLLER

DOMAIN, CERTIFICATE, ZONE = (f"AUTO_LAMBDA_E2E_{name}" for name in ("DOMAIN", "CERTIFICATE_ARN", "HOSTED_ZONE_ID"))
APP = "moving"
_CONTROLLER = ROOT / "apps" / "flex_controller"
_FLEX = """
[flex]
above = 1000
below = 500
ttl = "{ttl}s"
cool_down = "1s"
transitions_per_hour = 1000
min_tasks = 1
"""


@dataclass(frozen=True, slots=True)
class Names:
    """The domain below which the run's apps get names."""

    domain: str
    certificate_arn: str
    zone_id: str


def setup_stack(run: Run) -> str:
    """Return the name of the stack with what the controller needs."""
    return f"{run.name}-flex-setup"


def flex(run: Run) -> Iterator[Finding]:
    """Install the controller, drop an app with ``[flex]``, move it up and down by hand, and drop it again."""
    expect(_free(run), "this account has a flex controller, which would move the run's app: use another region")
    names = _names(run)
    run.stop_worker()
    run.settings |= {
        "AUTO_LAMBDA_DOMAIN": names.domain,
        "AUTO_LAMBDA_CERTIFICATE_ARN": names.certificate_arn,
        "AUTO_LAMBDA_HOSTED_ZONE_ID": names.zone_id,
    }
    run.worker()
    _install(run, names)
    ttl = 1 if run.place.rehearsal else 10
    files = {**small_zappa(), "auto-lambda.toml": _FLEX.format(ttl=ttl)}
    run.drop(APP, files)
    yield Finding("domain-rights", f"{APP}-{run.name}.{names.domain} was made with the rights of the workers' role")
    clients = _Clients(run, names)
    with clients.asking():
        up = _moved(run, "up")
        yield Finding("task-image", f"tasks of {clients.image()} are healthy and have the traffic")
        run.drop(APP, {**files, "app.py": str(files["app.py"]) + "\n# another release\n"})
        yield Finding("flex-change-sets", "a drop after updates by the controller, while tasks serve, is live")
        down = _moved(run, "down")
    expect(not clients.failed, f"{len(clients.failed)} failed requests of {clients.asked}: {clients.failed[:3]}")
    yield Finding("flex-seconds", f"up {up:.0f} s, down {down:.0f} s, 0 failed requests of {clients.asked}")


def _free(run: Run) -> bool:
    stack = Stacks(run.place.client("cloudformation")).describe(CONTROLLER.stack)
    return stack is None or stack.tags.get("auto-lambda:pipeline") == run.name


def _names(run: Run) -> Names:
    if not run.place.rehearsal:
        return Names(os.environ[DOMAIN], os.environ[CERTIFICATE], os.environ[ZONE])
    domain = f"{run.name}.localhost"
    zone = run.place.client("route53").create_hosted_zone(Name=domain, CallerReference=run.name)["HostedZone"]["Id"]
    certificate = run.place.client("acm").request_certificate(DomainName=f"*.{domain}")["CertificateArn"]
    return Names(domain, certificate, zone.rpartition("/")[2])


def _install(run: Run, names: Names) -> None:
    """Do what apps/flex_controller/README.md says, for the apps of this run's pipeline only."""
    given = {"HostedZoneIds": names.zone_id, "Pipeline": run.name}
    cloudformation = run.place.client("cloudformation")
    if Stacks(cloudformation).describe(setup_stack(run)) is None:
        cloudformation.create_stack(
            StackName=setup_stack(run),
            TemplateBody=(_CONTROLLER / "setup.yaml").read_text(),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Tags=[{"Key": name, "Value": value} for name, value in run.tag().items()],
        )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=setup_stack(run), WaiterConfig={"Delay": 1 if run.place.rehearsal else 15}
    )
    copy = run.folder / "flex_controller"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(_CONTROLLER, copy)
    subprocess.run([sys.executable, copy / "configure.py", "--pipeline", run.name], check=True, capture_output=True)
    _grant(run, copy)
    run.drop(CONTROLLER.name, read_folder(copy), stage=CONTROLLER.stage)


def _grant(run: Run, app: Path) -> None:
    setup = Stacks(run.place.client("cloudformation")).describe(setup_stack(run))
    expect(setup, f"{setup_stack(run)} is gone")
    boundary = setup.outputs["BoundaryArn"] if setup else ""
    stated = (app / "grants.json").read_text().rstrip().removesuffix("}")
    body = f'{stated}, "boundary": "{boundary}"}}'
    run.place.client("s3").put_object(
        Bucket=run.outputs["ArtifactsBucket"], Key=grants_key(CONTROLLER), Body=body.encode()
    )


def _moved(run: Run, mode: str) -> float:
    """Move the app by the command, and return how long that took."""
    begun = time.monotonic()
    run.cli("flex", mode, APP, "--stage", run.name, "--bucket", run.outputs["UploadsBucket"])
    return time.monotonic() - begun


@dataclass
class _Clients:
    """Asks the app all the time."""

    run: Run
    names: Names
    asked: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def _name(self) -> str:
        return f"{APP}-{self.run.name}.{self.names.domain}"

    def image(self) -> str:
        """Return the image of the tasks."""
        told = self.run.place.client("ecs").describe_task_definition(taskDefinition=f"al-Flex-{APP}-{self.run.name}")
        return str(told["taskDefinition"]["containerDefinitions"][0]["image"])

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask until the end of the context; on the embedded AWS let the controller look, too, as the schedule does."""
        stop = threading.Event()

        def forever() -> None:
            resolver = DnsResolver(self._records, time.monotonic, random.random)
            while not stop.wait(0.2):
                self.asked += 1
                try:
                    told = self._ask(resolver)
                except Exception as error:
                    told = repr(error)
                if told:
                    self.failed.append(told)

        def tick() -> None:
            while not stop.wait(2):
                self._tick()

        threads = [threading.Thread(target=forever), *([threading.Thread(target=tick)] if self._rehearsal else ())]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    @property
    def _rehearsal(self) -> bool:
        return self.run.place.rehearsal

    def _ask(self, resolver: DnsResolver) -> str:
        if not self._rehearsal:
            answer = urllib3.request("GET", f"https://{self._name}/", timeout=30, retries=False)
        else:
            target, endpoint = resolver.resolve(), self.run.place.environ["AWS_ENDPOINT_URL"]
            path = f"/_alb/{balancer_of(target)}/" if ".elb." in target else "/"
            answer = urllib3.request("GET", endpoint + path, headers={"Host": self._name}, timeout=30, retries=False)
        return "" if (answer.status, answer.data) == (200, b"small") else f"{answer.status} {answer.data[:200]!r}"

    def _records(self) -> Any:
        route53 = self.run.place.client("route53")
        return records_of(
            self._name, route53.list_resource_record_sets(HostedZoneId=self.names.zone_id)["ResourceRecordSets"]
        )

    def _tick(self) -> None:
        sns = self.run.place.client("sns")
        for one in sns.list_topics()["Topics"]:
            if one["TopicArn"].endswith(f":{CONTROLLER.name}-{CONTROLLER.stage}_hints"):
                sns.publish(TopicArn=one["TopicArn"], Message='{"kind": "tick"}')


def delete_controller(run: Run) -> None:
    """Delete the controller, its log groups and its setup stack, if they are this run's."""
    stacks = Stacks(run.place.client("cloudformation"))
    if _free(run):
        stacks.delete(CONTROLLER.stack)
    setup = stacks.describe(setup_stack(run))
    if setup is None:
        return
    stacks.delete(setup_stack(run))
    logs = run.place.client("logs")
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=f"/aws/lambda/{CONTROLLER.name}-{CONTROLLER.stage}"
    )
    for group in [one["logGroupName"] for page in pages for one in page["logGroups"]]:
        logs.delete_log_group(logGroupName=group)
    if run.place.rehearsal:
        route53 = run.place.client("route53")
        for zone in route53.list_hosted_zones()["HostedZones"]:
            if zone["Name"] == f"{run.name}.localhost.":
                route53.delete_hosted_zone(Id=zone["Id"])
