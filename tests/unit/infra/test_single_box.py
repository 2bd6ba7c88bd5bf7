"""The page on running everything on one box gives a user what the roles have, within IAM's limits."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pipeline_template import REPOSITORY, read_template, template_paths

PAGE = (REPOSITORY / "docs" / "how-to" / "single-box.md").read_text()
TEMPLATE = read_template()
(CORE,) = (read_template([path]) for path in template_paths() if path.stem == "core")
MANAGED_LIMIT, ROLE_INLINE_LIMIT = 6_144, 10_240
"""Characters without white space, from the IAM User Guide, 'IAM and AWS STS quotas'."""

MACHINE_ONLY = {"MachineBasics"}  # logs and session manager of an instance


def inline(role: str) -> dict[str, Any]:
    policies = TEMPLATE["Resources"][role]["Properties"]["Policies"]
    return {one["PolicyName"]: one["PolicyDocument"] for one in policies}


def parts() -> list[tuple[str, str]]:
    return [(role, name) for role in ("WorkerRole", "CheckerRole") for name in inline(role)]


def written(document: Any) -> str:
    """As long as it can be: conditions met, and names at their longest."""
    text = json.dumps(document, separators=(",", ":"))
    return re.sub(r"\{\"(?:Ref|Fn::GetAtt|Fn::Sub)\":[^{}]*\}", lambda found: f'"{"x" * 100}"', text)


def elsewhere() -> str:
    return PAGE[PAGE.index("**Elsewhere**") : PAGE.index("## 3. Install")]


@pytest.mark.parametrize(("role", "policy"), parts())
def test_the_user_has_every_inline_policy_of_the_roles(role: str, policy: str) -> None:
    assert f"{role}:{policy}" in elsewhere()


def test_the_user_has_every_managed_policy_of_the_worker() -> None:
    managed = [one["Ref"] for one in TEMPLATE["Resources"]["WorkerRole"]["Properties"]["ManagedPolicyArns"]]
    assert [name for name in managed if name not in elsewhere()] == [name for name in managed if name in MACHINE_ONLY]


def test_the_user_has_managed_policies_only() -> None:
    """2,048 characters of inline policies are a user's limit, and one of these policies exceeds it alone."""
    assert max(len(written(inline(role)[policy])) for role, policy in parts()) > 2_048
    assert "put-user-policy" not in PAGE


@pytest.mark.parametrize(("role", "policy"), parts())
def test_each_fits_into_a_managed_policy(role: str, policy: str) -> None:
    assert len(written(inline(role)[policy])) < MANAGED_LIMIT


def test_the_workers_role_has_room_for_the_checkers_policy() -> None:
    assert sum(len(written(inline(role)[policy])) for role, policy in parts()) < ROLE_INLINE_LIMIT


def test_every_setting_that_the_stack_knows_is_written_down() -> None:
    """Of the one stack whose outputs the page reads, which is the core's."""
    told = {
        (name, setting)
        for name, output in CORE["Outputs"].items()
        for setting in re.findall(r"\((AUTO_LAMBDA_\w+)\)", output["Description"])
    }
    assert len(told) > 8
    assert [f"{name}: {setting}" for name, setting in sorted(told) if f"s/^{name}\\t/{setting}=/p" not in PAGE] == []
