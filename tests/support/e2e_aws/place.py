"""Where a run takes place: an account, or the embedded AWS."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from e2e_aws.model import StageFailed

T = TypeVar("T")
_ASSUMED = re.compile(r"arn:([\w-]+):sts::(\d{12}):assumed-role/([^/]+)/.+")


@dataclass(frozen=True, slots=True)
class Place:
    """An account and region, as the programs of a run reach it.

    Attributes:
        environ: of every program that is started.
        account: its number.
        region: its name.
        rehearsal: whether it is the embedded AWS, which is prompt and has no machines.
    """

    environ: Mapping[str, str]
    account: str
    region: str
    rehearsal: bool = False
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def real(cls, environ: Mapping[str, str] = os.environ) -> Place:
        """Take the account that the environment's credentials lead to."""
        kept = {name: value for name, value in environ.items() if not name.startswith("AUTO_LAMBDA_")}
        return cls(kept, "", environ["AWS_REGION"])._known()

    @classmethod
    def embedded(cls, aws: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> Place:
        """Take an embedded AWS, whose variables for clients are given."""
        kept = {name: value for name, value in environ.items() if not name.startswith(("AWS_", "AUTO_LAMBDA_"))}
        return cls({**kept, **aws}, "", aws["AWS_REGION"], rehearsal=True)._known()

    def _known(self) -> Place:
        account = str(self.client("sts").get_caller_identity()["Account"])
        return Place(self.environ, account, self.region, self.rehearsal, self._clients)

    def client(self, service: str) -> Any:
        """Return boto3's client of a service."""
        if service not in self._clients:
            self._clients[service] = self.client_with(self.environ, service)
        return self._clients[service]

    def client_with(self, environ: Mapping[str, str], service: str) -> Any:
        """Make a client with the credentials of an environment."""
        keys = {
            "aws_access_key_id": environ.get("AWS_ACCESS_KEY_ID"),
            "aws_secret_access_key": environ.get("AWS_SECRET_ACCESS_KEY"),
            "aws_session_token": environ.get("AWS_SESSION_TOKEN"),
        }
        given = keys if keys["aws_access_key_id"] else {"profile_name": environ.get("AWS_PROFILE")}
        session = boto3.Session(region_name=self.region, **given)  # type: ignore[arg-type]
        config = Config(s3={"addressing_style": "path"} if self.rehearsal else None, retries={"mode": "standard"})
        return session.client(service, config=config, endpoint_url=environ.get("AWS_ENDPOINT_URL"))  # type: ignore[call-overload]

    def caller(self) -> str:
        """Return the ARN of the user or role whose credentials these are; a role's session is that of the role."""
        arn = str(self.client("sts").get_caller_identity()["Arn"])
        if not (found := _ASSUMED.fullmatch(arn)):
            return arn
        partition, account, name = found.groups()
        try:  # a role of single sign-on has a path, which the session's ARN does not have
            return str(self.client("iam").get_role(RoleName=name)["Role"]["Arn"])
        except ClientError:
            return f"arn:{partition}:iam::{account}:role/{name}"

    def as_role(self, arn: str, session: str) -> dict[str, str]:
        """Return the environment with the credentials of a role, which last for an hour."""
        assume = self.client("sts").assume_role
        got = self.wait(lambda: _unless_denied(lambda: assume(RoleArn=arn, RoleSessionName=session)), 60, "the role")
        kept = {name: value for name, value in self.environ.items() if name != "AWS_PROFILE"}
        return {
            **kept,
            "AWS_ACCESS_KEY_ID": got["Credentials"]["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": got["Credentials"]["SecretAccessKey"],
            "AWS_SESSION_TOKEN": got["Credentials"]["SessionToken"],
            "AWS_REGION": self.region,
        }

    def wait(self, look: Callable[[], T | None], seconds: float, what: str) -> T:
        """Look again and again until there is something, and fail if it does not come."""
        end = time.monotonic() + (min(seconds, 60) if self.rehearsal else seconds)
        while True:
            if found := look():
                return found
            if time.monotonic() > end:
                raise StageFailed(f"{what}: not within {seconds:.0f} s")
            time.sleep(0.2 if self.rehearsal else 5)


def _unless_denied(ask: Callable[[], Any]) -> Any:
    """Ask IAM, which takes some seconds until it knows a new role everywhere."""
    try:
        return ask()
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDenied":
            return None
        raise
