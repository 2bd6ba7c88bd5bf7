"""The data that flows from step to step in the worker. It is frozen: a step makes new values.

``Upload -> Bundle -> Deployment``; the receipt reports all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from auto_lambda.keys import App, Promotion
from auto_lambda.model import Architecture, BucketNotification, Commit, Dropper, FrameworkName, Proof, Template
from auto_lambda.namespace import Place
from worker.ownership import pipeline_of

if TYPE_CHECKING:  # they are pydantic's, which whoever only reads the ledger need not have
    from builder.protocol.flex import FlexMessage, Serves
    from builder.protocol.traffic import TrafficMessage


@dataclass(frozen=True, slots=True)
class Upload:
    """One version of one object that should become live.

    ``version`` and ``sequencer`` are optional, since not every S3 sends them; `worker.fetch` asks S3 if they are
    missing. ``size`` in bytes, as announced; the fetch trusts only S3's own answer. ``redrive`` identifies a redrive,
    which retries an upload that already has its receipt. ``removed``: the object was deleted. ``rollback`` is the
    version of the object whose release is to be deployed again, as it was built then. ``by`` is who dropped it, None if
    no event of S3 said so; ``commit`` what the uploader said that it was made from; ``promotion`` names the release of
    another stage whose packages it is to have. ``at_once``: it takes all traffic as soon as it has answered.
    """

    app: App
    bucket: str
    key: str
    version: str | None = None
    sequencer: str | None = None
    size: int | None = None
    redrive: str | None = None
    removed: bool = False
    rollback: str | None = None
    by: Dropper | None = None
    commit: Commit | None = None
    promotion: Promotion | None = None
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class PipelineDomain:
    """The domain below which apps get names, a certificate for all of them, and the hosted zone of their records."""

    name: str
    certificate_arn: str
    zone_id: str


@dataclass(frozen=True, slots=True)
class FlexTarget:
    """What apps on Fargate need of the pipeline.

    Attributes:
        image: of the tasks; ``{python}`` stands for the version.
        vpc_id: a network for apps that ask for the given one; None without.
        subnet_ids: subnets of load balancers.
        task_subnet_ids: subnets of tasks.
        digests: those of images, by name and tag.
    """

    image: str = "public.ecr.aws/lambda/python:{python}"
    vpc_id: str | None = None
    subnet_ids: tuple[str, ...] = ()
    task_subnet_ids: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeployTarget:
    """The environment that bundles are made for and deployed to.

    ``endpoint`` is ``AWS_ENDPOINT_URL`` if an emulator takes the place of AWS: its APIs answer below that address.
    ``log_days``: how long the log groups of functions keep events, 0 for ever.
    ``uploads_bucket`` is named so that no app may subscribe to it. ``reserved`` names what else is the pipeline's own,
    with wildcards as in IAM policies. ``domain`` is None for a pipeline without one.
    """

    artifacts_bucket: str
    boundary_arn: str
    region: str
    uploads_bucket: str | None = None
    endpoint: str | None = None
    reserved: tuple[str, ...] = ()
    log_days: int = 30
    domain: PipelineDomain | None = None
    flex: FlexTarget = FlexTarget()

    def with_boundary(self, arn: str) -> DeployTarget:
        """Return the same environment with another permissions boundary."""
        return replace(self, boundary_arn=arn)

    @property
    def own_names(self) -> tuple[str, ...]:
        """Everything that is the pipeline's own, by name."""
        buckets = (self.artifacts_bucket, self.uploads_bucket)
        return (*(name for name in buckets if name), *self.reserved)

    @property
    def pipeline(self) -> str:
        """The name of the pipeline."""
        return pipeline_of(self.artifacts_bucket)

    @property
    def place(self) -> Place:
        """The partition, region and account, the account empty if the boundary is a policy of AWS's own."""
        partition, account = self.boundary_arn.split(":")[1:5:3]
        return Place(partition, self.region, account.removeprefix("aws"))


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file for the artifacts bucket. Its key depends on its content."""

    path: Path
    key: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """The form that every framework compiles to; the back end knows no other.

    ``template`` is final: versions, ``live`` aliases, layer, code location, boundary. ``artifacts`` holds the code
    zip, the layer zip and the template itself. ``template_key`` identifies the whole release. ``asked`` tells whether
    its functions may be sent a request that nobody made, to see that they answer. ``flex`` says when the app moves to
    Fargate and back, None if it stays on Lambda. ``warnings`` are for the receipt,
    ``serves`` for its tasks there. ``release_command`` is the event that the new version of its main function gets
    before it takes the traffic. ``traffic`` says how it takes it over, None if at once.
    """

    app: App
    framework: FrameworkName
    python: str
    architecture: Architecture
    template: Template
    template_key: str
    artifacts: tuple[Artifact, ...]
    main: str
    has_url: bool
    health_path: str
    notifications: tuple[BucketNotification, ...] = ()
    asked: bool = True
    flex: FlexMessage | None = None
    serves: Serves = "lambda"
    warnings: tuple[str, ...] = ()
    release_command: Mapping[str, str] | None = None
    traffic: TrafficMessage | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """A bundle that was built, proved and stored, with what the receipt says about it: enough to deploy it.

    ``sha256`` and ``size`` (in bytes) are the zip's, ``timings`` seconds by step.
    """

    template_key: str
    object_version: str | None
    sha256: str
    size: int
    framework: FrameworkName
    python: str
    architecture: Architecture
    proof: Proof
    timings: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the text for the journal."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Release | None:
        """Read the text; None if another version wrote it in another format."""
        try:
            read = json.loads(text)
            proof = Proof(**{**read.pop("proof"), "warnings": ()})
            return cls(**{**read, "proof": proof, "warnings": tuple(read["warnings"])})
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A live deployment. ``function`` is the physical name, ``version`` the number that alias ``live`` points at."""

    stack: str
    function: str
    version: str
    alias: str
    url: str | None
    template_key: str
    changed: bool
