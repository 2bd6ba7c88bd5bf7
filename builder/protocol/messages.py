"""The messages between worker and builder. Each side validates what it receives, strictly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from auto_lambda.errors import Code
from auto_lambda.model import Architecture, FrameworkName
from builder.protocol.channel import BadMessage
from builder.protocol.flex import DOMAIN, FlexMessage, Serves
from builder.protocol.traffic import TrafficMessage

VERSION = 1
"""Raised when either side must not be paired with an older one."""

Step = Literal["unpack", "inspect", "build", "compile", "prove"]
STEPS: tuple[Step, ...] = ("unpack", "inspect", "build", "compile", "prove")
"""The steps that a builder takes, in this order."""

ActionKind = Literal["check", "resolve", "layer", "wheel", "expand"]

Text = Annotated[str, Field(max_length=100_000)]
Line = Annotated[str, Field(max_length=4_000)]
HttpPath = Annotated[str, Field(max_length=4_000, pattern=r"^[!-\[\]-~]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Minor = Annotated[str, Field(pattern=r"^3\.[0-9]{1,2}$")]
DottedPath = Annotated[str, Field(max_length=140, pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)+$")]
CERTIFICATE = r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]{1,100}$"
BASE_PATH = r"^[A-Za-z0-9$_.+!*'()-]+$"
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+!-]{0,200}$")]


class _Value(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


# ------------------------------------------------------------ what a worker sends


INDEX_FAILURES = "/failures"
"""What to ask the index proxy for, to learn how often an index has failed so far: a number."""

INDEX_TOO_LARGE = "/too-large"
"""What to ask the index proxy for, to learn how many pages were too large to be read so far: a number."""


class Index(_Value):
    """The way to the package indexes, without a secret in it.

    Attributes:
        socket: path of the index proxy's unix socket.
        environment: variables that tell uv and pip which indexes to use.
        hosts: host names of the configured indexes; a manifest may name them.
    """

    socket: str
    environment: dict[str, str]
    hosts: list[str]


class Toolchain(_Value):
    """The machine's tools that a builder works with.

    Attributes:
        interpreters: Python interpreters by minor.
        tools: folders that hold tool environments.
        sandbox: "bubblewrap" isolates commands, "off" only bounds them.
        region: the AWS region that apps find in their environment.
        settings: variables for uv (time-outs, certificates); none of them names an index.
        index: None where nothing may be downloaded.
    """

    interpreters: dict[str, str]
    tools: list[str]
    sandbox: Literal["bubblewrap", "off"]
    region: str
    settings: dict[str, str] = {}
    index: Index | None = None


class LockedMessage(_Value):
    """The packages of an earlier build of the same zip.

    Attributes:
        text: its lock.
        python: the minor that it is for.
        architecture: likewise.
    """

    text: Annotated[str, Field(max_length=4_000_000)]
    python: Minor
    architecture: Architecture


class AppRequest(_Value):
    """Asks for an upload's app to be built; the zip comes as an open file.

    Attributes:
        name: of the app, from the zip's key.
        stage: likewise.
        python: the minor for apps that name none.
        pythons: the minors that can be built for.
        today: ISO date, to warn of runtimes past their end.
        replace_retired: an app that asks for a Python that Lambda has retired gets another, instead of an error.
        locked: take these packages, of a release that is promoted, in place of what the requirements resolve to today.
    """

    name: str
    stage: str
    python: Minor
    pythons: list[Minor]
    today: str
    replace_retired: bool = True
    locked: LockedMessage | None = None


class Action(_Value):
    """A piece of work whose result depends on its inputs alone, so that it can be kept and shared.

    It runs in a builder of its own, which sees its inputs and nothing of the upload that needs it.
    """

    kind: ActionKind
    inputs: dict[str, Any]

    @property
    def key(self) -> str:
        """The name under which its result is kept."""
        text = json.dumps([self.kind, self.inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:40]


class LayerBase(_Value):
    """A layer that is there already, of some of the packages that an action asks for: its folder and its inputs."""

    folder: str
    inputs: dict[str, Any]


class BuildRequest(_Value):
    """The one request that a builder serves: an app or an action; a layer may be made on a base."""

    version: Literal[1] = 1
    toolchain: Toolchain
    app: AppRequest | None = None
    action: Action | None = None
    base: LayerBase | None = None


class ProblemMessage(_Value):
    """An `AppError` as data."""

    code: Code = Field(strict=False)
    message: Text
    hint: Text


class Reply(_Value):
    """The worker's answer to an `Ask` or a `ToolAsk`: a folder that holds the result, or why there is none.

    Attributes:
        folder: the result, read-only.
        key: the name under which it is kept.
        problem: the uploader can fix it.
        trouble: our side failed; the message.
    """

    answer: int
    folder: str | None = None
    key: str | None = None
    problem: ProblemMessage | None = None
    trouble: str | None = None


# ------------------------------------------------------------ what a builder sends


class StepBegan(_Value):
    """A step begins; the one before it has ended."""

    event: Literal["step"] = "step"
    step: Step


class Log(_Value):
    """Lines for the uploader's log."""

    event: Literal["log"] = "log"
    text: Text


class Warned(_Value):
    """A warning for the receipt."""

    event: Literal["warning"] = "warning"
    text: Text


class Recognised(_Value):
    """The builder knows the framework and the target, or the target has changed."""

    event: Literal["recognised"] = "recognised"
    framework: FrameworkName
    python: Minor
    architecture: Architecture


class Guessed(_Value):
    """The settings that are used, as the zip holds none: the file that they could be saved as, and its text."""

    event: Literal["guessed"] = "guessed"
    file: Line
    text: Line


class Ask(_Value):
    """The builder needs the result of an action."""

    event: Literal["ask"] = "ask"
    ask: int
    action: Action


class ToolAsk(_Value):
    """The builder needs a tool environment."""

    event: Literal["tool"] = "tool"
    ask: int
    name: Literal["compiler", "farm", "runtime"]
    python: Minor


class File(_Value):
    """A file that comes with a message, in the order of the message's open files."""

    name: FileName
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256


class NotificationMessage(_Value):
    """A bucket event that a function asked for."""

    bucket: Line
    function: Line
    events: list[Line]
    prefix: Line = ""
    suffix: Line = ""
    called: list[DottedPath] = []


class DomainMessage(_Value):
    """A custom domain that the app's own settings ask for.

    Attributes:
        name: host name.
        certificate_arn: of its certificate, None if the settings name none.
        base_path: below which the API is to be, None for the root.
        sockets: whether it is for the app's WebSocket API.
    """

    name: Annotated[str, Field(max_length=253, pattern=DOMAIN)]
    certificate_arn: Annotated[str, Field(max_length=300, pattern=CERTIFICATE)] | None = None
    base_path: Annotated[str, Field(max_length=300, pattern=BASE_PATH)] | None = None
    sockets: bool = False


class ProofMessage(_Value):
    """The outcome of the proof; see `auto_lambda.model.Proof`."""

    init_ms: Annotated[int, Field(ge=0)] | None
    package_bytes: Annotated[int, Field(ge=0)]
    package_zip_bytes: Annotated[int, Field(ge=0)]


class AppBuilt(_Value):
    """The app is built and proven. Its open files are the code zip, then, where it has one of its own, the layer zip.

    Attributes:
        template: plain CloudFormation, in which triggers still name functions.
        main: logical id of the function that stands for the app.
        url: CloudFormation expression of the public URL.
        environment: variables that the app's own settings add to each function.
        asked: whether ``health_path`` is asked for after a deployment; an own handler may take other requests only.
        lock: the pinned requirements, empty without dependencies.
        retain: number of releases to keep, None if the app does not say.
        log_days: how long log groups keep events, 0 for ever, None if the app does not say.
        serves: how the main function's app takes requests where there is no Lambda.
        domains: custom domains that the app's own settings ask for.
        release: the event with the command that the new version runs before it takes the traffic.
        flex: when the app moves to Fargate and back, None if it stays on Lambda.
        traffic: how a new release takes the traffic over, None if at once.
        shared_layer: the key of the layer's action, None where the layer is a file of this result or there is none.
        files: ``code.zip``, and perhaps ``layer.zip``.
    """

    event: Literal["built"] = "built"
    framework: FrameworkName
    python: Minor
    architecture: Architecture
    template: dict[str, Any]
    main: Line
    url: Any = None
    notifications: list[NotificationMessage]
    environment: dict[str, str]
    health_path: HttpPath
    asked: bool = True
    lock: Annotated[str, Field(max_length=4_000_000)]
    retain: Annotated[int, Field(ge=1, le=100)] | None = None
    log_days: Annotated[int, Field(ge=0, le=3653)] | None = None
    serves: Serves = "lambda"
    domains: Annotated[list[DomainMessage], Field(max_length=2)] = []
    release: Annotated[dict[str, Line], Field(min_length=1, max_length=1)] | None = None
    flex: FlexMessage | None = None
    traffic: TrafficMessage | None = None
    shared_layer: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    proof: ProofMessage
    files: list[File]


class ActionDone(_Value):
    """An action's result: files, to be kept under their names.

    Two of them, ``tree.index`` and ``tree.content``, stand for a folder ``tree``; see `tree_files`. With ``on_base``,
    they have only what the tree of the request's base has not.
    """

    event: Literal["done"] = "done"
    files: list[File]
    on_base: bool = False


class AppFailed(_Value):
    """The uploader can fix it."""

    event: Literal["failed"] = "failed"
    problem: ProblemMessage


class Netted(_Value):
    """The error that follows was no `AppError`: it is taken for the uploader's, and may be a fault in our code.

    Attributes:
        text: its traceback, for the operator.
    """

    event: Literal["netted"] = "netted"
    text: Text


class Trouble(_Value):
    """Our side failed: the index, this machine, or a fault in our code."""

    event: Literal["trouble"] = "trouble"
    text: Text


Event = Annotated[
    StepBegan | Log | Warned | Recognised | Guessed | Ask | ToolAsk | AppBuilt | ActionDone | AppFailed | Netted
    | Trouble,
    Field(discriminator="event"),
]  # fmt: skip
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_M = TypeVar("_M", bound=_Value)


def read_event(content: Mapping[str, Any]) -> Event:
    """Validate an event of a builder.

    Raises:
        BadMessage: it is none.
    """
    try:
        return _EVENT.validate_python(dict(content))
    except (ValidationError, RecursionError) as error:
        raise BadMessage(f"an event of another shape: {_brief(error)}") from None


def read_as(kind: type[_M], content: Mapping[str, Any]) -> _M:
    """Validate a message of a kind.

    Raises:
        BadMessage: it is none.
    """
    try:
        return kind.model_validate(dict(content))
    except (ValidationError, RecursionError) as error:
        raise BadMessage(f"no {kind.__name__}: {_brief(error)}") from None


def _brief(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]
