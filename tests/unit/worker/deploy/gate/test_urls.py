"""The URL that the worker calls, and the receipt shows, is one that the template makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drafts import SURROUNDINGS, Maker, everything, with_template

from auto_lambda.errors import AppError
from worker.deploy.gate.gate import pass_gate

SUB = "https://${Rest}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
OWN: tuple[Any, ...] = (
    {"Fn::Sub": f"{SUB}/api/"},
    {"Fn::Sub": "https://${Rest}.execute-api.us-east-1.amazonaws.com/${RestStage}"},
    {"Fn::Join": ["", ["https://", {"Ref": "Rest"}, ".execute-api.", {"Ref": "AWS::Region"}, ".amazonaws.com/api"]]},
    {"Fn::Sub": "wss://${Sockets}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api/"},
    {"Fn::GetAtt": ["Url", "FunctionUrl"]},
    {"Fn::GetAtt": "Url.FunctionUrl"},
)
FOREIGN: tuple[Any, ...] = (
    "http://127.0.0.1:8080/",
    "https://other1.execute-api.us-east-1.amazonaws.com/api/",
    "https://x.lambda-url.us-east-1.on.aws/",
    {"Fn::Sub": "http://${Rest}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api/"},
    {"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api/"},  # a function, not an API
    {"Fn::Sub": "https://${AWS::StackName}.execute-api.${AWS::Region}.${AWS::URLSuffix}/api/"},
    {"Fn::Sub": "https://${Rest}.execute-api.${AWS::Region}.${AWS::URLSuffix}.evil.example/"},
    {"Fn::Sub": "https://${Rest}.execute-api.${Api}.${AWS::URLSuffix}/"},
    {"Fn::Sub": "https://evil.example/${Rest}.execute-api.${AWS::Region}.${AWS::URLSuffix}/"},
    {"Fn::Sub": f"{SUB}/../secret"},
    {"Fn::Sub": f"{SUB}:8443/"},
    {"Fn::Sub": f"{SUB}@127.0.0.1/"},
    {"Fn::Sub": "${Url.FunctionUrl}@127.0.0.1"},
    {"Fn::GetAtt": ["Url", "FunctionArn"]},
    {"Ref": "Rest"},
    {"Fn::Sub": ["https://${Rest}.execute-api.${AWS::Region}.${AWS::URLSuffix}/", {"Rest": "127.0.0.1/"}]},
    ["https://127.0.0.1/"],
    None,
)


def passed(tmp_path: Path, value: Any) -> None:
    template = Maker(tmp_path).bundle(everything()).template
    changed = {**template, "Outputs": {**template["Outputs"], "AutoLambdaUrl": {"Value": value}}}
    pass_gate(with_template(Maker(tmp_path / "again").bundle(everything()), changed), SURROUNDINGS)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()


@pytest.mark.parametrize("value", OWN, ids=str)
def test_an_own_url_passes(tmp_path: Path, value: Any) -> None:
    passed(tmp_path, value)


@pytest.mark.parametrize("value", FOREIGN, ids=str)
def test_a_foreign_url_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(AppError, match="AutoLambdaUrl: the app's URL must be"):
        passed(tmp_path, value)
