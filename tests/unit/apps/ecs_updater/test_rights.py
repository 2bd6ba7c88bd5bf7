"""The rights of the updater: no more than it calls, no less, and its public function may change nothing."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from app_calls import allowed, called
from cfnlint.decode import decode
from ecs_updater.configure import Reach, files, grants, policies

from auto_lambda.grants import Grants

APP = Path(__file__).parents[4] / "apps" / "ecs_updater"
COMMITTED = Reach(["shop"], ["shop*"], ["shop/*"])
CALLS = {  # where each client is called: the name of its attribute, and the prefix of its actions
    "ecs.py": {"_ecs": "ecs", "_cloudwatch": "cloudwatch"},
    "registries.py": {"_client": "ecr"},
    "telling.py": {"_cloudwatch": "cloudwatch", "_events": "events"},
    "parameters.py": {"_client": "ssm"},
}
ONLY_CONVERGE = {"ecs:RegisterTaskDefinition", "ecs:UpdateService", "ecs:TagResource", "ecs:StopTask", "iam:PassRole"}

LOGS = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}


def test_what_converges_may_do_what_it_calls_and_nothing_else() -> None:
    assert allowed(policies(COMMITTED)["converge"]) == called(APP, CALLS) | LOGS | {"iam:PassRole"}


def test_what_is_public_may_change_nothing() -> None:
    public = allowed(policies(COMMITTED)["api"])
    assert not public & ONLY_CONVERGE
    assert {action for action in public if not re.search(r":(Describe|List|Get)", action)} == LOGS | {"sns:Publish"}
    assert allowed(policies(COMMITTED)["hint"]) == LOGS | {"sns:Publish"}


def test_clusters_roles_and_repositories_are_named() -> None:
    reach = Reach(["one", "two"], ["task", "path/execution"], [])
    resources = {one["Sid"]: one["Resource"] for one in policies(reach)["converge"]}
    assert resources["Update"] == ["arn:*:ecs:*:*:service/one/*", "arn:*:ecs:*:*:service/two/*"]
    assert resources["Roles"] == ["arn:*:iam::*:role/task", "arn:*:iam::*:role/path/execution"]
    assert "Images" not in resources
    assert "Roles" not in {one["Sid"] for one in policies(Reach(["one"]))["converge"]}


def test_the_files_in_the_repository_are_those_that_the_script_writes() -> None:
    assert {path: (APP / path).read_text() for path in files(COMMITTED)} == files(COMMITTED)


def test_the_grants_are_grants() -> None:
    read = Grants.read(json.dumps(grants(COMMITTED)))
    assert len(read.statements) == len(policies(COMMITTED)["converge"])


def test_every_function_has_its_own_policy() -> None:
    (stage,) = json.loads((APP / ".chalice" / "config.json").read_text())["stages"].values()
    functions = stage["lambda_functions"]
    assert functions["converge"]["iam_policy_file"] == "policy-converge.json"
    assert functions["api_handler"]["iam_policy_file"] == "policy-api.json"
    assert stage["iam_policy_file"] == "policy-hint.json"
    assert functions["converge"]["reserved_concurrency"] == 1, "two runs never overlap"


@pytest.mark.parametrize("name", ["api", "hint", "converge"])
def test_the_boundary_lets_every_policy_through(name: str) -> None:
    template, _ = decode(str(APP / "setup.yaml"))
    assert template
    statements = template["Resources"]["Boundary"]["Properties"]["PolicyDocument"]["Statement"]
    within = {
        action
        for one in statements
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    }
    for action in allowed(policies(COMMITTED)[name]):
        assert any(fnmatchcase(action, pattern) for pattern in within), action
