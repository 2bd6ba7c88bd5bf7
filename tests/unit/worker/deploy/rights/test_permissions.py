"""What the roles of a template may do, as lines that can be compared."""

from __future__ import annotations

from typing import Any

import pytest
from drafts import everything, resource
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.model import Template
from auto_lambda.namespace import Place
from worker.deploy.rights.permissions import (
    TooManyPermissions,
    compare,
    digest,
    permissions_of,
)

HERE = Place("aws", "eu-central-1", "123456789012")


def template(*statements: Any, **role: Any) -> Template:
    policies = [{"PolicyName": "it", "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}]
    return {
        "Resources": {
            "Role": resource("IAM::Role", Policies=policies, **role),
            "Table": resource("DynamoDB::Table"),
        }
    }


def allow(action: Any, on: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": on, **more}


def lines(made: Template) -> list[str]:
    return [str(permission) for permission in permissions_of(made, HERE)]


def test_each_action_on_each_resource_is_a_line() -> None:
    made = template(allow(["s3:PutObject", "s3:GetObject"], ["arn:aws:s3:::b/*", "arn:aws:s3:::a/*"]))
    assert lines(made) == [
        "Allow s3:GetObject on arn:aws:s3:::a/*",
        "Allow s3:GetObject on arn:aws:s3:::b/*",
        "Allow s3:PutObject on arn:aws:s3:::a/*",
        "Allow s3:PutObject on arn:aws:s3:::b/*",
    ]


@pytest.mark.parametrize(
    ("on", "line"),
    [
        ({"Fn::GetAtt": ["Table", "Arn"]}, "${Table.Arn}"),
        ({"Fn::Sub": "${Table.Arn}/index/*"}, "${Table.Arn}/index/*"),
        (
            {"Fn::Join": [":", ["arn", {"Ref": "AWS::Partition"}, "sqs", {"Ref": "AWS::Region"}, "1", "jobs"]]},
            "arn:aws:sqs:eu-central-1:1:jobs",
        ),
        ({"Fn::Sub": "arn:aws:sns:${AWS::Region}:${AWS::AccountId}:x"}, "arn:aws:sns:eu-central-1:123456789012:x"),
        ({"Fn::Select": [0, ["a"]]}, '{"Fn::Select":[0,["a"]]}'),
        (5, "5"),
    ],
)
def test_references_are_readable_and_pseudo_parameters_are_what_they_stand_for(on: Any, line: str) -> None:
    assert lines(template(allow("X:Get", on))) == [f"Allow x:Get on {line}"]


def test_conditions_denials_exceptions_managed_policies_and_other_roles_are_lines_too() -> None:
    made = template(
        allow("a:B", "*", Condition={"StringEquals": {"k": "v"}}),
        {"Effect": "Deny", "Action": "a:C", "Resource": "*"},
        {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
        ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
    )
    made["Resources"]["Policy"] = resource("IAM::Policy", PolicyDocument={"Statement": allow("a:D", "arn:x")})
    made["Resources"]["Work"] = resource("Lambda::Function", Role="arn:aws:iam::123456789012:role/theirs")
    made["Resources"]["Own"] = resource("Lambda::Function", Role={"Fn::GetAtt": ["Role", "Arn"]})
    assert lines(made) == [
        'Allow a:B on * if {"StringEquals":{"k":"v"}}',
        "Allow a:D on arn:x",
        'Allow everything but what {"NotAction":"iam:*"} names',
        "Assume arn:aws:iam::123456789012:role/theirs",
        "Attach arn:aws:iam::aws:policy/ReadOnlyAccess",
        "Deny a:C on *",
    ]


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "action": "*", "resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "action": "*", "Resource": "arn:a"},
        {"Effect": "Allow", "Action": "s3:GetObject"},
        {"Effect": "Allow", "Action": "s3:GetObject", "NotAction": "x", "Resource": "*"},
        {"effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": "*"},
    ],
)
def test_a_statement_in_another_spelling_is_told_whole(statement: Any) -> None:
    """Whatever AWS makes of it: it is in the list, and nothing covers it."""
    (permission,) = permissions_of(template(statement), HERE)
    assert permission.action == ""
    assert str(permission).startswith("Allow {")


def test_a_document_in_another_spelling_is_told_whole() -> None:
    made = template()
    document = made["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
    document["statement"] = [allow("*", "*")]
    (permission,) = permissions_of(made, HERE)
    assert '"statement"' in str(permission)


def test_statements_that_multiply_without_bound_are_refused() -> None:
    made = template(allow([f"s3:{n}" for n in range(3_000)], [f"arn:{n}" for n in range(3_000)]))
    with pytest.raises(TooManyPermissions):
        permissions_of(made, HERE)


def test_the_difference_names_what_is_new_and_what_is_gone() -> None:
    before = permissions_of(template(allow(["s3:GetObject", "s3:PutObject"], "arn:a")), HERE)
    now = permissions_of(template(allow(["s3:GetObject", "s3:DeleteObject"], "arn:a")), HERE)
    diff = compare(now, before)
    assert diff.changes == ("+ Allow s3:DeleteObject on arn:a", "- Allow s3:PutObject on arn:a")
    assert diff.widenings == ("+ Allow s3:DeleteObject on arn:a",)
    assert compare(now, now).changes == ()


def test_a_denial_that_is_gone_is_a_widening_and_a_new_one_is_none() -> None:
    open_ = permissions_of(template(allow("s3:*", "*")), HERE)
    denied = permissions_of(
        template(allow("s3:*", "*"), {"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"}), HERE
    )
    assert compare(denied, open_).widenings == ()
    assert compare(open_, denied).widenings == ("- Deny s3:Put* on *",)


@pytest.mark.parametrize(
    ("on", "wide"),
    [
        ("*", True), ("arn:aws:s3:::*", True), ("arn:aws:dynamodb:eu-west-1:1:table/*", True),
        ("arn:aws:s3:::pictures/*", False), ("arn:aws:sqs:eu-west-1:1:jobs", False),
    ],
)  # fmt: skip
def test_a_wildcard_for_a_whole_kind_is_wide(on: str, wide: bool) -> None:
    (permission,) = permissions_of(template(allow("s3:GetObject", on)), HERE)
    assert permission.is_wide is wide


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["Allow", "Deny", "*"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Effect", "Action", "Resource", "NotAction", "Statement", "Ref", "Fn::Sub"]), inner
        )
    ),
    max_leaves=8,
)


@given(ANYTHING)
def test_no_statement_of_whatever_shape_is_lost_or_breaks_the_list(statement: Any) -> None:
    made = template(statement)
    first = permissions_of(made, HERE)
    assert first == permissions_of(made, HERE)
    if not isinstance(statement, dict | list):
        assert len(first) == 1


@given(st.lists(st.sampled_from(["s3:GetObject", "s3:PutObject", "sqs:SendMessage"]), unique=True), st.randoms())
def test_the_order_of_statements_changes_nothing(actions: list[str], random: Any) -> None:
    mixed = random.sample(actions, len(actions))
    one, two = template(*(allow(it, "arn:a") for it in actions)), template(allow(mixed, "arn:a"))
    assert digest(one) == digest(two)


def test_the_hash_changes_with_whatever_a_role_may_do() -> None:
    variants = [
        template(allow("s3:GetObject", "arn:a")),
        template(allow("s3:GetObject", "arn:b")),
        template(allow("s3:PutObject", "arn:a")),
        template(allow("s3:GetObject", "arn:a", Condition={"StringEquals": {"a": "b"}})),
        template(allow("s3:GetObject", "arn:a"), ManagedPolicyArns=["arn:p"]),
        template({"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:a"}),
    ]
    assert len({digest(one) for one in variants}) == len(variants)


def test_a_whole_template_is_read() -> None:
    assert permissions_of(everything(), HERE) == ()
