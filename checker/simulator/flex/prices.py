"""What an hour, a request and a task cost; `prices.json` has the prices and the month that they are from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from checker.simulator.flex.model import FlexApp

PRICES: Mapping[str, Any] = json.loads(Path(__file__).with_name("prices.json").read_text("utf-8"))
CONNECTIONS = 25.0
"""New connections a second in one capacity unit of a load balancer. Each request counts as one: the worst case."""
ADDRESSES = 2
"""Public addresses of a load balancer: one in each of two zones."""


def request_cost(app: FlexApp) -> float:
    """Return what a request on Lambda costs, with its API."""
    compute = app.memory / 1024 * app.seconds * PRICES["lambda_gb_second"][app.architecture]
    return float(PRICES["lambda_request"] + PRICES["api_request"][app.api] + compute)


def task_hour(app: FlexApp) -> float:
    """Return what a task costs in an hour, with its public address."""
    compute = app.cpu / 1024 * PRICES["fargate_vcpu_hour"][app.architecture]
    memory = app.task_memory / 1024 * PRICES["fargate_gb_hour"][app.architecture]
    return float(compute + memory + PRICES["public_address_hour"])


def balancer_hour(requests_per_second: float) -> float:
    """Return what a load balancer costs in an hour under a load."""
    units = requests_per_second / CONNECTIONS * PRICES["load_balancer_unit_hour"]
    return float(PRICES["load_balancer_hour"] + units + ADDRESSES * PRICES["public_address_hour"])


def break_even(app: FlexApp, tasks: int, use: float) -> float:
    """Return the demand, in requests per second, from which on Fargate costs less than Lambda.

    Args:
        app: the app.
        tasks: the smallest number of them.
        use: the share of a task that autoscaling aims at.
    """
    each = request_cost(app) * 3600 - float(PRICES["load_balancer_unit_hour"]) / CONNECTIONS
    standing = balancer_hour(0) + tasks * task_hour(app)
    if each <= 0:
        return float("inf")
    demand = standing / each
    if demand <= tasks * app.per_task * use:
        return demand
    more = each - task_hour(app) / (app.per_task * use)
    return balancer_hour(0) / more if more > 0 else float("inf")
