"""The programs of docs/how-to/terraform-and-cdk.md hand on what each template needs."""

from __future__ import annotations

import re

import pytest
from pipeline_template import REPOSITORY

from auto_lambda_cli.pipeline.parts import ORDER, Part, all_parts

PAGE = (REPOSITORY / "docs/how-to/terraform-and-cdk.md").read_text()
(TERRAFORM,) = re.findall(r"^```hcl\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
CDK = re.findall(r"^```javascript\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
PARTS = {part.name: part for part in all_parts()}
RESOURCES = dict(
    re.findall(r'^resource "aws_cloudformation_stack" "(\w+)" \{\n(.*?)^\}', TERRAFORM, re.MULTILINE | re.DOTALL)
)
_HANDED_ON = re.compile(r"for name in \[(.*?)\] : name => aws_cloudformation_stack\.(\w+)\.outputs\[name\]", re.DOTALL)


def handed_on(resource: str) -> dict[str, str]:
    """Whose output each parameter is."""
    return {name: part for listed, part in _HANDED_ON.findall(resource) for name in re.findall(r'"(\w+)"', listed)}


def test_terraform_makes_every_stack_in_the_order() -> None:
    assert list(RESOURCES) == list(ORDER)
    for name, text in RESOURCES.items():
        assert f"/{name}.yaml" in text
        assert ('name          = "${local.pipeline}-' + name in text) == (name != "core")


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_terraform_hands_on_what_a_template_needs_and_no_more(part: Part) -> None:
    given = handed_on(RESOURCES[part.name])
    assert given.keys() == {name for name, default in part.defaults.items() if default is None}
    for name, source in given.items():
        assert name in PARTS[source].outputs
        assert ORDER.index(source) < ORDER.index(part.name)


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_terraform_allows_named_roles_where_there_are_any(part: Part) -> None:
    assert ("CAPABILITY_NAMED_IAM" in RESOURCES[part.name]) == ("Type: AWS::IAM::" in part.text)


def test_the_cdk_program_includes_every_template_in_the_order() -> None:
    (chosen,) = re.findall(r"^const chosen = \{\n(.*?)^\};", CDK, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^  (\w+):", chosen, re.MULTILINE) == list(ORDER)


@pytest.mark.parametrize("section", ["Parameters", "Outputs"])
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_the_cdk_program_finds_the_names_of_a_template_as_it_searches_for_them(part: Part, section: str) -> None:
    """It splits the text by lines that begin a section, and takes keys that are indented by two."""
    text = re.split(r"^\S", re.split(rf"^{section}:$", part.text, flags=re.MULTILINE)[1], flags=re.MULTILINE)[0]
    found = set(re.findall(r"^ {2}(\w+):$", text, re.MULTILINE))
    assert found == (set(part.defaults) if section == "Parameters" else part.outputs)
