"""What the checks before a launch ask of an account. The only module that calls these services."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from auto_lambda_cli.pipeline import naming
from auto_lambda_cli.pipeline.site import Clients

SPOT, ON_DEMAND, VPCS = ("ec2", "L-34B43A08"), ("ec2", "L-1216C47A"), ("vpc", "L-F678F1CE")
"""Service and code of quotas: vCPUs of standard Spot and On-Demand Instances, and VPCs per region."""
_MISSING = {"404", "NoSuchBucket", "NoSuchEntity", "ParameterNotFound"}
_FOREIGN = {"403", "AccessDenied", "301"}


@dataclass(frozen=True, slots=True)
class Account:
    """An account, as the checks look at it."""

    clients: Clients

    def bucket(self, name: str) -> str | None:
        """Return whose bucket has this name: ``ours``, ``another account's``, or None if there is none."""
        try:
            self.clients("s3").head_bucket(Bucket=name)
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            if _code(error) in _FOREIGN:
                return "another account's"
            raise
        return "ours"

    def taken(self, pipeline: str, account: str, region: str, log_prefix: str) -> Iterator[str]:
        """Name what already has a name that a new pipeline's core would use."""
        for name in naming.buckets(pipeline, account, region):
            if owner := self.bucket(name):
                yield f"bucket {name} ({owner})"
        yield from (f"log group {name}" for name in self._log_groups(log_prefix))

    def taken_roles(self, pipeline: str, region: str) -> Iterator[str]:
        """Name the roles that already have a name of a new pipeline's."""
        for name in naming.roles(pipeline, region):
            if _exists(lambda name=name: self.clients("iam").get_role(RoleName=name)):
                yield f"role {name}"

    def taken_groups(self, pipeline: str) -> Iterator[str]:
        """Name the Auto Scaling groups that already have a name of a new pipeline's."""
        wanted = list(naming.groups(pipeline))
        found = self.clients("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=wanted)
        yield from (f"Auto Scaling group {group['AutoScalingGroupName']}" for group in found["AutoScalingGroups"])

    def _log_groups(self, prefix: str) -> list[str]:
        found = self.clients("logs").describe_log_groups(logGroupNamePrefix=f"{prefix}/")["logGroups"]
        wanted = {f"{prefix}/worker", f"{prefix}/checker"}
        return [group["logGroupName"] for group in found if group["logGroupName"] in wanted]

    def image(self, parameter: str) -> str | None:
        """Return the image that an SSM parameter names; None if there is no such parameter."""
        ssm = self.clients("ssm")
        try:
            value: str = ssm.get_parameter(Name=parameter)["Parameter"]["Value"]
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            raise
        return value

    def image_version(self, image: str) -> str | None:
        """Return the version of Auto-Lambda in an image, by its tag; None if that is not known."""
        try:
            found = self.clients("ec2").describe_images(Filters=[{"Name": "image-id", "Values": [image]}])["Images"]
        except ClientError:
            return None
        tags = {tag["Key"]: tag["Value"] for one in found for tag in one.get("Tags", ())}
        return tags.get("auto-lambda:version")

    def quota(self, quota: tuple[str, str]) -> float | None:
        """Return the value of a quota; None if it cannot be read."""
        service, code = quota
        try:
            found = self.clients("service-quotas").get_service_quota(ServiceCode=service, QuotaCode=code)
        except (ClientError, BotoCoreError):
            return None
        return float(found["Quota"]["Value"])

    def vpcs(self) -> int:
        """Count the VPCs of the region."""
        return len(self.clients("ec2").describe_vpcs()["Vpcs"])


def _exists(ask: Any) -> bool:
    try:
        ask()
    except ClientError as error:
        if _code(error) in _MISSING:
            return False
        raise
    return True


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
