"""Which image the fleet starts from now."""

from __future__ import annotations

from typing import Any

from ami.build import PREFIX
from ami.problems import NotStarted, before_launch


def published(ssm: Any, ec2: Any, architecture: str, parameter: str = "") -> dict[str, str]:
    """What the parameter and the image's tags say.

    Raises:
        NotStarted: nothing is published, the image is gone, or AWS cannot be asked.
    """
    name = parameter or PREFIX + architecture
    with before_launch():
        try:
            image: str = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        except ssm.exceptions.ParameterNotFound:
            raise NotStarted(f"no image is published: {name} does not exist; make one: auto-lambda ami build") from None
        found = ec2.describe_images(Filters=[{"Name": "image-id", "Values": [image]}])["Images"]
    if not found:
        raise NotStarted(f"{name} names {image}, which is gone: make a new one with auto-lambda ami build")
    tags = {tag["Key"].removeprefix("auto-lambda:"): tag["Value"] for tag in found[0].get("Tags", ())}
    return {"parameter": name, "image": image, "made": found[0]["CreationDate"], "name": found[0]["Name"],
            **{key: tags.get(key, "?") for key in ("version", "commit", "base-name", "base-image")}}  # fmt: skip
