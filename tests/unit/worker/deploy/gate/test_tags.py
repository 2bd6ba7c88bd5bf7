"""Tags tell boundaries whose something is, so no template may set those of another app."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from drafts import SURROUNDINGS, Maker

from auto_lambda.errors import AppError, Code
from worker.deploy.gate.gate import pass_gate
from worker.deploy.gate.tags import problems


def with_tags(tags: Any) -> dict[str, Any]:
    return {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"Tags": tags}}}}


@pytest.mark.parametrize(
    "key", ["auto-lambda:app", "auto-lambda:stage", "Auto-Lambda:App", " auto-lambda:app", "aws:x"]
)
@pytest.mark.parametrize("form", ["list", "mapping"])
def test_no_tag_of_the_pipeline_or_of_aws_is_set(key: str, form: str) -> None:
    tags = {key: "victim"} if form == "mapping" else [{"Key": "team", "Value": "x"}, {"Key": key, "Value": "victim"}]
    (found,) = problems(with_tags(tags))
    assert key.strip() in str(found)


@pytest.mark.parametrize(
    "tags",
    [
        [{"Key": {"Fn::Join": ["", ["auto-lambda", ":app"]]}, "Value": "victim"}],
        [{"Key": {"Ref": "AWS::StackName"}, "Value": "victim"}],
        [["auto-lambda:app", "victim"]],
        [{"Ref": "Tags"}],
        "auto-lambda:app",
    ],
)
def test_what_cannot_be_read_is_refused(tags: Any) -> None:
    assert list(problems(with_tags(tags)))


@pytest.mark.parametrize(
    "tags", [[], [{"Key": "team", "Value": "auto-lambda:app"}], {"team": "shop"}, {"auto-lambda": "1"}]
)
def test_other_tags_are_the_apps_own(tags: Any) -> None:
    assert list(problems(with_tags(tags))) == []


def test_the_gate_refuses_a_role_with_the_tags_of_another_app(tmp_path: Path) -> None:
    bundle = Maker(tmp_path).everything()
    pass_gate(bundle, SURROUNDINGS)
    template = copy.deepcopy(dict(bundle.template))
    template["Resources"]["Role"]["Properties"]["Tags"] = [{"Key": "Auto-Lambda:app", "Value": "victim"}]
    with pytest.raises(AppError, match=r"Role: the tag 'Auto-Lambda:app' is not the app's to set") as refused:
        pass_gate(dataclasses.replace(bundle, template=template), SURROUNDINGS)
    assert refused.value.code is Code.TEMPLATE_REFUSED
