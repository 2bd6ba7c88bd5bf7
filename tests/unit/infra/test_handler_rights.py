"""Whether a worker's role has what CloudFormation's resource handlers and our own calls ask for, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from iam.calls import ROOT, Call, collect, unknown_receivers
from iam.direct import CALLS, Who, actions
from iam.evaluate import Document, Principal, Request, allowed, statements
from iam.handlers import DOMAIN, LEFT_OUT, Need, needs
from iam.template import PipelineStack

from worker.deploy.gate import allow_list

STACK = PipelineStack(DOMAIN)
WORKER, CHECKER = STACK.role("WorkerRole"), STACK.role("CheckerRole")
NEEDS = needs()
OF_TYPE = {kind: [need for need in NEEDS if need.type == kind] for kind in sorted({need.type for need in NEEDS})}


def denied(need: Need, role: Principal = WORKER) -> list[Request]:
    return [request for request in need.requests() if not allowed(role, request)]


def lacking(role: Principal, needs: Iterable[Need]) -> list[Need]:
    """What handlers ask for and do not get, but for what is left out on purpose."""
    return [need for need in needs if not need.left_out() and denied(need, role)]


@pytest.mark.parametrize("kind", OF_TYPE)
def test_handlers_of_a_type_have_what_they_ask_for_or_it_is_left_out_with_a_reason(kind: str) -> None:
    assert [f"{need.handler}: {denied(need)[0]}" for need in lacking(WORKER, OF_TYPE[kind])] == []


def test_every_type_that_the_gate_admits_is_known() -> None:
    assert set(allow_list._TYPES) <= OF_TYPE.keys()


@pytest.mark.parametrize("entry", LEFT_OUT, ids=str)
def test_what_is_left_out_is_asked_for_and_denied(entry: tuple[str, str]) -> None:
    assert any(denied(need) for need in NEEDS if need.matches(*entry))
    assert len(LEFT_OUT[entry]) > 20


def test_every_operation_that_is_called_is_mapped_to_who_calls_it() -> None:
    found = {(call.service, call.operation) for call in collect()}
    assert found == set(CALLS), "a call without an entry in tests/support/iam/direct.py, or an entry without a call"


def test_no_client_has_a_name_that_the_collection_overlooks() -> None:
    of_sockets = {("worker/deploy/http_get.py", "create_connection"), ("worker/index/upstream.py", "create_connection")}
    assert unknown_receivers() <= of_sockets, "name it client, or see _CLIENTS in tests/support/iam/calls.py"


def test_the_collection_sees_waiters_paginators_and_transfers() -> None:
    found = collect()
    for file, service, operation in (
        ("auto_lambda/aws/lambda_.py", "lambda", "GetFunction"),
        ("auto_lambda/aws/cloudformation.py", "cloudformation", "ListStackResources"),
        ("auto_lambda/aws/s3.py", "s3", "AbortMultipartUpload"),
        ("ami/keypair.py", "ec2", "CreateKeyPair"),
    ):
        assert Call(file, service, operation) in found


@pytest.mark.parametrize(("who", "role"), [(Who.WORKER, WORKER), (Who.CHECKER, CHECKER)])
def test_a_role_has_what_its_program_calls(who: Who, role: Principal) -> None:
    assert refused(role, called_by(who)) == []


def test_building_an_image_needs_no_more_than_its_page_says() -> None:
    page = (ROOT / "docs/how-to/build-the-image.md").read_text()
    (text,) = re.findall(r"```json\n(\{\n  \"Version\".*?)```", page, re.DOTALL)
    person = Principal("arn:aws:iam::111122223333:role/builder", (json.loads(text),))
    assert [str(request) for request in called_by(Who.IMAGE) if not allowed(person, request)] == []


def refused(role: Principal, requests: Iterable[Request]) -> list[str]:
    return [str(request) for request in requests if not allowed(role, request)]


def called_by(who: Who) -> list[Request]:
    return [request for operation, users in CALLS.items() if who in users for request in users[who](operation)]


DIRECT = {
    "apigateway:GET",
    "dynamodb:DescribeTable",
    "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
    "lambda:DeleteFunction", "lambda:DeleteLayerVersion",
    "lambda:GetAlias", "lambda:GetFunction", "lambda:GetFunctionConfiguration", "lambda:GetLayerVersion",
    "lambda:ListAliases", "lambda:ListVersionsByFunction", "lambda:PublishVersion",
    "lambda:UpdateAlias", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
    "s3:GetObject", "s3:getObject", "sns:GetTopicAttributes", "sqs:GetQueueAttributes", "sqs:GetQueueUrl",
}  # fmt: skip
"""What handlers ask for that a worker may do without CloudFormation too: it reads, publishes, switches, collects."""


def test_what_handlers_ask_for_is_allowed_through_cloudformation_only() -> None:
    def directly(request: Request) -> Request:
        return replace(request, context={key: it for key, it in request.context.items() if key != "aws:CalledVia"})

    asked = [request for need in NEEDS for request in need.requests()]
    assert {one.action for one in asked if allowed(WORKER, directly(one))} == DIRECT


# --- mutants: a role with one right less turns a test above red ---


def rights(role: Principal) -> Iterator[tuple[str, str]]:
    """Every action that a role's statements allow, with the statement."""
    for document in role.policies:
        for one in statements(document):
            if one["Effect"] == "Allow":
                listed = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
                yield from ((one["Sid"], action) for action in listed)


def without(role: Principal, sid: str, action: str) -> Principal:
    """The role without one action of one statement."""

    def changed(one: Mapping[str, Any]) -> Mapping[str, Any]:
        listed = one["Action"] if isinstance(one.get("Action"), list) else [one.get("Action")]
        return {**one, "Action": [it for it in listed if it != action]} if one["Sid"] == sid else one

    def document(it: Document) -> Document:
        return {**it, "Statement": [changed(one) for one in statements(it)]}

    return Principal(role.arn, tuple(map(document, role.policies)), role.boundary, role.context)


def never(role: Principal, action: str) -> Principal:
    """The role without an action in any statement, and with all others, those of the same wildcard too."""
    nowhere: Document = {"Statement": {"Sid": "Mutant", "Effect": "Deny", "Action": action, "Resource": "*"}}
    return replace(role, policies=(*role.policies, nowhere))


def asked_by(word: str, requests: Iterable[Request]) -> list[Request]:
    """The requests for an action, which may have wildcards."""
    text = re.compile(re.escape(word).replace(r"\*", ".*"), re.IGNORECASE)
    return [request for request in requests if text.fullmatch(request.action)]


OF_MACHINES = {sid for one in [STACK.document("MachineBasics")] for sid in [it["Sid"] for it in statements(one)]}
"""For the agents of AWS that the image has: the programs call little of it."""
ASKED = [request for need in NEEDS if not need.left_out() for request in need.requests()]
GRANTED_FOR_OTHERS = {
    "AWS::DynamoDB::Table": {
        "logs:CreateLogGroup",
        "logs:DescribeLogGroups",
        "logs:PutRetentionPolicy",
        "s3:GetObject",
    },
    "AWS::SNS::Subscription": {"iam:GetRole"},
    "AWS::SNS::Topic": {"iam:GetRole"},
}
"""What a type's handlers may do without, and may all the same, since other types' handlers ask for it."""
CALLED = {who: called_by(who) for who in (Who.WORKER, Who.CHECKER)}


@pytest.mark.parametrize("kind", OF_TYPE)
def test_a_type_whose_handlers_lack_an_action_is_noticed(kind: str) -> None:
    granted = {need.action for need in OF_TYPE[kind] if len(denied(need)) < len(list(need.requests()))}
    assert granted
    unnoticed = {action for action in granted if not lacking(never(WORKER, action), OF_TYPE[kind])}
    assert unnoticed == GRANTED_FOR_OTHERS.get(kind, set()), "LEFT_OUT excuses what the role has"


@pytest.mark.parametrize(("who", "role"), [(Who.WORKER, WORKER), (Who.CHECKER, CHECKER)])
def test_a_call_that_is_not_allowed_is_noticed(who: Who, role: Principal) -> None:
    every = {action for operation, users in CALLS.items() if who in users for action in actions(operation)}
    assert [action for action in sorted(every) if not refused(never(role, action), CALLED[who])] == []


@pytest.mark.parametrize(("sid", "action"), [it for it in rights(WORKER) if it[0] not in OF_MACHINES])
def test_a_worker_without_a_right_fails(sid: str, action: str) -> None:
    assert refused(without(WORKER, sid, action), asked_by(action, (*ASKED, *CALLED[Who.WORKER])))


@pytest.mark.parametrize(("sid", "action"), [it for it in rights(CHECKER) if it[0] not in OF_MACHINES])
def test_a_checker_without_a_right_fails(sid: str, action: str) -> None:
    assert refused(without(CHECKER, sid, action), CALLED[Who.CHECKER])


def test_operations_are_named_as_iam_names_them() -> None:
    assert actions(("s3", "HeadObject")) == ("s3:GetObject",)
    assert actions(("lambda", "Invoke")) == ("lambda:InvokeFunction",)
    assert actions(("sqs", "SendMessage")) == ("sqs:SendMessage",)
