"""Running local stacks, as each one records itself for other commands of the same user."""

from __future__ import annotations

import http.client
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ACCOUNT = "123456789012"
REGION = "us-east-1"
HOST = "127.0.0.1"
KEY_ID = "local"


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A pipeline in an embedded AWS: its endpoint with its secret access key, and the names of its parts.

    ``autoscaling`` is the URL of the Auto Scaling emulator; None without a fleet. ``console``: its address, with its
    token. ``undeploys``: deleting a zip undeploys its app. ``app_rights``: ``granted`` or ``account``.
    """

    endpoint: str
    bucket: str
    artifacts: str
    queue: str
    dead_letters: str
    table: str
    boundary: str
    namespace: str
    folder: str
    pid: int
    group: str = ""
    autoscaling: str | None = None
    undeploys: bool = False
    secret: str = field(default="", repr=False)
    app_rights: str = "account"
    granted_boundary: str = ""
    event_bus: str = ""
    console: str = field(default="", repr=False)

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, str], *, endpoint: str, secret: str, folder: Path) -> RunningStack:
        """Read the outputs of a pipeline's stacks."""
        return cls(
            endpoint=endpoint,
            bucket=outputs["UploadsBucket"],
            artifacts=outputs["ArtifactsBucket"],
            queue=outputs["QueueUrl"],
            dead_letters=outputs["DeadLetterQueueUrl"],
            table=outputs["LedgerTable"],
            boundary=outputs["BoundaryArn"],
            namespace=outputs["MetricsNamespace"],
            folder=str(folder),
            pid=os.getpid(),
            group=outputs["WorkerGroup"],
            secret=secret,
            app_rights=outputs["AppRights"],
            granted_boundary=outputs["GrantedBoundaryArn"],
            event_bus=outputs.get("EventBus", ""),
        )

    @property
    def port(self) -> str:
        """The port of the embedded AWS, which distinguishes stacks on one machine."""
        return self.endpoint.rpartition(":")[2]

    def ready_line(self) -> dict[str, Any]:
        """Return what ``local up`` prints: all names, and the environment variables of a client."""
        names = {name: value for name, value in asdict(self).items() if name != "secret"}
        return {"ready": True, "region": REGION, "account": ACCOUNT, **names, "environ": self.environ}

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables of worker, checker and command line: those of AWS clients, and our settings."""
        return {
            **client_environ(self.endpoint, self.secret),
            **self._fleet_environ,
            "AUTO_LAMBDA_UPLOADS_BUCKET": self.bucket,
            "AUTO_LAMBDA_ARTIFACTS_BUCKET": self.artifacts,
            "AUTO_LAMBDA_QUEUE_URL": self.queue,
            "AUTO_LAMBDA_DEAD_LETTER_QUEUE_URL": self.dead_letters,
            "AUTO_LAMBDA_TABLE": self.table,
            "AUTO_LAMBDA_BOUNDARY_ARN": self.boundary,
            "AUTO_LAMBDA_GRANTED_BOUNDARY_ARN": self.granted_boundary,
            "AUTO_LAMBDA_APP_RIGHTS": self.app_rights,
            "AUTO_LAMBDA_METRICS_NAMESPACE": self.namespace,
            "AUTO_LAMBDA_UNDEPLOY_ON_DELETE": str(self.undeploys).lower(),
            "AUTO_LAMBDA_EVENT_BUS": self.event_bus,
        }

    @property
    def _fleet_environ(self) -> dict[str, str]:
        if self.autoscaling is None:
            return {}
        return {"AWS_ENDPOINT_URL_AUTO_SCALING": self.autoscaling, "AUTO_LAMBDA_WORKER_GROUP": self.group}

    def environ_over(self, base: Mapping[str, str]) -> dict[str, str]:
        """Add these variables to a person's own environment, without its variables for AWS."""
        return {**without_aws(base), **self.environ}


def client_environ(endpoint: str, secret: str) -> dict[str, str]:
    """Return the variables that point every AWS client to an embedded AWS, and away from a person's own profiles."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def without_aws(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without everything that could point a client to another AWS."""
    return {name: value for name, value in environ.items() if not name.startswith("AWS_")}


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder with a file for each running local stack."""
    base = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "auto-lambda" / "local"


@contextmanager
def announced(pipeline: RunningStack, registry: Path | None = None) -> Iterator[Path]:
    """Let other commands of the same user find a stack as long as this lasts."""
    path = (registry or state_folder()) / f"{pipeline.pid}.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A new file, which nobody else can have open, with the secret in it.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".new", delete=False) as fresh:
        json.dump(asdict(pipeline), fresh, indent=2)
    Path(fresh.name).replace(path)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def running(registry: Path | None = None) -> list[RunningStack]:
    """List running local stacks, the latest first. Files of stacks that have died are removed."""
    files = sorted((registry or state_folder()).glob("*.json"), key=_modified, reverse=True)
    return [pipeline for file in files if (pipeline := _read(file)) is not None]


def _modified(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _read(file: Path) -> RunningStack | None:
    try:
        pipeline = RunningStack(**json.loads(file.read_text()))
    except (OSError, TypeError, ValueError):
        return None  # written by another version of us, or just removed
    if _alive(pipeline.pid) and answers(pipeline.endpoint):
        return pipeline
    file.unlink(missing_ok=True)
    return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def answers(endpoint: str, timeout: float = 5.0) -> bool:
    """Tell whether an embedded AWS answers there."""
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=timeout)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
