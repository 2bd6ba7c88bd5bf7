from __future__ import annotations

from typing import Any

import pytest
from drafts import ACCOUNT

from auto_lambda.namespace import Place
from worker.bundle.flex.resolve import CannotResolve, StackValues, resolved

VALUES = StackValues(
    {
        "Orders": "AWS::DynamoDB::Table", "Jobs": "AWS::SQS::Queue", "News": "AWS::SNS::Topic",
        "Work": "AWS::Lambda::Function", "Rule": "AWS::Events::Rule", "New": "AWS::DynamoDB::Table",
    },
    {
        "Orders": "al-shop-dev-Orders-X", "Jobs": "https://sqs.us-east-1.amazonaws.com/1/jobs", "Rule": "r",
        "News": f"arn:aws:sns:us-east-1:{ACCOUNT}:news", "Work": "shop-dev",
    },
    Place("aws", "us-east-1", ACCOUNT),
)  # fmt: skip
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/al-shop-dev-Orders-X"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("text", "text"), (7, 7), ({"Ref": "Orders"}, "al-shop-dev-Orders-X"),
        ({"Fn::GetAtt": ["Orders", "Arn"]}, TABLE), ({"Fn::GetAtt": "Orders.Arn"}, TABLE),
        ({"Fn::GetAtt": ["Jobs", "Arn"]}, f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs"),
        ({"Ref": "News"}, f"arn:aws:sns:us-east-1:{ACCOUNT}:news"),
        ({"Fn::Sub": "${Orders.Arn}/index/*"}, f"{TABLE}/index/*"),
        ({"Fn::Sub": "arn:${AWS::Partition}:s3:::x-${Work}"}, {"Fn::Sub": "arn:${AWS::Partition}:s3:::x-shop-dev"}),
        ({"Ref": "AWS::Region"}, {"Ref": "AWS::Region"}),
        ({"Fn::Join": ["", ["a", {"Ref": "Work"}]]}, {"Fn::Join": ["", ["a", "shop-dev"]]}),
        ({"Statement": [{"Resource": [{"Fn::GetAtt": ["Orders", "Arn"]}]}]}, {"Statement": [{"Resource": [TABLE]}]}),
    ],
    ids=str,
)  # fmt: skip
def test_what_refers_to_the_stack_becomes_what_it_stands_for(value: Any, found: Any) -> None:
    assert resolved(value, VALUES) == found


@pytest.mark.parametrize(
    "value",
    [{"Ref": "New"}, {"Ref": "Nowhere"}, {"Ref": "Rule"}, {"Fn::GetAtt": ["Orders", "StreamArn"]},
     {"Fn::Sub": "${New}"}, {"Fn::GetAtt": ["Work", "SnapStartResponse"]}],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_known_is_named(value: Any) -> None:
    with pytest.raises(CannotResolve, match=r"New|Nowhere|Rule|Orders|Work"):
        resolved(value, VALUES)
