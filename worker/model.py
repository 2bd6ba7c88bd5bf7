"""What flows from step to step. Frozen: a step makes a new value, it never changes an old one.

``Upload -> Source -> Built -> Draft -> Bundle -> Deployment``; the receipt tells of all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from auto_lambda.keys import App

Template = dict[str, Any]
"""A CloudFormation template as parsed JSON."""

Say = Callable[[str], None]
"""Adds a line (or several) to the log that the uploader reads. Redaction happens behind it."""

Architecture = Literal["x86_64", "arm64"]
FrameworkName = Literal["chalice", "zappa"]


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
class Options:
    """What ``auto-lambda.toml`` said; every field has the default that its absence means."""

    framework: FrameworkName | None = None
    root: str | None = None
    python: str | None = None
    architecture: Architecture | None = None
    stages: Mapping[str, str] = field(default_factory=dict)
    health_path: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """An unpacked app tree, and what `source.inspect` found out about it.

    ``tree`` is where the zip was unpacked; ``root``, in it, is the app's folder (holds ``.chalice/`` or the zappa
    settings). ``config_stage`` is the stage of the app's own config that the bucket's stage picked.
    ``python`` is a minor, as in ``"3.12"``; ``python_named``: the app asked for it. ``sha256`` is of the zip.
    """

    upload: Upload
    tree: Path
    root: Path
    sha256: str
    size: int
    framework: FrameworkName
    config_stage: str
    python: str
    architecture: Architecture
    options: Options = field(default_factory=Options)
    warnings: tuple[str, ...] = ()
    python_named: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """The dependency layer: ``tree/python/...`` and the deterministic zip of it.

    ``key`` is its content-addressed place in the artifacts bucket (``layers/<sha256>.zip``).
    """

    tree: Path
    zip: Path
    key: str
    zip_bytes: int
    tree_bytes: int


@dataclass(frozen=True, slots=True)
class Built:
    """A source with its dependencies. ``lock`` is the resolved, pinned requirements; ``layer`` is None without any.

    ``source.python`` is what they were built for, which counts from here on.
    """

    source: Source
    lock: str
    layer: Layer | None
    warnings: tuple[str, ...] = ()

    @property
    def site(self) -> Path | None:
        """The folder to put on ``sys.path`` to import the dependencies."""
        return self.layer.tree / "python" if self.layer else None


@dataclass(frozen=True, slots=True)
class BucketNotification:
    """A bucket event that a function asked for; merged into the existing bucket after the stack is live."""

    bucket: str
    function: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a framework makes of an app: its own words turned into plain CloudFormation, not yet publishable.

    In ``template`` triggers still name functions (``Fn::GetAtt: [Fn, Arn]``, ``${Fn.Arn}``, ``Ref``), functions have
    no code, layer or version: `bundle.publish` does that for every framework alike.

    Attributes:
        code: a folder, the content of the code zip.
        main: logical id of the function that stands for the app (its API handler, else its first function).
        url: CloudFormation expression of the public URL, None for an app without one.
        notifications: ``function`` is a logical id here.
        first_event: harmless, for a main function that loads the app only when it is first called.
        called: setting -> dotted path of a function that the main function looks up when its event comes.
        remote_environment: variables come from elsewhere at the start, so that a failing start proves nothing.
    """

    template: Template
    code: Path
    main: str
    url: Any | None = None
    notifications: tuple[BucketNotification, ...] = ()
    warnings: tuple[str, ...] = ()
    first_event: Mapping[str, Any] | None = None
    called: Mapping[str, str] = field(default_factory=dict)
    remote_environment: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
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
class Proof:
    """What trying the package out has shown.

    ``init_ms`` is the main function's start, in milliseconds, on this machine; None if it could not be tried here.
    ``package_bytes`` and ``package_zip_bytes`` are the code's and the layer's together, unzipped and zipped.
    """

    init_ms: int | None
    package_bytes: int
    package_zip_bytes: int
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
