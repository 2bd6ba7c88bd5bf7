"""The image that the fleet uses now."""

from __future__ import annotations

from typing import Any

from ami.build import PREFIX
from ami.problems import NotStarted, before_launch


def published(ssm: Any, ec2: Any, architecture: str, parameter: str = "") -> dict[str, str]:
    """Read the parameter and the image's tags.

    Raises:
        NotStarted: nothing is published, the image was deleted, or AWS cannot be reached.
    """
    name = parameter or PREFIX + architecture
    with before_launch():
        try:
            image: str = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound:
            raise NotStarted(
                f"no image is published: {name} does not exist; build one: auto-lambda ami build"
            ) from None
        found = ec2.describe_images(Filters=[{"Name": "image-id", "Values": [image]}])["Images"]
    if not found:
        raise NotStarted(
            f"{name} names {image}, which does not exist any more: build a new one with auto-lambda ami build"
        )
    tags = {tag["Key"].removeprefix("auto-lambda:"): tag["Value"] for tag in found[0].get("Tags", ())}
    return {"parameter": name, "image": image, "made": found[0]["CreationDate"], "name": found[0]["Name"],
            **{key: tags.get(key, "?") for key in ("version", "commit", "base-name", "base-image")}}  # fmt: skip
