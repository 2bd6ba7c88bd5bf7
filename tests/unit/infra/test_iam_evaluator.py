"""The evaluator of the tests against what AWS documents, by the pages of the IAM User Guide."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iam.conditions import UnknownOperator, holds
from iam.evaluate import Decision, Principal, Request, decide

ROLE = "arn:aws:iam::111122223333:role/dev"
BUCKET = "arn:aws:s3:::amzn-s3-demo-bucket"


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: Any = "*", resource: Any = "*", **condition: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}


def deny(action: Any = "*", resource: Any = "*", **condition: Any) -> dict[str, Any]:
    return {**allow(action, resource, **condition), "Effect": "Deny"}


def decided(*statements: dict[str, Any], action: str, resource: str = BUCKET, **context: Any) -> Decision:
    named = {key.replace("__", ":"): value for key, value in context.items()}
    return decide(Principal(ROLE, (policy(*statements),)), Request(action, resource, named))


# reference_policies_evaluation-logic: an explicit deny wins, and without an allow nothing is allowed.
@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], Decision.NOT_ALLOWED),
        ([allow("s3:*")], Decision.ALLOWED),
        ([allow("s3:*"), deny("s3:DeleteBucket")], Decision.DENIED),
        ([deny("s3:DeleteBucket"), allow("*")], Decision.DENIED),
        ([allow("ec2:*")], Decision.NOT_ALLOWED),
        ([allow("s3:*", "arn:aws:s3:::another")], Decision.NOT_ALLOWED),
    ],
)
def test_denies_win_and_nothing_is_allowed_by_default(statements: list[Any], expected: Decision) -> None:
    assert decided(*statements, action="s3:DeleteBucket") is expected


# reference_policies_elements_action, _notaction, _resource, _notresource
@pytest.mark.parametrize(
    ("statement", "action", "resource", "expected"),
    [
        (allow("iam:*AccessKey*"), "iam:ListAccessKeys", "arn:aws:iam::111122223333:user/bob", True),
        (allow("iam:*AccessKey*"), "IAM:createaccesskey", "arn:aws:iam::111122223333:user/bob", True),
        (allow("iam:*AccessKey*"), "iam:ListUsers", "arn:aws:iam::111122223333:user/bob", False),
        (allow("s3:?etObject"), "s3:GetObject", f"{BUCKET}/a", True),
        (allow("s3:?etObject"), "s3:ResetObject", f"{BUCKET}/a", False),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "s3:GetObject", f"{BUCKET}/a", True),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "iam:ListUsers", f"{BUCKET}/a", False),
        (allow(resource=f"{BUCKET}/*/test/*"), "s3:GetObject", f"{BUCKET}/1/test/object.jpg", True),
        (allow(resource=f"{BUCKET}/*/test/*"), "s3:GetObject", f"{BUCKET}/1/2/test/3/object.jpg", True),
        (allow(resource=f"{BUCKET}/*/test/*"), "s3:GetObject", f"{BUCKET}/1/2/object.jpg", False),
        (allow(resource=f"{BUCKET}/test?"), "s3:GetObject", f"{BUCKET}/test1", True),
        (allow(resource=f"{BUCKET}/test?"), "s3:GetObject", f"{BUCKET}/test", False),
        (
            {"Effect": "Allow", "Action": "*", "NotResource": f"{BUCKET}/secret/*"},
            "s3:GetObject", f"{BUCKET}/secret/a", False,
        ),
        (
            {"Effect": "Allow", "Action": "*", "NotResource": f"{BUCKET}/secret/*"},
            "s3:GetObject", f"{BUCKET}/open/a", True,
        ),
        (allow(resource="arn:aws:sqs:*:111122223333:q"), "sqs:SendMessage", "arn:aws:sqs:eu-west-1:1:q", False),
        (allow(resource="arn:aws:sqs:*:111122223333:q"), "sqs:SendMessage", "arn:aws:sqs:x:111122223333:q", True),
    ],
)  # fmt: skip
def test_actions_and_resources(statement: dict[str, Any], action: str, resource: str, *, expected: bool) -> None:
    assert (decided(statement, action=action, resource=resource) is Decision.ALLOWED) == expected


# reference_policies_elements_condition_operators and reference_policies_condition-single-vs-multi-valued-context-keys
@pytest.mark.parametrize(
    ("operator", "key", "wanted", "given", "expected"),
    [
        ("StringEquals", "aws:PrincipalTag/job", "iamuser-admin", "iamuser-admin", True),
        ("StringEquals", "aws:PrincipalTag/job", "iamuser-admin", "Iamuser-Admin", False),
        ("StringEquals", "aws:PrincipalTag/job", "iamuser-admin", None, False),
        ("StringEquals", "aws:PrincipalTag/job", "iamuser-*", "iamuser-admin", False),
        ("StringEquals", "AWS:principaltag/JOB", "iamuser-admin", "iamuser-admin", True),
        ("StringEqualsIfExists", "aws:PrincipalTag/job", "iamuser-admin", None, True),
        ("StringEqualsIfExists", "aws:PrincipalTag/job", "iamuser-admin", "other", False),
        ("StringNotEquals", "aws:PrincipalTag/job", ["a", "b"], "b", False),
        ("StringNotEquals", "aws:PrincipalTag/job", ["a", "b"], "c", True),
        ("StringNotEquals", "aws:PrincipalTag/job", "a", None, True),
        ("StringEqualsIgnoreCase", "aws:PrincipalTag/job", "Admin", "aDMIN", True),
        ("StringLike", "s3:prefix", ["", "home/", "home/*"], "home/bob", True),
        ("StringLike", "s3:prefix", ["", "home/", "home/*"], "etc", False),
        ("StringNotLike", "s3:prefix", "home/*", "home/bob", False),
        ("Bool", "aws:SecureTransport", "true", "true", True),
        ("Bool", "aws:SecureTransport", False, "true", False),
        ("Bool", "aws:MultiFactorAuthPresent", "true", None, False),
        ("BoolIfExists", "aws:MultiFactorAuthPresent", "true", None, True),
        ("Null", "aws:TokenIssueTime", "true", None, True),
        ("Null", "aws:TokenIssueTime", "true", "2026-01-01", False),
        ("Null", "aws:TokenIssueTime", "false", "2026-01-01", True),
        ("Null", "aws:TokenIssueTime", "false", None, False),
        ("NumericLessThanEquals", "s3:max-keys", "10", "10", True),
        ("NumericLessThanEquals", "s3:max-keys", "10", "11", False),
        ("DateGreaterThan", "aws:CurrentTime", "2020-07-01T00:00:00+00:00", "2026-07-01T00:00:00+00:00", True),
        ("IpAddress", "aws:SourceIp", "203.0.113.0/24", "203.0.113.9", True),
        ("NotIpAddress", "aws:SourceIp", "203.0.113.0/24", "203.0.113.9", False),
        ("ArnEquals", "aws:SourceArn", "arn:aws:sns:*:123456789012:t", "arn:aws:sns:x:123456789012:t", True),
        ("ArnLike", "aws:SourceArn", "arn:aws:s3:::b/*", "arn:aws:s3:::b/a/b", True),
        ("ArnLike", "aws:SourceArn", "arn:*:t", "arn:aws:sns:x:123456789012:t", False),
        ("ArnNotLike", "aws:SourceArn", "arn:aws:s3:::b/*", None, True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], ("a",), True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], ("a", "c"), False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], None, True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], (), True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["a", "b"], ("a", "c"), True),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["a", "b"], ("c",), False),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["a", "b"], None, False),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["a", "b"], (), False),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["a"], ("a", "b"), True),
        ("ForAnyValue:StringLike", "aws:CalledVia", "athena.*", ("athena.amazonaws.com", "x"), True),
    ],
)  # fmt: skip
def test_conditions(operator: str, key: str, wanted: Any, given: Any, *, expected: bool) -> None:
    name = key if operator != "StringEquals" else "aws:PrincipalTag/job"
    assert holds({operator: {key: wanted}}, {} if given is None else {name: given}) == expected


def test_all_conditions_of_a_statement_must_hold() -> None:
    block: dict[str, Any] = {"StringEquals": {"a:b": "1", "a:c": ["2", "3"]}, "Bool": {"a:d": "true"}}
    assert holds(block, {"a:b": "1", "a:c": "3", "a:d": "true"})
    for key in ("a:b", "a:c", "a:d"):
        assert not holds(block, {"a:b": "1", "a:c": "3", "a:d": "true", key: "other"})


def test_an_operator_that_is_not_known_is_no_guess() -> None:
    with pytest.raises(UnknownOperator):
        holds({"BinaryEquals": {"a:b": "QmluYXJ5"}}, {"a:b": "QmluYXJ5"})


# reference_policies_variables
@pytest.mark.parametrize(
    ("text", "context", "resource", "expected"),
    [
        (f"{BUCKET}/${{aws:username}}/*", {"aws:username": "bob"}, f"{BUCKET}/bob/x", True),
        (f"{BUCKET}/${{aws:username}}/*", {"aws:username": "bob"}, f"{BUCKET}/eve/x", False),
        (f"{BUCKET}/${{aws:username}}/*", {}, f"{BUCKET}//x", False),
        (f"{BUCKET}/${{aws:username}}/*", {"aws:username": "*"}, f"{BUCKET}/bob/x", False),
        (f"{BUCKET}/${{aws:PrincipalTag/team, 'company-wide'}}/*", {}, f"{BUCKET}/company-wide/x", True),
        (
            f"{BUCKET}/${{aws:PrincipalTag/team, 'company-wide'}}/*",
            {"aws:PrincipalTag/team": "yellow"}, f"{BUCKET}/company-wide/x", False,
        ),
        (f"{BUCKET}/${{*}}", {}, f"{BUCKET}/a", False),
        (f"{BUCKET}/${{*}}", {}, f"{BUCKET}/*", True),
    ],
)  # fmt: skip
def test_variables(text: str, context: dict[str, str], resource: str, *, expected: bool) -> None:
    principal = Principal(ROLE, (policy(allow("s3:GetObject", text)),), context=context)
    assert (decide(principal, Request("s3:GetObject", resource)) is Decision.ALLOWED) == expected


# access_tutorials_attribute-based-access-control
@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"access-project": "peg", "access-team": "eng"}, True),
        ({"access-project": "uni", "access-team": "eng"}, False),
        ({"access-project": "peg"}, False),
        ({}, False),
    ],
)
def test_tags_of_principal_and_resource_are_compared(tags: dict[str, str], *, expected: bool) -> None:
    wanted = {f"aws:ResourceTag/{key}": f"${{aws:PrincipalTag/{key}}}" for key in ("access-project", "access-team")}
    mine = {"aws:PrincipalTag/access-project": "peg", "aws:PrincipalTag/access-team": "eng"}
    principal = Principal(ROLE, (policy(allow("secretsmanager:*", StringEquals=wanted)),), context=mine)
    context = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
    asked = Request("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:x:111122223333:secret:s", context)
    assert (decide(principal, asked) is Decision.ALLOWED) == expected


# access_policies_boundaries: the effective permissions are the intersection, and a boundary itself grants nothing.
@pytest.mark.parametrize(
    ("own", "boundary", "expected"),
    [
        (allow("iam:CreateUser"), allow(["s3:*", "cloudwatch:*", "ec2:*"]), Decision.NOT_ALLOWED),
        (allow("s3:*"), allow(["s3:*", "cloudwatch:*", "ec2:*"]), Decision.ALLOWED),
        (allow("ec2:*"), allow("s3:*"), Decision.NOT_ALLOWED),
        (allow("s3:*"), deny("s3:*"), Decision.DENIED),
        (allow("iam:ListUsers"), allow("*"), Decision.NOT_ALLOWED),
    ],
)
def test_a_boundary_limits_and_grants_nothing(own: Any, boundary: Any, expected: Decision) -> None:
    principal = Principal(ROLE, (policy(own),), policy(boundary))
    assert decide(principal, Request("s3:GetObject", f"{BUCKET}/a")) is expected


# reference_policies_evaluation-logic: within an account a resource's policy grants as a role's own does; a boundary
# limits both where the role is named; denies of a resource's policy always count.
@pytest.mark.parametrize(
    ("named", "boundary", "expected"),
    [
        (ROLE, None, Decision.ALLOWED),
        ("arn:aws:iam::111122223333:root", None, Decision.ALLOWED),
        ("arn:aws:iam::111122223333:role/other", None, Decision.NOT_ALLOWED),
        (ROLE, policy(allow("ec2:*")), Decision.NOT_ALLOWED),
    ],
)
def test_policies_of_resources(named: str, boundary: Any, expected: Decision) -> None:
    shared = policy({**allow("s3:GetObject"), "Principal": {"AWS": named}})
    assert decide(Principal(ROLE, (), boundary), Request("s3:GetObject", f"{BUCKET}/a"), shared) is expected
    closed = policy({**deny("s3:*"), "Principal": "*"})
    open_ = Principal(ROLE, (policy(allow()),))
    assert decide(open_, Request("s3:GetObject", f"{BUCKET}/a"), closed) is Decision.DENIED


# reference_policies_condition-keys, aws:CalledVia: the chain of services, the first and the last included
def test_called_via_looks_at_the_whole_chain() -> None:
    statement = allow(
        "iam:CreateRole", **{"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}}
    )
    chain = ("servicecatalog.amazonaws.com", "cloudformation.amazonaws.com")
    assert decided(statement, action="iam:CreateRole", resource=ROLE, aws__CalledVia=chain) is Decision.ALLOWED
    assert decided(statement, action="iam:CreateRole", resource=ROLE) is Decision.NOT_ALLOWED


@given(st.text("ab*?-", max_size=6), st.text("ab*?-", max_size=6))
def test_a_variables_value_matches_itself_alone(value: str, other: str) -> None:
    principal = Principal(ROLE, (policy(allow("s3:GetObject", f"{BUCKET}/${{a:b}}")),), context={"a:b": value})
    assert (decide(principal, Request("s3:GetObject", f"{BUCKET}/{other}")) is Decision.ALLOWED) == (value == other)
