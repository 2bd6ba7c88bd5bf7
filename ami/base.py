"""The base image: Amazon Linux 2023, as published by AWS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ami.problems import NotStarted

KERNEL = "6.18"


@dataclass(frozen=True, slots=True)
class Base:
    """A base image: its id in one region, its name, and the public parameter that it was read from."""

    image: str
    name: str
    parameter: str


def parameter(architecture: str, kernel: str = KERNEL) -> str:
    """Return AWS's public SSM parameter for the latest Amazon Linux 2023 with this kernel."""
    return f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-{kernel}-{architecture}"


def find(ssm: Any, ec2: Any, architecture: str, kernel: str = KERNEL) -> Base:
    """Read the parameter and describe its image.

    Raises:
        NotStarted: no such parameter in this region, or no such image.
    """
    name = parameter(architecture, kernel)
    try:
        image: str = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        raise NotStarted(
            f"no such base image: {ssm.meta.region_name} has no {name}; choose another --kernel or --region"
        ) from None
    return Base(image, _name_of(ec2, image), name)


def given(ec2: Any, image: str) -> Base:
    """Describe a base image that is given by its id.

    Raises:
        NotStarted: no such image.
    """
    return Base(image, _name_of(ec2, image), "")


def _name_of(ec2: Any, image: str) -> str:
    try:
        found = ec2.describe_images(ImageIds=[image])["Images"]
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("InvalidAMIID"):
            raise
        found = []
    if not found:
        raise NotStarted(f"no such base image: {image} is not in {ec2.meta.region_name}")
    return str(found[0]["Name"])
