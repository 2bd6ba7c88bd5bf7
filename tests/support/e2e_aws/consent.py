"""What has to be said before anything is made: which account, with whose credentials, for how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from e2e_aws.model import Stage

ACCOUNT = "AUTO_LAMBDA_E2E_ACCOUNT"


class Refused(Exception):
    """The run was not begun; the message says why."""


def check_environ(environ: Mapping[str, str]) -> None:
    """Make sure that account, credentials and region were named, and lead to AWS.

    Raises:
        Refused: with all that is missing.
    """
    if wrong := list(_wrong(environ)):
        raise Refused("\n".join(["nothing was made:", *wrong]))


def _wrong(environ: Mapping[str, str]) -> Iterator[str]:
    if not environ.get(ACCOUNT):
        yield f"  {ACCOUNT} is not set: set it to the number of the account in which all this may be made and deleted"
    if not (environ.get("AWS_PROFILE") or environ.get("AWS_ACCESS_KEY_ID")):
        yield "  neither AWS_PROFILE nor AWS_ACCESS_KEY_ID is set: default credentials are not used"
    if not environ.get("AWS_REGION"):
        yield "  AWS_REGION is not set: the region of a profile is not used"
    for name in sorted(environ):
        if name.startswith("AWS_ENDPOINT_URL") and environ[name]:
            yield f"  {name} is set: that is not AWS. For a rehearsal on the embedded AWS: --rehearse"


def check_account(environ: Mapping[str, str], account: str, caller: str) -> None:
    """Make sure that the credentials are those of the account that was named, and can assume a role.

    Raises:
        Refused: they are another's, or the root user's.
    """
    if caller.endswith(":root"):
        raise Refused("nothing was made: these are credentials of the root user, which can assume no role")
    if environ[ACCOUNT] != account:
        raise Refused(f"nothing was made: {ACCOUNT} is {environ[ACCOUNT]}, the credentials are those of {account}")


def estimate(stages: Sequence[Stage]) -> list[str]:
    """Say how long the stages take and what they cost at most, each and together."""
    width = max(len(stage.name) for stage in stages)
    lines = [f"  {it.name:<{width}}  {it.minutes:>3} min  ${it.cents / 100:>5.2f}  {it.title}" for it in stages]
    minutes, cents = sum(it.minutes for it in stages), sum(it.cents for it in stages)
    return [*lines, f"  {'together':<{width}}  {minutes:>3} min  ${cents / 100:>5.2f}  at list prices, at most"]
