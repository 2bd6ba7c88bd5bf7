"""Building an image: check, pack, run Packer, publish."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from ami import base, packages, payload
from ami.diagnosis import diagnose
from ami.keypair import temporary_key_pair
from ami.packer import Packer, PackerCall, Show
from ami.payload import Origin
from ami.problems import BuildFailed, NotStarted, before_launch
from auto_lambda.aws.session import client

if TYPE_CHECKING:
    import boto3

PREFIX = "/auto-lambda/image/"
INSTANCE_TYPES = {"x86_64": "m7i.large", "arm64": "m7g.large"}


@dataclass(frozen=True, slots=True)
class Order:
    """The options of a build.

    Attributes:
        parameter: the SSM parameter to publish to; if empty, the architecture's own below `PREFIX`.
        base_image: an image id instead of AWS's newest.
        minutes: the maximum duration.
        grace: seconds that Packer has for its clean-up after it was stopped.
        variables: more variables of the template, which override all others.
    """

    architecture: str = "x86_64"
    kernel: str = base.KERNEL
    base_image: str = ""
    instance_type: str = ""
    volume_gb: int = 30
    subnet: str = ""
    parameter: str = ""
    minutes: float = 60
    grace: float = 600
    variables: Mapping[str, str] = field(default_factory=dict)

    def published_as(self) -> str:
        """The SSM parameter that will hold the image's id."""
        return self.parameter or PREFIX + self.architecture


@dataclass(frozen=True, slots=True)
class Image:
    """A finished image, and the parameter that holds its id."""

    image: str
    name: str
    region: str
    parameter: str
    origin: Origin


Gather = Callable[[Path, Origin, Path], Path]


class Maker:
    """Builds images from a clone.

    Args:
        session: has the credentials and region for us and for Packer.
        packer: from `ami.packer.find`.
        show: prints a line.
        clone: the repository.
        gather: makes the archive for the build instance.
        now: the clock, for the image's name.
    """

    def __init__(
        self, session: boto3.Session, packer: Packer, show: Show, *, clone: Path, gather: Gather = payload.make,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._session = session
        self._packer = packer
        self._show = show
        self._clone = clone
        self._gather = gather
        self._now = now

    def make(self, order: Order) -> Image:
        """Build, tag and publish an image.

        Raises:
            NotStarted: nothing was launched.
            BuildFailed: Packer failed, or the image could not be published.
            BuildTimedOut, BuildInterrupted: it was stopped.
        """
        packages.check(self._clone / "ami" / "packages.tsv", self._clone / "ami" / "dnf-known.txt")
        with before_launch():
            origin, credentials = self._prepare(order)
        name = f"auto-lambda-{origin.version}-{order.architecture}-{self._now():%Y%m%d-%H%M%S}"
        with tempfile.TemporaryDirectory(prefix="auto-lambda-image-") as folder:
            image = self._run(order, origin, name, Path(folder), credentials)
        self._publish(order, origin, image, name)
        return Image(image, name, self._region, order.published_as(), origin)

    @property
    def _region(self) -> str:
        return str(self._session.region_name)

    def _client(self, service: str) -> Any:
        return client(self._session, service)

    def _prepare(self, order: Order) -> tuple[Origin, dict[str, str]]:
        if not self._session.region_name:
            raise NotStarted("no AWS region is set: use --region, or set AWS_REGION")
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        self._client("sts").get_caller_identity()
        ec2 = self._client("ec2")
        found = (
            base.given(ec2, order.base_image)
            if order.base_image
            else base.find(self._client("ssm"), ec2, order.architecture, order.kernel)
        )
        self._show(f"base image: {found.name} ({found.image})")
        return payload.origin_of(self._clone, found.image, found.name, order.architecture), _handed_to_packer(
            credentials
        )

    def _run(self, order: Order, origin: Origin, name: str, folder: Path, credentials: Mapping[str, str]) -> str:
        with before_launch():
            payload_variable = self._gathered(order, origin, folder)
            template = self._packer.template(self._clone / "ami")
            if self._packer.needs_init():
                self._packer.run(PackerCall("init", template), self._show, seconds=600)
        variables = {**_variables(order, origin, name, self._region), **payload_variable}
        with self._key_pair(order, name, folder) as key:
            call = PackerCall("build", template, {"var": {**variables, **key, **order.variables}}, credentials)
            returncode, output = self._packer.run(call, self._show, seconds=order.minutes * 60, grace=order.grace)
        image = output.images.get(self._region)
        if returncode or image is None:
            raise BuildFailed(f"the build failed: {diagnose(output)}")
        return image

    def _gathered(self, order: Order, origin: Origin, folder: Path) -> dict[str, str]:
        if "payload" in order.variables:
            return {}
        self._show(f"packing Auto-Lambda {origin.version}, commit {origin.commit}")
        return {"payload": str(self._gather(self._clone, origin, folder))}

    @contextmanager
    def _key_pair(self, order: Order, name: str, folder: Path) -> Iterator[dict[str, str]]:
        if "ssh_keypair_name" in order.variables:
            given: Any = nullcontext({})
        else:
            given = temporary_key_pair(self._client("ec2"), name, folder)
        with given as variables:
            yield variables

    def _publish(self, order: Order, origin: Origin, image: str, name: str) -> None:
        parameter = order.published_as()
        try:
            self._client("ec2").modify_image_attribute(ImageId=image, ImdsSupport={"Value": "v2.0"})
            self._client("ssm").put_parameter(
                Name=parameter, Value=image, Type="String", DataType="aws:ec2:image", Overwrite=True,
                Description=f"{name}: Auto-Lambda {origin.version}, commit {origin.commit}",
            )  # fmt: skip
        except (BotoCoreError, ClientError) as error:
            raise BuildFailed(
                f"the image {image} was built, but new instances do not use it: "
                f"{parameter} could not be written: {error}"
            ) from error


def _handed_to_packer(credentials: Any) -> dict[str, str]:
    """Pass boto3's credentials to Packer, which by itself supports fewer kinds of credentials."""
    frozen = credentials.get_frozen_credentials()
    handed = {"AWS_ACCESS_KEY_ID": frozen.access_key, "AWS_SECRET_ACCESS_KEY": frozen.secret_key}
    return {**handed, "AWS_SESSION_TOKEN": frozen.token} if frozen.token else handed


def _variables(order: Order, origin: Origin, name: str, region: str) -> dict[str, str]:
    chosen = {
        "region": region,
        "architecture": order.architecture,
        "instance_type": order.instance_type or INSTANCE_TYPES[order.architecture],
        "base_image": origin.base_image,
        "base_name": origin.base_name,
        "version": origin.version,
        "commit": origin.commit,
        "image_name": name,
        "volume_gb": str(order.volume_gb),
        "subnet_id": order.subnet,
        "endpoint": os.environ.get("AWS_ENDPOINT_URL_EC2") or os.environ.get("AWS_ENDPOINT_URL", ""),
    }
    return {name: value for name, value in chosen.items() if value}
