"""Checks the account's quotas. Those of API Gateway are fixed, and no call tells them: figures of 2026-11-29."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auto_lambda.aws.quotas import AccountQuotas
from worker.operations.doctor.finding import Finding, asked

VCPUS = 2
"""Of each instance type of the worker group."""
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
MOST_APIS: Mapping[str, int] = {"REGIONAL": 600, "EDGE": 120, "PRIVATE": 600}
API_SECONDS: Mapping[str, int] = {"REGIONAL": 3, "EDGE": 30}
DEPLOYMENT_SECONDS = 5
_NEARLY = 0.8
LEAST_EXECUTIONS = 100
_GIGABYTE = 1024**3


def quotas(account: AccountQuotas, group: str) -> Iterator[Finding]:
    """Check each quota, with the size of the worker group in mind."""
    yield asked("instances", lambda: instances(account, group))
    yield asked("code storage", lambda: code_storage(account))
    yield asked("concurrency", lambda: concurrency(account))
    yield asked("REST APIs", lambda: rest_apis(account))


def instances(account: AccountQuotas, group: str) -> Finding:
    """Check whether the worker group can grow as large as it may."""
    spot, on_demand = account.vcpus()
    size = account.largest_group(group)
    if size is None:
        found = f"{spot} vCPUs of Spot Instances, {on_demand} on demand; there is no group {group}"
        return Finding("instances", "fine", found)
    most, percentage = size
    needed = {"Spot": VCPUS * most * (100 - percentage) // 100, "on-demand": VCPUS * most * percentage // 100}
    short = [
        f"{name} instances may have {quota} vCPUs, enough for {quota // VCPUS} workers"
        for name, quota in (("Spot", spot), ("on-demand", on_demand))
        if needed[name] > quota
    ]
    if short:
        advice = (
            "Ask Service Quotas for more ('All Standard Spot Instance Requests', or 'Running On-Demand Standard "
            "instances'), or lower WorkersMax: the group asks again and again for what it cannot get."
        )
        return Finding("instances", "warning", f"{group} may grow to {most} workers, but {'; '.join(short)}", advice)
    return Finding("instances", "fine", f"the quotas are enough for {most} workers")


def code_storage(account: AccountQuotas) -> Finding:
    """Check the room for versions of functions and layers."""
    found = account.functions()
    text = f"{found.code_bytes_used / _GIGABYTE:.1f} of {found.code_bytes / _GIGABYTE:.0f} GB are used"
    if found.code_bytes_used > _NEARLY * found.code_bytes:
        advice = "Delete versions of functions and layers that nobody uses, or ask Service Quotas for more."
        return Finding("code storage", "warning", text, advice)
    return Finding("code storage", "fine", text)


def concurrency(account: AccountQuotas) -> Finding:
    """Check how many executions all functions share."""
    found = account.functions()
    text = f"{found.executions} executions at the same time, {found.executions_unreserved} of them not reserved"
    if found.executions_unreserved <= LEAST_EXECUTIONS:
        advice = "Ask Service Quotas for more ('Concurrent executions'): new accounts have few, and apps share them."
        return Finding("concurrency", "warning", text, advice)
    return Finding("concurrency", "fine", text)


def rest_apis(account: AccountQuotas) -> Finding:
    """Check how many more REST APIs there may be; their rate is the same in every account."""
    have = account.rest_apis()
    counts = ", ".join(f"{have[kind]} of {most} {kind}" for kind, most in MOST_APIS.items())
    rate = f"a new one every {DEPLOYMENT_SECONDS} s, if it is EDGE every {API_SECONDS['EDGE']} s"
    if any(have[kind] > _NEARLY * most for kind, most in MOST_APIS.items()):
        advice = "AWS does not raise this: use HTTP APIs or function URLs, or another account."
        return Finding("REST APIs", "warning", f"{counts}; {rate}", advice)
    return Finding("REST APIs", "fine", f"{counts}; {rate}")
