"""What a release costs a month though nobody uses it: what is always started, called or stands in front of it.

``prices.json`` has the prices, with the month that they are from. Pure functions on a final template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from auto_lambda.model import Architecture, Template
from auto_lambda.receipts import Cost, StandingCosts
from worker.bundle.references import referenced

_PRICES: Mapping[str, Any] = json.loads(Path(__file__).with_name("prices.json").read_text("utf-8"))
_SECONDS = _PRICES["hours_per_month"] * 3600
_DEFAULT_MEMORY = 128  # MB, Lambda's
_KEEP_WARM = "handler.keep_warm_callback"
"""The end of the rule's name; zappa shortens what comes before."""
_RATE = re.compile(r"rate\((\d{1,9}) (minute|hour|day)s?\)")
_UNITS: Mapping[str, int] = {"minute": 60, "hour": 3600, "day": 86_400}


def standing_costs(template: Template, architecture: Architecture) -> StandingCosts | None:
    """Return what the functions of a template that has passed the gate cost while they are idle, None if nothing."""
    resources = template.get("Resources", {})
    items = (
        *_provisioned(resources, architecture),
        *_snapshots(resources),
        *_warm_calls(resources, architecture),
        *_load_balancer(template),
    )
    return StandingCosts(f"{_PRICES['region']}, {_PRICES['as_of']}", items) if items else None


def _provisioned(resources: Mapping[str, Any], architecture: Architecture) -> Iterator[Cost]:
    for alias in _of_type(resources, "AWS::Lambda::Alias").values():
        count = alias.get("ProvisionedConcurrencyConfig", {}).get("ProvisionedConcurrentExecutions", 0)
        for name in {*referenced(alias.get("FunctionName"))} if count else ():
            memory = _memory(resources, name)
            month = count * _gigabytes(memory) * _SECONDS * _PRICES["provisioned_gb_second"][architecture]
            yield Cost(name, "provisioned_concurrency", month, f"{count} x {memory} MB, always started")


def _snapshots(resources: Mapping[str, Any]) -> Iterator[Cost]:
    for name, function in sorted(_of_type(resources, "AWS::Lambda::Function").items()):
        if function.get("SnapStart", {}).get("ApplyOn") == "PublishedVersions":
            memory = _memory(resources, name)
            month = _gigabytes(memory) * _SECONDS * _PRICES["snapshot_gb_second"]
            how = f"the snapshot of {memory} MB; as much again for each older version that is kept"
            yield Cost(name, "snap_start", month, how)


def _warm_calls(resources: Mapping[str, Any], architecture: Architecture) -> Iterator[Cost]:
    aliases = {
        alias: name
        for alias, properties in _of_type(resources, "AWS::Lambda::Alias").items()
        for name in referenced(properties.get("FunctionName"))
    }
    for rule in _of_type(resources, "AWS::Events::Rule").values():
        called = [aliases[one] for one in referenced(rule.get("Targets")) if one in aliases]
        calls = _calls(rule)
        if called and calls and str(rule.get("Name")).endswith(_KEEP_WARM) and rule.get("State") != "DISABLED":
            memory, seconds = _memory(resources, called[0]), _PRICES["keep_warm_seconds"]
            each = _PRICES["request"] + _gigabytes(memory) * seconds * _PRICES["gb_second"][architecture]
            yield Cost(called[0], "keep_warm", calls * each, f"{calls:,} calls of {seconds} s with {memory} MB")


def _load_balancer(template: Template) -> Iterator[Cost]:
    """Yield what stands in all phases of an app that flexes so; other apps' load balancers come and go with demand."""
    about = template.get("Metadata", {}).get("AutoLambda", {})
    if about.get("Flex", {}).get("variant") == "standing-load-balancer":
        hour = _PRICES["load_balancer_hour"] + 2 * _PRICES["public_address_hour"]
        how = "a load balancer that stands in front of the app, with its two addresses, and without traffic"
        yield Cost(about["Main"], "load_balancer", hour * _PRICES["hours_per_month"], how)


def _calls(rule: Mapping[str, Any]) -> int:
    """Return how often a rule fires in a month, 0 where its expression does not tell."""
    found = _RATE.fullmatch(str(rule.get("ScheduleExpression")))
    return _SECONDS // (max(1, int(found[1])) * _UNITS[found[2]]) if found else 0


def _of_type(resources: Mapping[str, Any], kind: str) -> Mapping[str, Mapping[str, Any]]:
    return {name: one.get("Properties", {}) for name, one in resources.items() if one.get("Type") == kind}


def _memory(resources: Mapping[str, Any], function: str) -> int:
    memory = resources.get(function, {}).get("Properties", {}).get("MemorySize")
    return memory if isinstance(memory, int) else _DEFAULT_MEMORY


def _gigabytes(megabytes: int) -> float:
    return megabytes / 1024
