"""Write what this app may do into its policies, its grants and its settings.

``python configure.py`` for the apps of all pipelines and a status that is signed for; ``--pipeline NAME`` for those of
one; ``--public-status`` lets everybody read the status.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NAME = "flex-controller-platform"
TOPIC = f"arn:*:sns:*:*:{NAME}_hints"
LOGS = f"arn:*:logs:*:*:log-group:/aws/lambda/{NAME}*"
STACKS = "arn:*:cloudformation:*:*:stack/al-Flex-*"
ROLE = "arn:*:iam::*:role/auto-lambda/flex/flex-stacks"
NAMESPACE = "auto-lambda/platform/flex-controller"
Statement = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """What can be chosen.

    Attributes:
        pipeline: whose apps are moved, by name; empty for those of all pipelines in the account.
        public_status: whether everybody may read the status.
    """

    pipeline: str = ""
    public_status: bool = False


def policies(choice: Choice) -> dict[str, list[Statement]]:
    """Return the statements of each policy file: of the API, of what only hints, of what converges."""
    hint = _allow("Hint", ["sns:Publish"], [TOPIC])
    made = {"api": _read(), "hint": [hint], "converge": [*_read(), *_write(choice)]}
    return {name: [_logs(), *statements] for name, statements in made.items()}


def grants(choice: Choice) -> dict[str, Any]:
    """Return the grants that let all policies pass."""
    return {"topics": [TOPIC], "statements": policies(choice)["converge"]}


def _logs() -> Statement:
    """Let a function write its log: chalice adds that right only to policies that it writes itself."""
    return _allow("Logs", ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], [LOGS])


def _read() -> list[Statement]:
    """Listing stacks and asking for targets' health have no narrower form in IAM."""
    stacks = ["cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents",
              "cloudformation:DescribeStackResources"]  # fmt: skip
    return [
        _allow("Lists", ["cloudformation:ListStacks", "elasticloadbalancing:DescribeTargetHealth"], ["*"]),
        _allow("Stacks", stacks, [STACKS]),
        _allow("Services", ["ecs:DescribeServices"], ["arn:*:ecs:*:*:service/al-Flex-*"]),
        _allow("Alarms", ["cloudwatch:DescribeAlarms"], ["arn:*:cloudwatch:*:*:alarm:al-Flex-*"]),
    ]


def _write(choice: Choice) -> list[Statement]:
    ours = {"StringEquals": {"aws:ResourceTag/auto-lambda:pipeline": [choice.pipeline]}} if choice.pipeline else None
    to_stacks = {"StringEquals": {"iam:PassedToService": ["cloudformation.amazonaws.com"]}}
    own_metrics = {"StringLike": {"cloudwatch:namespace": [NAMESPACE]}}
    return [
        _allow("Move", ["cloudformation:UpdateStack"], [STACKS], ours),
        _allow("Role", ["iam:PassRole"], [ROLE], to_stacks),
        _allow("Metrics", ["cloudwatch:PutMetricData"], ["*"], own_metrics),
    ]


def _allow(sid: str, actions: list[str], resources: list[str], condition: Statement | None = None) -> Statement:
    statement: dict[str, Any] = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement


def files(choice: Choice) -> dict[str, str]:
    """Return the content of every file that follows from the choice, by its path in the app."""
    made = {
        f".chalice/policy-{name}.json": {"Version": "2012-10-17", "Statement": statements}
        for name, statements in policies(choice).items()
    }
    documents = {**made, "grants.json": grants(choice)}
    texts = {path: json.dumps(document, indent=2) + "\n" for path, document in documents.items()}
    public = "yes" if choice.public_status else "no"
    lines = [f'PIPELINE = "{choice.pipeline}"', f'PUBLIC_STATUS = "{public}"']
    return {**texts, "auto-lambda.toml": "\n".join([_THROTTLE, "[environment]", *lines, ""])}


_THROTTLE = "[throttle]\nrate = 5\nburst = 20\n"
"""The status answers so many requests a second, whoever sends them."""


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pipeline", type=_name, help="move only the apps of this pipeline")
    parser.add_argument("--public-status", action="store_true", help="let everybody read the status")
    chosen = parser.parse_args()
    for path, text in files(Choice(chosen.pipeline or "", chosen.public_status)).items():
        (HERE / path).write_text(text)
        print(path)  # noqa: T201 - a command of its own


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a pipeline")
    return text


if __name__ == "__main__":
    main()
