"""The embedded AWS with a deployer, for whole deployments of drafts written by hand."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drafts import ACCOUNT, BOUNDARY, Maker, resource

from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.aws.existence import Existing
from auto_lambda.aws.lambda_ import Functions
from auto_lambda.aws.logs import LogGroups
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.errors import AppError
from auto_lambda.keys import App
from worker.deploy.context import DeployContext
from worker.deploy.deployer import Deployer
from worker.deploy.function_log import FunctionLogs
from worker.deploy.outlook import Outlook
from worker.deploy.rights.review import Review
from worker.model import Bundle, Deployment, DeployTarget, PipelineDomain
from worker.outcome import Failed

CRASH = (
    "import os\ndef handler(event, context):\n    raise RuntimeError('out of ' + os.environ.get('COLOR', 'ideas'))\n"
)
IMPOSSIBLE = resource(
    "SQS::Queue",
    RedrivePolicy={"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:x", "maxReceiveCount": "x"},
)


class World:
    """The embedded AWS with a deployer; each test has an app of its own."""

    def __init__(
        self,
        client: Callable[[str], Any],
        endpoint: str,
        folder: Path,
        app: App,
        domain: PipelineDomain | None = None,
    ) -> None:
        self.client = client
        self.s3, self.lambda_, self.cloudformation = client("s3"), client("lambda"), client("cloudformation")
        self.sqs = client("sqs")
        self.target = DeployTarget("artifacts", BOUNDARY, "us-east-1", "uploads", endpoint, domain=domain)
        self.app = app
        self.make = Maker(folder, self.target, app)
        self.said: list[str] = []
        self.restored: Deployment | None = None
        self.approved: set[str] = set()
        self.asked_for: list[str] = []
        self.reviews: list[Review] = []
        self.looked_up: list[Bundle] = []
        self.warned: list[str] = []
        self.lacks: AppError | None = None
        self.s3.create_bucket(Bucket="artifacts")
        self.deployer = Deployer(
            ObjectStore(self.s3), Stacks(self.cloudformation), Functions(self.lambda_), self.target,
            sleep=lambda _: None, approved=self._approval, look_up=self._look_up,
            find_log_groups=Existing(client).log_groups,
            function_logs=FunctionLogs(LogGroups(client("logs"))),
        )  # fmt: skip

    def _approval(self, _: App, digest: str) -> str | None:
        self.asked_for.append(digest)
        return "approved by ana" if digest in self.approved else None

    def _look_up(self, bundle: Bundle, warn: Callable[[str], None]) -> None:
        self.looked_up.append(bundle)
        warn("looked up")
        if self.lacks:
            raise self.lacks

    def deploy(
        self,
        bundle: Bundle,
        previous: str | None = None,
        *,
        known_failure: AppError | None = None,
        outlook: Outlook | None = None,
    ) -> Deployment:
        """What is live then; raises why nothing is, and notes in ``restored`` what is live again."""
        self.said.clear()
        context = DeployContext(
            self.said.append,
            reviewed=lambda found, _rights: self.reviews.append(found),
            warn=self.warned.append,
            outlook=outlook,
        )
        deployed = self.deployer.deploy(bundle, self.make.access, previous, context, known_failure)
        if isinstance(deployed, Failed):
            self.restored = deployed.restored
            raise deployed.error
        return deployed

    def wait(self, stack: str) -> None:
        """Until it stands still."""
        while True:
            (found,) = self.cloudformation.describe_stacks(StackName=stack)["Stacks"]
            if not found["StackStatus"].endswith("_IN_PROGRESS"):
                return
            time.sleep(0.05)

    def live(self, function: str) -> str:
        return str(self.lambda_.get_alias(FunctionName=function, Name="live")["FunctionVersion"])

    def versions(self, function: str) -> list[str]:
        found = self.lambda_.list_versions_by_function(FunctionName=function)["Versions"]
        return [item["Version"] for item in found if item["Version"] != "$LATEST"]


def ask(url: str | None) -> str:
    assert url
    with urllib.request.urlopen(url) as answer:
        return str(answer.read().decode())
