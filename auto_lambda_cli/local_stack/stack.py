"""The whole pipeline on this machine: the embedded AWS with the templates in ``infra/``, workers and a checker."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from auto_lambda.aws.cloudformation import Stacks
from auto_lambda.aws.s3 import ObjectStore
from auto_lambda.aws.session import client
from auto_lambda.tools import ToolEnvironments, ToolError, interpreters
from auto_lambda_cli.console.access import ADDRESS as CONSOLE_ADDRESS
from auto_lambda_cli.console.access import ConsoleAddress
from auto_lambda_cli.local_stack.embedded import EmbeddedAws, preferred_minor
from auto_lambda_cli.local_stack.fargate.process import TaskProcess
from auto_lambda_cli.local_stack.fargate.watch import FakeFargate, Watching, running
from auto_lambda_cli.local_stack.fleet.controller import FleetOptions, LocalFleet, fleet
from auto_lambda_cli.local_stack.fleet.group import Hopeless
from auto_lambda_cli.local_stack.fleet.rules import Clients, user_data
from auto_lambda_cli.local_stack.processes import Child, ChildError, tail
from auto_lambda_cli.pipeline.maker import TemplateBucket, bucket_name, deploy_parts
from auto_lambda_cli.pipeline.parts import FLEET, stack_name
from auto_lambda_cli.running_stacks import ACCOUNT, KEY_ID, REGION, RunningStack

PIPELINE = "auto-lambda"
FLEET_STACK = stack_name(PIPELINE, FLEET)
PATIENCE = 60.0  # seconds for a process to start
DRAIN = 5.0  # seconds for running builds at the end; what is not done by then is lost with the stack anyway
HEALTHY_AFTER = 10.0  # seconds; a process that exits sooner would exit again
_SETTINGS = {"Domain": "DOMAIN", "CertificateArn": "CERTIFICATE_ARN", "HostedZoneId": "HOSTED_ZONE_ID"}
_UNDEPLOYS, _APP_RIGHTS = "UndeployOnDelete", "AppRights"  # parameters of the template
AppRights = Literal["account", "granted"]
Say = Callable[[str], None]


class StackEnded(Exception):
    """The stack has failed; the message says which part has exited and shows the end of its log."""


@dataclass
class LocalStack:
    """A running local stack. Use it as a context manager: at its end, all processes are stopped.

    Attributes:
        pipeline: its endpoint and names.
        children: the workers, then the checker, then the console; no workers with a fleet.
        fleet: the worker group, if it is scaled.
        fargate: runs the tasks of ECS services.
    """

    pipeline: RunningStack
    aws: EmbeddedAws
    children: Sequence[Child]
    fleet: LocalFleet | None
    fargate: FakeFargate
    _exit: ExitStack
    _say: Say

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        port: int | None = None,
        workers: int = 1,
        options: FleetOptions | None = None,
        undeploys: bool = False,
        app_rights: AppRights = "account",
        settings: Mapping[str, str] | None = None,
        domain: str = "",
        console: bool = False,
        say: Say = lambda _: None,
    ) -> LocalStack:
        """Start everything and wait until worker and checker are ready.

        Args:
            folder: for logs, work folders and functions; created if missing.
            port: of the embedded AWS on the loopback address, a free one by default.
            workers: the number of workers, without a fleet.
            options: of a fleet that scales with the queue; None: no fleet.
            undeploys: whether deleting a zip undeploys its app.
            app_rights: what apps may reach. No emulator checks it, but the worker's gate does.
            settings: more environment for worker and checker, ``AUTO_LAMBDA_*``.
            console: whether to serve the console.
            domain: below which apps get names, which no DNS answers; none by default.
            say: prints progress.

        Raises:
            EmbeddedAwsError, ChildError, StackFailed, ToolError, NotDoubled, OSError: what did not start, and why.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            prepare_tools(tasks=bool(domain))
            say("starting the embedded AWS (the first time, its packages are installed, which takes longer)")
            aws = undo.enter_context(EmbeddedAws.start(folder, port))
            say(f"embedded AWS at {aws.endpoint}, its log is {aws.log}")
            names = pipeline_domain(aws, domain) if domain else {}
            chosen_by_us = {_UNDEPLOYS: str(undeploys).lower(), _APP_RIGHTS: app_rights, **names}
            pipeline = deploy_pipeline(aws, folder, {**(options.parameters if options else {}), **chosen_by_us})
            say(f"the templates in infra/ deployed through CloudFormation as pipeline {PIPELINE}")
            named = {f"AUTO_LAMBDA_{_SETTINGS[name]}": value for name, value in names.items()}
            chosen = {**_sandbox(say), **named, **(settings or {})}
            environ = {**pipeline.environ_over(os.environ), **_defaults(), **chosen}
            machines = None
            if options:
                machines = undo.enter_context(_fleet(aws, folder, pipeline, options, chosen, say))
                pipeline = replace(pipeline, autoscaling=machines.url)
                environ = _checker_environ(aws, pipeline, chosen)
            fargate = undo.enter_context(tasks_of(aws, folder))
            children = _children(folder, 0 if machines else workers, environ)
            if console:
                pipeline = replace(pipeline, console=ConsoleAddress.free().url)
                children.append(_console(folder, pipeline))
            undo.callback(_end, children)
            for child in children:
                child.start()
            children = [child for child in children if _ready(child, say)]
            if all(child.vital for child in children):
                pipeline = replace(pipeline, console="")
            return cls(pipeline, aws, children, machines, fargate, undo.pop_all(), say)

    def watch(self, stop: threading.Event, pause: float = 0.2) -> None:
        """Run until ``stop`` is set. A worker, checker or console that exits is reported and restarted.

        Raises:
            StackEnded: the embedded AWS has exited, or a worker or checker exits again and again.
        """
        while not stop.wait(pause):
            self.check()

    def check(self) -> None:
        """Check every process once, and scale the fleet: see `watch`. Main thread only."""
        if not self.aws.running():
            raise StackEnded(f"the embedded AWS exited; the end of {self.aws.log}:\n{tail(self.aws.log)}")
        for child in self.children:
            if (code := child.returncode()) is not None:
                self._revive(child, code)
        if self.fleet:
            try:
                self.fleet.tick()
            except Hopeless as reason:
                raise StackEnded(str(reason)) from reason

    def stop(self) -> None:
        """Stop everything. May be called again."""
        self._exit.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _revive(self, child: Child, code: int) -> None:
        what = f"the {child.name} exited with {code}; the end of {child.log}:\n{tail(child.log)}"
        hopeless = time.monotonic() - child.started < HEALTHY_AFTER
        if hopeless and child.vital:
            raise StackEnded(what)
        child.end(0)
        if not hopeless:
            self._say(f"{what}\nrestarting it")
            child.start()
        try:
            if hopeless or not _ready(child, lambda _: None):
                self._say(f"{what}\ngoing on without the {child.name}")
                self.children = [one for one in self.children if one is not child]
        except ChildError as error:
            raise StackEnded(str(error)) from error


def _ready(child: Child, say: Say) -> bool:
    """Wait until a process is ready; tell of one that fails to start, if the stack works without it.

    Raises:
        ChildError: it is vital, and does not start.
    """
    try:
        child.wait_until_ready(PATIENCE)
    except ChildError as error:
        if child.vital:
            raise
        child.end(0)
        say(f"{error}\ngoing on without the {child.name}")
        return False
    say(f"{child.name} is ready (process {child.pid}), its log is {child.log}")
    return True


def local_client(aws: EmbeddedAws, service: str) -> Any:
    """Make a client of the embedded AWS, whatever this process's own environment says."""
    import boto3

    session = boto3.Session(aws_access_key_id=KEY_ID, aws_secret_access_key=aws.secret, region_name=REGION)
    return client(session, service, endpoint=aws.endpoint)


def deploy_pipeline(aws: EmbeddedAws, folder: Path, parameters: Mapping[str, str] | None = None) -> RunningStack:
    """Deploy the templates in ``infra/`` through CloudFormation, as ``auto-lambda pipeline up`` does.

    Raises:
        StackFailed: with the first failing resource's reason.
    """
    chosen = parameters or {}
    outputs = create_pipeline(partial(local_client, aws), PIPELINE, chosen)
    pipeline = RunningStack.from_outputs(outputs, endpoint=aws.endpoint, secret=aws.secret, folder=folder)
    return replace(pipeline, undeploys=chosen.get(_UNDEPLOYS) == "true")


def pipeline_domain(aws: EmbeddedAws, domain: str) -> dict[str, str]:
    """Create the zone and the certificate of a domain, and return the pipeline's parameters for it."""
    zone = local_client(aws, "route53").create_hosted_zone(Name=domain, CallerReference=domain)["HostedZone"]["Id"]
    certificate = local_client(aws, "acm").request_certificate(DomainName=f"*.{domain}")["CertificateArn"]
    return {"Domain": domain, "CertificateArn": certificate, "HostedZoneId": zone.rpartition("/")[2]}


def create_pipeline(clients: Clients, pipeline: str, chosen: Mapping[str, str]) -> dict[str, str]:
    """Create a pipeline in the embedded AWS, or update it, and return the outputs of its stacks."""
    store = ObjectStore(clients("s3"))
    templates = TemplateBucket(store, bucket_name(pipeline, ACCOUNT, REGION))
    store.make_private(templates.name, REGION)
    return deploy_parts(pipeline, chosen, Stacks(clients("cloudformation")), templates)


def prepare_tools(*, tasks: bool = False) -> threading.Thread:
    """Create, in the background, the environments that the first drop will need, unless they exist.

    Args:
        tasks: whether apps may flex, whose tasks' program needs one more.
    """

    def make() -> None:
        for name in ("runtime", "compiler", *(("entrypoint",) if tasks else ())):
            with contextlib.suppress(ToolError):  # reported when it is needed
                ToolEnvironments().python(name, default_minor())

    thread = threading.Thread(target=make, name="tools", daemon=True)
    thread.start()
    return thread


def default_minor() -> str:
    """Return the Python version of an app that specifies none, as the worker chooses it."""
    from auto_lambda.runtimes import newest_first

    chosen = os.environ.get("AUTO_LAMBDA_PYTHON")
    return chosen or next(iter(newest_first(tuple(interpreters()))), preferred_minor())


def _defaults() -> dict[str, str]:
    given = {
        "AUTO_LAMBDA_DRAIN_SECONDS": str(DRAIN),
        "AUTO_LAMBDA_CHECK_SECONDS": "1",
        "AUTO_LAMBDA_POLL_SECONDS": "1",  # stopping waits for a receive, and receives cost nothing here
        "PYTHONUNBUFFERED": "1",
    }
    return {name: os.environ.get(name, value) for name, value in given.items()}


def _sandbox(say: Say) -> dict[str, str]:
    """Turn the sandbox off, with a message, on a machine that lacks what a fleet's instances must have."""
    from builder.sandbox.bubblewrap import BubblewrapSandbox, SandboxMissing
    from builder.sandbox.sandbox import PlainSandbox

    if chosen := os.environ.get("AUTO_LAMBDA_SANDBOX"):
        return {"AUTO_LAMBDA_SANDBOX": chosen}
    try:
        BubblewrapSandbox(PlainSandbox(), ()).check()
    except SandboxMissing as reason:
        say(f"apps are built without isolation here, so upload only what you trust: {reason}")
        return {"AUTO_LAMBDA_SANDBOX": "off"}
    return {}


def _fleet(
    aws: EmbeddedAws, folder: Path, pipeline: RunningStack, options: FleetOptions, chosen: Mapping[str, str], say: Say
) -> AbstractContextManager[LocalFleet]:
    def environ(told: Mapping[str, str], url: str) -> dict[str, str]:
        """Combine an instance's user data with this process's settings, which win."""
        here = {**_defaults(), "AWS_ENDPOINT_URL_AUTO_SCALING": url, **chosen}
        if "AUTO_LAMBDA_DRAIN_SECONDS" not in os.environ:
            del here["AUTO_LAMBDA_DRAIN_SECONDS"]  # an instance that terminates has as much time as on AWS
        return {**told, **pipeline.environ_over(os.environ), **here}

    clients = partial(local_client, aws)
    return fleet(clients, FLEET_STACK, pipeline.group, aws, options, folder=folder, environ=environ, say=say)


def tasks_of(aws: EmbeddedAws, folder: Path) -> AbstractContextManager[FakeFargate]:
    """Run the tasks of an embedded AWS until the end of the context."""

    def start(definition: Mapping[str, Any], home: Path) -> TaskProcess:
        return TaskProcess.start(
            definition, partial(ToolEnvironments().python, "runtime"), default_minor(), aws.environ, home
        )

    return running(Watching(local_client(aws, "ecs"), local_client(aws, "elbv2"), start, folder / "tasks"))


def _checker_environ(aws: EmbeddedAws, pipeline: RunningStack, chosen: Mapping[str, str]) -> dict[str, str]:
    told = user_data(partial(local_client, aws), FLEET_STACK, "CheckerTemplate")
    environ = {**told, **pipeline.environ_over(os.environ), **_defaults(), **chosen}
    if slots := environ.get("AUTO_LAMBDA_SLOTS"):  # the workers', if it is not the template's
        environ["AUTO_LAMBDA_WORKER_SLOTS"] = slots
    return environ


def _children(folder: Path, workers: int, environ: Mapping[str, str]) -> list[Child]:
    names = ["worker"] if workers == 1 else [f"worker-{number}" for number in range(1, workers + 1)]
    children = []
    for name in names:
        work = folder / "work" / name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        environ = {**environ, "AUTO_LAMBDA_WORK_DIR": str(work)}
        children.append(Child(name, "worker", folder / f"{name}.log", environ))
    return [*children, Child("checker", "checker", folder / "checker.log", environ)]


def _console(folder: Path, pipeline: RunningStack) -> Child:
    environ = {**pipeline.environ_over(os.environ), CONSOLE_ADDRESS: pipeline.console, "PYTHONUNBUFFERED": "1"}
    return Child("console", "auto_lambda_cli.console", folder / "console.log", environ, vital=False)


def _end(children: Sequence[Child]) -> None:
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.end(DRAIN + 2)
