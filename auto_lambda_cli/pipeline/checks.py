"""What is checked before a pipeline is launched, so that nothing begins that cannot end well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from botocore.exceptions import ClientError

from auto_lambda import __version__
from auto_lambda.aws.sts import whoami
from auto_lambda_cli.pipeline import naming
from auto_lambda_cli.pipeline.account import ON_DEMAND, SPOT, VPCS, Account
from auto_lambda_cli.pipeline.change_sets import ReviewedStacks
from auto_lambda_cli.pipeline.parts import CORE, FLEET, all_parts
from auto_lambda_cli.pipeline.site import Clients, Site

_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_INVALID = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"}
_VCPUS = 2  # of each instance type of the fleet
MOST = {"WorkersMax": "10", "OnDemandPercentage": "0"}


class LaunchRefused(Exception):
    """Nothing was changed; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked."""

    what: str
    state: Literal["ok", "warning", "wrong"]
    text: str


def find_site(
    pipeline: str, region: str | None, clients: Clients, tags: Mapping[str, str] = MappingProxyType({})
) -> Site:
    """Find out whose credentials these are, and return the place of a pipeline.

    Raises:
        LaunchRefused: the name is not one for a pipeline, or the credentials are not valid.
        botocore.exceptions.BotoCoreError: there are no credentials, or AWS cannot be reached.
    """
    if wrong := naming.problem(pipeline):
        raise LaunchRefused(f"not a name for a pipeline: {wrong}")
    sts = clients("sts")
    try:
        account = whoami(sts).split(":")[4]
    except ClientError as error:
        raise LaunchRefused(_credentials(error)) from error
    stacks = ReviewedStacks(clients("cloudformation"))
    return Site(pipeline, account, region or sts.meta.region_name, clients, stacks, tags)


def _credentials(error: ClientError) -> str:
    code = error.response.get("Error", {}).get("Code", "")
    if code in _EXPIRED:
        return "the AWS credentials have expired: log in again, for example with `aws sso login`"
    if code in _INVALID:
        return f"AWS does not accept these credentials ({code}): log in again, or choose others with AWS_PROFILE"
    return f"AWS says: {error}"


def check(site: Site, chosen: Mapping[str, str]) -> list[Check]:
    """Check names, quotas and the image."""
    account = Account(site.clients)
    checks: list[Callable[[], Iterator[Check]]] = [
        lambda: _names(site, account, chosen),
        lambda: _network(site, account, chosen),
        lambda: _instances(account, chosen),
        lambda: _image(account, chosen),
    ]
    found = [Check("account", "ok", f"{site.account} in {site.region}")]
    for one in checks:
        try:
            found += one()
        except ClientError as error:
            found.append(Check("permissions", "warning", f"could not be checked: {error}"))
    return found


def image_parameter(chosen: Mapping[str, str]) -> str:
    """Return the name of the SSM parameter that names the instances' image."""
    value = {name: default for part in all_parts() if part.name == FLEET for name, default in part.defaults.items()}
    prefix, architecture = (chosen.get(name) or value[name] for name in ("ImagePrefix", "Architecture"))
    return f"{prefix}/{architecture}"


def _names(site: Site, account: Account, chosen: Mapping[str, str]) -> Iterator[Check]:
    missing = {part.name for part in all_parts() if site.stack(part) is None}
    taken: list[str] = []
    if CORE in missing:
        taken += account.taken(site.pipeline, site.account, site.region, chosen.get("LogPrefix", "/auto-lambda"))
    if "roles" in missing:
        taken += account.taken_roles(site.pipeline, site.region)
    if FLEET in missing and not site.single_stack():
        taken += account.taken_groups(site.pipeline)
    for name in taken:
        yield Check("names", "wrong", f"{name} exists already, and no stack of this pipeline has it")
    if not taken:
        yield Check("names", "ok", f"those of pipeline {site.pipeline} are free, or its own")


def _network(site: Site, account: Account, chosen: Mapping[str, str]) -> Iterator[Check]:
    there = next(site.stack(part) for part in all_parts() if part.name == "network")
    if chosen.get("VpcId") or there or site.single_stack():
        return
    limit, used = account.quota(VPCS), account.vpcs()
    if limit is not None and used >= limit:
        yield Check(
            "network", "wrong", f"the region has {used} VPCs, its quota is {limit:.0f}: give VpcId and SubnetIds"
        )


def _instances(account: Account, chosen: Mapping[str, str]) -> Iterator[Check]:
    values = {**MOST, **chosen}
    most, percentage = int(values["WorkersMax"]), int(values["OnDemandPercentage"])
    if most == 0:
        return
    name, quota = ("On-Demand", ON_DEMAND) if percentage == 100 else ("Spot", SPOT)
    limit = account.quota(quota)
    if limit is None:
        yield Check(
            "quotas", "warning", f"the quota of {name} vCPUs could not be read; {most} workers need {most * _VCPUS}"
        )
    elif limit < most * _VCPUS:
        fits = int(limit) // _VCPUS
        yield Check(
            "quotas", "warning",
            f"the quota of {name} vCPUs is {limit:.0f}: of {most} workers, {fits} can run at the same time. "
            f"Ask for {most * _VCPUS} in Service Quotas ({quota[1]})",
        )  # fmt: skip
    else:
        yield Check("quotas", "ok", f"{limit:.0f} {name} vCPUs for {most} workers")


def _image(account: Account, chosen: Mapping[str, str]) -> Iterator[Check]:
    name = image_parameter(chosen)
    image = account.image(name)
    if image is None:
        yield Check("image", "warning", f"{name} does not exist, so no instance is launched until an image is built")
        return
    version = account.image_version(image)
    if version in (None, __version__):
        yield Check("image", "ok", f"{image} ({version or 'of unknown version'})")
    else:
        yield Check(
            "image", "warning", f"{image} is of version {version}, this is {__version__}: build one of this version"
        )
