"""What flows from step to step in the worker. Frozen: a step makes a new value, it never changes an old one.

``Upload -> Bundle -> Deployment``; the receipt tells of all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from auto_lambda.keys import App
from auto_lambda.model import Architecture, BucketNotification, FrameworkName, Proof, Template


@dataclass(frozen=True, slots=True)
class Upload:
    """One version of one object that should become live.

    ``version`` and ``sequencer`` are optional: not every S3 sends them; `source.fetch` asks S3 where they miss.
    ``size`` in bytes, as announced; the fetch trusts only S3's own answer. ``redrive`` names the wish of a person to
    have it tried again, although it has its answer. ``removed`` says that the announcement was of a deletion.
    ``rollback`` is the version of the object whose release is wanted again, whatever its zip would come to today.
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


@dataclass(frozen=True, slots=True)
class DeployTarget:
    """Where bundles are made for and deployed to.

    ``endpoint`` is ``AWS_ENDPOINT_URL`` where an emulator stands for AWS: its APIs answer below that address.
    ``uploads_bucket`` is named so that no app hangs its own triggers on it.
    """

    artifacts_bucket: str
    boundary_arn: str
    region: str
    uploads_bucket: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file to put into the artifacts bucket under a key that its content decides."""

    path: Path
    key: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """The intermediate form that every framework compiles to; the back end knows nothing else.

    ``template`` is final: versions, ``live`` aliases, layer, code location, boundary. ``artifacts`` holds the code
    zip, the layer zip and the template itself. ``template_key`` identifies the whole release.
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
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """A bundle that was built, proved and stored, with what the receipt tells of that: enough to deploy it.

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
        """As the journal keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Release | None:
        """From its text; None if a worker of another age wrote it otherwise."""
        try:
            read = json.loads(text)
            proof = Proof(**{**read.pop("proof"), "warnings": ()})
            return cls(**{**read, "proof": proof, "warnings": tuple(read["warnings"])})
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is live. ``function`` is the physical name, ``version`` the number that alias ``live`` points at."""

    stack: str
    function: str
    version: str
    alias: str
    url: str | None
    template_key: str
    changed: bool
