"""An app that is live, and a task that runs the same release: both are asked under one name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from e2e_stack import Drop, Stack
from flex_task import Running, running

from auto_lambda.keys import App
from builder.protocol.flex import FlexMessage
from entrypoint.task import parse
from two_fronts.apps import TwoFronts
from two_fronts.asking import Ask, Pairs, Told, ask
from worker.bundle.release import bundle
from worker.deploy.flex.compile import OwnStack, describe_task
from worker.deploy.flex.front import api_front

_FLEX = FlexMessage(measure="requests_per_second", above=200.0, below=100.0, cpu=1024, memory=2048)
BALANCER: Pairs = (
    ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"),
)  # fmt: skip
"""What a load balancer adds."""


@dataclass(frozen=True, slots=True)
class BothFronts:
    """The two fronts of an app."""

    app: TwoFronts
    stack: Stack
    task: Running
    url: str
    host: str

    def ask(self, one: Ask) -> tuple[Told, Told]:
        """What each front answers: Lambda's, and the task's."""
        there = f"http://127.0.0.1:{self.task.port}"
        return self._on_lambda(one), ask(there, "", one, self.host, BALANCER)

    def _on_lambda(self, one: Ask) -> Told:
        if any(name == "Origin" for name, _ in one.headers):  # of web pages, which may ask under no other name
            place = urlsplit(self.url)
            return ask(self.stack.endpoint, place.path.rstrip("/"), one, place.netloc)
        return ask(self.stack.endpoint, "", one, self.host)


@contextmanager
def both_fronts(stack: Stack, app: TwoFronts, folder: Path) -> Iterator[BothFronts]:
    """Start a task of a live app."""
    stacks = stack.client("cloudformation")
    (found,) = stacks.describe_stacks(StackName=f"al-{app.name}-dev")["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}
    body = stacks.get_template(StackName=found["StackName"])["TemplateBody"]
    template = body if isinstance(body, dict) else json.loads(body)
    released = replace(bundle(App("dev", app.name), "", template), serves=app.serves)
    assert api_front(template, released.main).reasons == []
    task = parse(describe_task(released, _FLEX, OwnStack(outputs, {}), str(stack.ready["artifacts"])))
    host = f"{app.name}.apps.localhost"
    _name(stack, host, outputs["AutoLambdaUrl"])
    variables = template["Resources"][released.main]["Properties"]["Environment"]["Variables"]
    with running(task, folder, stack.endpoint, released.python, **variables) as process:
        assert process.port, process.lines
        url = str(stack.receipt(Drop(f"apps/{app.name}.zip", ""))["url"])
        yield BothFronts(app, stack, process, url, f"{host}:{urlsplit(stack.endpoint).port}")


def _name(stack: Stack, domain: str, url: str) -> None:
    """Give the app's API a domain, below which it has the root, as that of an app that flexes."""
    api, stage = url.partition("://")[2].partition(".")[0], url.rstrip("/").rpartition("/")[2]
    certificate = f"arn:aws:acm:us-east-1:{stack.ready['account']}:certificate/x"
    rest: Any = stack.client("apigateway")
    pages = rest.get_paginator("get_rest_apis").paginate()
    if api in {one["id"] for page in pages for one in page["items"]}:
        rest.create_domain_name(
            domainName=domain, regionalCertificateArn=certificate, endpointConfiguration={"types": ["REGIONAL"]}
        )
        rest.create_base_path_mapping(domainName=domain, restApiId=api, stage=stage)
        return
    http: Any = stack.client("apigatewayv2")
    http.create_domain_name(DomainName=domain, DomainNameConfigurations=[{"CertificateArn": certificate}])
    http.create_api_mapping(DomainName=domain, ApiId=api, Stage=http.get_stages(ApiId=api)["Items"][0]["StageName"])
