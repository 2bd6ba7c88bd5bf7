"""Write what this app may do into its policies, its grants and its settings: which clusters, which roles, which images.

``python configure.py --cluster shop --role shopTask --role shopExecution --repository 'shop/*'``. All options may be
repeated. Without ``--role``, task definitions may have no roles; without ``--repository``, nothing in ECR is read.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NAME = "ecs-updater-platform"
TOPIC = f"arn:*:sns:*:*:{NAME}_hints"
LOGS = f"arn:*:logs:*:*:log-group:/aws/lambda/{NAME}*"
PARAMETERS = "arn:*:ssm:*:*:parameter/auto-lambda/platform/ecs-updater"
Statement = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reach:
    """What the updater may touch.

    Attributes:
        clusters: by name.
        roles: names, with their path, that task definitions have: it passes them on, and no others.
        repositories: of ECR, by name or pattern.
        families: of task definitions that are run without a service, on a schedule or by hand.
    """

    clusters: Sequence[str]
    roles: Sequence[str] = ()
    repositories: Sequence[str] = ()
    families: Sequence[str] = ()


def policies(reach: Reach) -> dict[str, list[Statement]]:
    """Return the statements of each policy file: of the public API, of what only hints, of what converges."""
    own = [_allow("Secrets", ["ssm:GetParametersByPath"], [PARAMETERS, f"{PARAMETERS}/*"])]
    hint = [_allow("Hint", ["sns:Publish"], [TOPIC])]
    made = {"api": [*hint, *own, *_read(reach)], "hint": hint, "converge": [*own, *_read(reach), *_write(reach)]}
    return {name: [_logs(), *statements] for name, statements in made.items()}


def grants(reach: Reach) -> dict[str, Any]:
    """Return the grants that let all policies pass."""
    return {"topics": [TOPIC], "statements": policies(reach)["converge"]}


def _logs() -> Statement:
    """Let a function write its log: chalice adds that right only to policies that it writes itself."""
    return _allow("Logs", ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], [LOGS])


def _read(reach: Reach) -> list[Statement]:
    """The actions on everything have no narrower form in IAM, or take the cluster as a condition."""
    within = {"ArnLike": {"ecs:cluster": [_ecs(f"cluster/{cluster}") for cluster in reach.clusters]}}
    repositories = [f"arn:*:ecr:*:*:repository/{name}" for name in reach.repositories]
    images = [_allow("Images", ["ecr:DescribeImages"], repositories)] if repositories else []
    return [
        _allow("Services", ["ecs:DescribeServices"], _each(reach, "service")),
        _allow("Tasks", ["ecs:DescribeTasks", "ecs:GetTaskProtection"], _each(reach, "task")),
        _allow("Lists", ["ecs:ListServices", "ecs:ListTasks"], ["*"], within),
        _allow("Definitions", ["ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"], ["*"]),
        _allow("Alarms", ["cloudwatch:DescribeAlarms"], ["*"]),
        *images,
    ]


def _write(reach: Reach) -> list[Statement]:
    to_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    new = {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}}
    own_events = {"StringEquals": {"events:source": "ecs-updater"}}
    own_metrics = {"StringLike": {"cloudwatch:namespace": ["auto-lambda/platform/ecs-updater"]}}
    roles = [f"arn:*:iam::*:role/{role}" for role in reach.roles]
    return [
        _allow("Update", ["ecs:UpdateService", "ecs:TagResource"], _each(reach, "service")),
        _allow("Replace", ["ecs:StopTask"], _each(reach, "task")),
        _allow("Register", ["ecs:RegisterTaskDefinition"], ["*"]),
        _allow("TagWhatIsRegistered", ["ecs:TagResource"], [_ecs("task-definition/*")], new),
        *([_allow("Roles", ["iam:PassRole"], roles, to_tasks)] if roles else []),
        _allow("Events", ["events:PutEvents"], ["arn:*:events:*:*:event-bus/default"], own_events),
        _allow("Metrics", ["cloudwatch:PutMetricData"], ["*"], own_metrics),
    ]


def _each(reach: Reach, kind: str) -> list[str]:
    return [_ecs(f"{kind}/{cluster}/*") for cluster in reach.clusters]


def _ecs(resource: str) -> str:
    return f"arn:*:ecs:*:*:{resource}"


def _allow(sid: str, actions: list[str], resources: list[str], condition: Statement | None = None) -> Statement:
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement


def files(reach: Reach) -> dict[str, str]:
    """Return the content of every file that follows from the reach, by its path in the app."""
    made = {
        f".chalice/policy-{name}.json": {"Version": "2012-10-17", "Statement": statements}
        for name, statements in policies(reach).items()
    }
    texts = {
        path: json.dumps(document, indent=2) + "\n" for path, document in {**made, "grants.json": grants(reach)}.items()
    }
    settings = {"CLUSTERS": reach.clusters, "FAMILIES": reach.families}
    lines = [f'{name} = "{" ".join(names)}"' for name, names in settings.items() if names]
    return {**texts, "auto-lambda.toml": "\n".join([_THROTTLE, "[environment]", *lines, ""])}


_THROTTLE = "[throttle]\nrate = 5\nburst = 20\n"
"""What is public answers so many requests a second, whoever sends them. Registries send fewer."""


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cluster", action="append", required=True, type=_name, help="a cluster that is updated")
    parser.add_argument("--role", action="append", default=[], type=_name, help="a role that task definitions have")
    parser.add_argument("--repository", action="append", default=[], type=_name, help="a repository of ECR to look at")
    parser.add_argument(
        "--family", action="append", default=[], type=_name, help="a family that is run without a service"
    )
    chosen = parser.parse_args()
    for path, text in files(Reach(chosen.cluster, chosen.role, chosen.repository, chosen.family)).items():
        (HERE / path).write_text(text)
        print(path)  # noqa: T201 - a command of its own


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_+=,.@/*-]{1,255}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of one")
    return text


if __name__ == "__main__":
    main()
