"""What flows from step to step inside a builder. Frozen: a step makes a new value, it never changes an old one.

``Source -> Built -> Draft``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auto_lambda.keys import App
from auto_lambda.model import Architecture, BucketNotification, FrameworkName, GuessedSettings, Template
from builder.function_options import FunctionOptions
from builder.protocol.flex import FlexMessage, Serves
from builder.protocol.messages import DomainMessage
from builder.protocol.traffic import TrafficMessage


@dataclass(frozen=True, slots=True)
class Retention:
    """What the app asks to keep; None leaves it to the pipeline.

    Attributes:
        releases: number of releases, with their versions of functions and layers.
        log_days: how long its log groups keep events, 0 for ever.
    """

    releases: int | None = None
    log_days: int | None = None


@dataclass(frozen=True, slots=True)
class Packaging:
    """How dependencies are packed; ``slim``: without tests, documentation, type stubs and symbols."""

    slim: bool = False


@dataclass(frozen=True, slots=True)
class Throttle:
    """How many requests the app's API lets through: per second, and at once."""

    rate: float
    burst: int


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
    requirements: str | None = None
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    retention: Retention = field(default_factory=Retention)
    functions: Mapping[str, FunctionOptions] = field(default_factory=dict)
    package: Packaging = field(default_factory=Packaging)
    throttle: Throttle | None = None
    flex: FlexMessage | None = None
    release: Mapping[str, str] | None = None
    traffic: TrafficMessage | None = None

    @property
    def asked_path(self) -> str:
        """The path that is asked for after a deployment, always with a leading slash."""
        return "/" + (self.health_path or "").lstrip("/")


@dataclass(frozen=True, slots=True)
class LockedPackages:
    """The lock of an earlier build of the same zip, and the runtime that it is for."""

    text: str
    python: str
    architecture: Architecture


@dataclass(frozen=True, slots=True)
class Source:
    """An unpacked app tree, and what `source.inspect` found out about it.

    ``tree`` is where the zip was unpacked; ``root``, in it, is the app's folder (holds ``.chalice/``, the zappa
    settings, or the modules of plain handlers). ``config_stage`` is the stage of the app's own config that the
    bucket's stage picked. ``python`` is a minor, as in ``"3.12"``; ``other_pythons`` suit the app as well, the best
    first, should it fail on that one. ``guessed`` stand for settings that the zip does not hold. ``locked`` are the
    packages to take, of an earlier build of the same zip.
    """

    app: App
    tree: Path
    root: Path
    framework: FrameworkName
    config_stage: str
    python: str
    architecture: Architecture
    options: Options = field(default_factory=Options)
    warnings: tuple[str, ...] = ()
    other_pythons: tuple[str, ...] = ()
    guessed: GuessedSettings | None = None
    locked: LockedPackages | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """The dependency layer: ``tree/python/...`` and the deterministic zip of it.

    ``key`` is its content-addressed place in the artifacts bucket (``layers/<sha256>.zip``); ``shared`` is the key of
    the action that made it, None where this upload alone has it.
    """

    tree: Path
    zip: Path
    key: str
    zip_bytes: int
    tree_bytes: int
    shared: str | None = None


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
class Foreseen:
    """A function as it will most likely be, before it is compiled.

    Attributes:
        function: its logical id.
        properties: those of CloudFormation by which it starts: handler, memory, variables.
    """

    function: str
    properties: Mapping[str, Any]


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
        retain: number of releases that the framework's settings ask to keep.
        functions: logical ids by the names that the app's author knows.
        domains: custom domains that the app's own settings ask for.
        serves: how the main function's app takes requests where there is no Lambda; see `AppBuilt`.
        load_balancer: whether the settings ask for one in front of the API, which ``[flex]`` brings.
        known_front: whether it is known what the main function takes, so that a request may be made up for it.
        health: whether ``first_event`` is the GET that is sent after the deployment, so that its answer counts.
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
    retain: int | None = None
    functions: Mapping[str, str] = field(default_factory=dict)
    domains: tuple[DomainMessage, ...] = ()
    serves: Serves = "lambda"
    load_balancer: bool = False
    known_front: bool = True
    health: bool = False
