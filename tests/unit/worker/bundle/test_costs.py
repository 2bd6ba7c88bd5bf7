from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from drafts import Maker, function, permission, resource, role
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.receipts import StandingCosts
from builder.protocol.flex import FlexMessage
from worker.bundle import costs
from worker.bundle.costs import standing_costs

PRICES = json.loads(Path(costs.__file__).with_name("prices.json").read_text())
KEEP_WARM = "shop-dev-zappa-keep-warm-handler.keep_warm_callback"


def work(memory: int = 512, provisioned: int = 0, **more: Any) -> dict[str, Any]:
    made = function(**more)
    made["Properties"]["MemorySize"] = memory
    return {**made, "Metadata": {"AutoLambda": {"ProvisionedConcurrency": provisioned}}}


def warmed(name: str = KEEP_WARM, expression: str = "rate(4 minutes)", **more: Any) -> dict[str, Any]:
    target = {"Id": "x", "Arn": {"Fn::GetAtt": ["Work", "Arn"]}}
    rule = resource("Events::Rule", Name=name, ScheduleExpression=expression, Targets=[target], **more)
    return {"Warm": rule, "WarmPermission": permission("Work", "events", {"Fn::GetAtt": ["Warm", "Arn"]})}


def of(tmp_path: Path, architecture: Any = "x86_64", **resources: Any) -> StandingCosts | None:
    template = {"Resources": {"Role": role(), **resources}}
    return standing_costs(Maker(tmp_path).bundle(template, main="Work", url=False).template, architecture)


def test_an_app_that_waits_costs_nothing(tmp_path: Path) -> None:
    assert of(tmp_path, Work=work()) is None


@pytest.mark.parametrize(("architecture", "usd"), [("x86_64", 10.95), ("arm64", 8.76)])
def test_environments_that_are_always_started(tmp_path: Path, architecture: str, usd: float) -> None:
    found = of(tmp_path, architecture, Work=work(provisioned=2))
    assert found is not None
    (item,) = found.items
    assert (item.function, item.what, round(item.usd, 2)) == ("Work", "provisioned_concurrency", usd)
    assert item.how == "2 x 512 MB, always started"


def test_a_snapshot_is_paid_for_each_version(tmp_path: Path) -> None:
    found = of(tmp_path, Work=work(1024, SnapStart={"ApplyOn": "PublishedVersions"}))
    assert found is not None
    (item,) = found.items
    assert (item.what, round(item.usd, 2)) == ("snap_start", 3.95)
    assert "each older version that is kept" in item.how
    (tmp_path / "none").mkdir()
    assert of(tmp_path / "none", Work=work(SnapStart={"ApplyOn": "None"})) is None


@pytest.mark.parametrize("name", [KEEP_WARM, "0a1b2c-handler.keep_warm_callback"])
def test_calls_that_keep_it_warm(tmp_path: Path, name: str) -> None:
    found = of(tmp_path, Work=work(), **warmed(name))
    assert found is not None
    (item,) = found.items
    assert (item.function, item.what, item.how) == ("Work", "keep_warm", "10,950 calls of 0.1 s with 512 MB")
    assert round(item.usd, 3) == 0.011


@pytest.mark.parametrize(
    "rule",
    [
        warmed("shop-dev-tasks.clean"),
        warmed(State="DISABLED"),
        warmed(expression="cron(0 12 * * ? *)"),
    ],
)
def test_other_schedules_are_work(tmp_path: Path, rule: dict[str, Any]) -> None:
    assert of(tmp_path, Work=work(), **rule) is None


def test_the_sum_is_told_with_the_prices(tmp_path: Path) -> None:
    found = of(tmp_path, Work=work(provisioned=1), **warmed())
    assert str(found).startswith(f"$5.49 a month while idle, at prices of us-east-1, {PRICES['as_of']}: ")
    assert "provisioned_concurrency of Work $5.48, keep_warm of Work $0.01" in str(found)


def test_the_page_has_the_prices() -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "costs.md").read_text()
    table = page.partition("## What an idle app costs")[2].partition("\n## ")[0]
    wanted = [*PRICES["gb_second"].values(), *PRICES["provisioned_gb_second"].values(), PRICES["snapshot_gb_second"]]
    for price in wanted:
        assert f"${price:.10f}" in table
    assert f"${PRICES['request'] * 1e6:.2f} per million" in table
    assert f"{PRICES['keep_warm_seconds']} s" in table


@given(st.integers(128, 10_240), st.integers(1, 20))
def test_twice_the_memory_or_number_costs_twice(memory: int, count: int) -> None:
    def usd(memory: int, count: int) -> float:
        alias = resource(
            "Lambda::Alias", FunctionName={"Ref": "Work"},
            ProvisionedConcurrencyConfig={"ProvisionedConcurrentExecutions": count},
        )  # fmt: skip
        found = standing_costs({"Resources": {"Work": work(memory), "WorkLive": alias}}, "x86_64")
        assert found is not None
        return found.usd

    assert usd(memory * 2, count) == pytest.approx(2 * usd(memory, count))
    assert usd(memory, count * 2) == pytest.approx(2 * usd(memory, count))


@pytest.mark.parametrize(("variant", "count"), [("dns", 0), ("standing-load-balancer", 1)])
def test_a_load_balancer_costs_if_it_stands(tmp_path: Path, variant: Any, count: int) -> None:
    flex = FlexMessage(measure="concurrency", above=2, below=1, variant=variant)
    found = standing_costs(Maker(tmp_path).bundle(flex=flex).template, "x86_64")
    items = found.items if found else ()
    assert [one.what for one in items] == ["load_balancer"] * count
    assert all(one.usd == pytest.approx(730 * (0.0225 + 0.01)) for one in items)
