"""What one app may take of the account: every figure has a limit, and the platform team can move it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from drafts import APP, SURROUNDINGS, Maker, function, rest_template, role

from auto_lambda.errors import AppError, Code
from auto_lambda.grants import Grants
from auto_lambda.model import Template
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.gate import pass_gate
from worker.deploy.gate.quotas import Quotas
from worker.model import Bundle


def many(kind: str, number: int, **properties: Any) -> Template:
    template = rest_template()
    for index in range(number):
        template["Resources"][f"More{index}"] = one = role() if kind == "role" else function()
        one["Properties"] |= properties
    return template


def provisioned(count: int) -> Template:
    template = rest_template()
    template["Resources"]["Api"]["Metadata"] = {"AutoLambda": {"ProvisionedConcurrency": count}}
    return template


GREEDY: dict[str, tuple[Template, int]] = {
    "functions": (many("function", 50), 51),
    "roles": (many("role", 50), 51),
    "memory_mb": (many("function", 6, MemorySize=10_240), 6 * 10_240 + 128),
    "reserved_concurrency": (many("function", 1, ReservedConcurrentExecutions=900), 900),
    "provisioned_concurrency": (provisioned(1000), 1000),
    "resources": (rest_template(), 7),
}


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


def quota(name: str) -> AppAccess:
    limits = replace(Quotas(), resources=6) if name == "resources" else Quotas()
    return AppAccess(APP, quotas=limits)


def test_each_quota_is_tried() -> None:
    assert GREEDY.keys() == asdict(Quotas()).keys()


@pytest.mark.parametrize("name", GREEDY)
def test_more_than_the_quota_is_refused_with_figure_limit_and_who_raises_it(make: Maker, name: str) -> None:
    template, used = GREEDY[name]
    access = quota(name)
    with pytest.raises(AppError) as caught:
        pass_gate(make.bundle(template), SURROUNDINGS, access)
    assert caught.value.code is Code.TEMPLATE_REFUSED
    limit = asdict(access.quotas)[name]
    for said in (f"{used:,}", f"it may have {limit:,}", "The platform team", f'"quotas": {{"{name}": {used}}}'):
        assert said in caught.value.message


@pytest.mark.parametrize("name", GREEDY)
def test_a_grant_raises_one_quota(make: Maker, name: str) -> None:
    template, used = GREEDY[name]
    pass_gate(make.bundle(template), SURROUNDINGS, replace(quota(name), grants=Grants(quotas={name: used})))


@pytest.mark.parametrize("name", GREEDY)
def test_a_grant_lowers_one_quota(make: Maker, name: str) -> None:
    template, used = GREEDY[name]
    with pytest.raises(AppError, match=f"quota {name}"):
        pass_gate(make.bundle(template), SURROUNDINGS, AppAccess(APP, Grants(quotas={name: used - 1})))


@pytest.mark.parametrize("size", [{"Ref": "AWS::AccountId"}, True, -1, "many", None, 1.5])
def test_what_cannot_be_counted_is_refused(make: Maker, size: Any) -> None:
    bundle: Bundle = make.bundle(rest_template(ReservedConcurrentExecutions=size))
    with pytest.raises(AppError, match="cannot be read"):
        pass_gate(bundle, SURROUNDINGS)
