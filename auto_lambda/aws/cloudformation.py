"""CloudFormation, as far as we use it. The only module that calls it."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from auto_lambda.aws.reasons.early_validation import FailedValidation, findings
from auto_lambda.aws.reasons.stack_reasons import FailureReason, read_reason

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

Progress = Callable[[str], None]
Inspect = Callable[[str], None]
"""Looks at a change set, given by its ARN, before it is executed; what it raises prevents that."""

_NO_CHANGES = re.compile(r"didn't contain changes|no updates are to be performed", re.IGNORECASE)
_CONSEQUENCE = re.compile(r"^Resource (creation|update|deletion) cancelled", re.IGNORECASE)
# Failed creations: nothing in them was ever live, and CloudFormation allows only their deletion.
STILLBORN = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"})
_ABSENT = frozenset({"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"})
_DONE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"})
_CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")


class StackFailed(Exception):
    """A stack operation failed. CloudFormation has rolled it back, unless ``status`` says otherwise.

    Attributes:
        stack: the stack's name.
        resource: logical id of the first resource that failed, None if CloudFormation did not get that far.
        reason: CloudFormation's reason.
        status: the stack's status afterwards, None if CloudFormation did not begin.
        findings: what it found wrong before it began.
    """

    def __init__(
        self,
        stack: str,
        resource: str | None,
        reason: str,
        status: str | None = None,
        findings: tuple[FailedValidation, ...] = (),
    ) -> None:
        super().__init__(f"stack {stack}: {f'{resource}: ' if resource else ''}{reason}")
        self.findings = findings
        self.stack = stack
        self.resource = resource
        self.reason = reason
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether AWS or the pipeline's rights failed, and not the app."""
        if self.findings:
            return all(one.quota or read_reason(one.reason).passing for one in self.findings)
        return self._reason.passing

    @property
    def throttled(self) -> bool:
        """Whether AWS was asked for too much at once."""
        return self._reason.throttled

    @property
    def _reason(self) -> FailureReason:
        # Without a resource there is no handler: the reason is about the template, and may end in words of the app's.
        return read_reason(self.reason) if self.resource else FailureReason(self.reason)


@dataclass(frozen=True, slots=True)
class Stack:
    """The current state of a stack. ``id`` is its ARN."""

    name: str
    id: str
    status: str
    outputs: Mapping[str, str]
    tags: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a stack should become.

    Exactly one of ``url`` (in S3, at most 1 MB) and ``body`` (at most 51,200 bytes) is given. Parameters that are
    ``kept`` have the value that they have. ``role_arn``: the role with which CloudFormation works, by default that of
    whoever calls it.
    """

    stack: str
    url: str | None = None
    body: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    role_arn: str | None = None

    @property
    def token(self) -> str:
        """A token that is equal for equal plans, so that a successor of a dead process recognizes its operation."""
        told = json.dumps([self.url, self.body, dict(self.parameters), dict(self.tags)], sort_keys=True)
        return f"al-{hashlib.sha256(told.encode()).hexdigest()[:16]}-"

    @property
    def change_set(self) -> str:
        """The name of the change set, equal for equal plans."""
        return f"{self.token}changes"


@dataclass(frozen=True, slots=True)
class DeployResult:
    """A stack after `Stacks.deploy`, and whether that changed anything."""

    stack: Stack
    changed: bool


class Stacks:
    """Creates, updates and deletes stacks, through change sets.

    Args:
        client: boto3's client.
        sleep: waits so many seconds between two polls.
        clock: monotonic seconds.
        patience: seconds until an operation that has not ended counts as failed on our side.
    """

    def __init__(
        self,
        client: CloudFormationClient,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        patience: float = 3600.0,
    ) -> None:
        self._client = client
        self._sleep = sleep
        self._clock = clock
        self._patience = patience

    def describe(self, name: str) -> Stack | None:
        """Describe a stack by name or ARN; None if there is none, or only a change set in review."""
        stack = self._look(name)
        return None if stack is None or stack.status in _ABSENT else stack

    def deploy(self, plan: Plan, progress: Progress = lambda _: None, inspect: Inspect | None = None) -> DeployResult:
        """Deploy a plan, whatever state the stack is in, and wait until that has ended.

        A failed update is rolled back by CloudFormation before this raises. The rest of a failed creation is deleted by
        the next call. An operation in progress is waited for; if it was begun for the same plan, by a process that has
        died since, its outcome is the result.

        Args:
            plan: the stack's name, template, parameters and tags.
            progress: called with each event of a resource.
            inspect: looks at the changes before they are made.

        Raises:
            StackFailed: with the first failing resource's reason.
            TimeoutError: the operation has not ended after ``patience``.
        """
        before = self.prepare(plan, progress)
        change_set = self._create_change_set(plan, before)
        if change_set is None:
            assert before is not None  # noqa: S101 - a creation always changes something
            return DeployResult(before, changed=False)
        if inspect:
            self._inspect(plan, before, change_set, inspect)
        seen = self._event_ids(plan.stack)
        token = f"{plan.token}{uuid.uuid4().hex[:12]}"
        # The stack's name, too: whether AWS authorizes this call on the stack or on the change set is not documented.
        self._client.execute_change_set(StackName=plan.stack, ChangeSetName=change_set, ClientRequestToken=token)
        after = self._follow(plan.stack, seen, progress)
        if after.status not in _DONE:
            raise self._failure(after, self._new_events(after.id, seen))
        return DeployResult(after, changed=True)

    def prepare(self, plan: Plan, progress: Progress = lambda _: None) -> Stack | None:
        """Return the stack of a plan once it can be updated; None if it has to be created.

        This waits for an operation in progress, continues a stuck rollback (nothing is skipped), and deletes the rest
        of a failed creation or deletion.

        Raises:
            StackFailed: the operation in progress was for this plan, and failed; or the stack cannot be repaired.
            TimeoutError: the operation has not ended after ``patience``.
        """
        stack = self.describe(plan.stack)
        if stack and stack.status.endswith("_IN_PROGRESS"):
            progress(f"{plan.stack}: {stack.status}, waiting")
            stack = self._follow(stack.id, self._event_ids(stack.id), progress)
            if stack.status not in _DONE and (events := self._events_of(plan, stack)):
                raise self._failure(stack, events)
        if stack and stack.status == "UPDATE_ROLLBACK_FAILED":
            stack = self._continue_rollback(stack, progress)
        if stack and stack.status in STILLBORN:
            progress(f"{plan.stack}: {stack.status}, deleting it to create it again")
            self.delete(stack.id, progress)
            return None
        return None if stack is None or stack.status in _ABSENT else stack

    def resources(self, name: str) -> dict[str, str]:
        """Return the physical ids of a stack's resources by logical id, without those that do not exist yet."""
        pages = self._client.get_paginator("list_stack_resources").paginate(StackName=name)
        return {
            item["LogicalResourceId"]: physical
            for page in pages
            for item in page["StackResourceSummaries"]
            if (physical := item.get("PhysicalResourceId"))
        }

    def deployed_template(self, name: str) -> dict[str, Any]:
        """Return the template that a stack has, as it was given."""
        body: Any = self._client.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
        return dict(json.loads(body if isinstance(body, str) else json.dumps(body)))

    def delete(self, name: str, progress: Progress = lambda _: None) -> None:
        """Delete a stack, if there is one, after the operation in progress, and wait until it is gone.

        Raises:
            StackFailed: something in it could not be deleted.
            TimeoutError: the operation has not ended after ``patience``.
        """
        stack = self.describe(name)
        if stack and stack.status.endswith("_IN_PROGRESS"):
            progress(f"{name}: {stack.status}, waiting")
            stack = self._follow(stack.id, self._event_ids(stack.id), progress)
        if stack is None or stack.status in _ABSENT:
            return
        seen = self._event_ids(stack.id)
        self._client.delete_stack(StackName=stack.id)
        after = self._follow(stack.id, seen, progress)
        if after.status != "DELETE_COMPLETE":
            raise self._failure(after, self._new_events(after.id, seen))

    def _look(self, name: str) -> Stack | None:
        try:
            answer = self._client.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in _message(error):
                return None
            raise
        return Stack(
            name=answer["StackName"],
            id=answer["StackId"],
            status=answer["StackStatus"],
            outputs={item["OutputKey"]: item["OutputValue"] for item in answer.get("Outputs", [])},
            tags={item["Key"]: item["Value"] for item in answer.get("Tags", [])},
            parameters={item["ParameterKey"]: item["ParameterValue"] for item in answer.get("Parameters", [])},
        )

    def _continue_rollback(self, stack: Stack, progress: Progress) -> Stack:
        progress(f"{stack.name}: {stack.status}, continuing the rollback")
        seen = self._event_ids(stack.id)
        self._client.continue_update_rollback(StackName=stack.id)
        after = self._follow(stack.id, seen, progress)
        if after.status == "UPDATE_ROLLBACK_FAILED":
            raise self._failure(after, self._new_events(after.id, seen))
        return after

    def _create_change_set(self, plan: Plan, before: Stack | None) -> str | None:
        """Create an executable change set and return its ARN; None if nothing would change."""
        try:
            created = self._ask_for_change_set(plan, before)
        except ClientError as error:
            if _code(error) == "ValidationError":
                raise StackFailed(plan.stack, None, _message(error)) from error
            raise
        reason = self._refusal(plan.stack, created)
        if reason is None:
            return created
        unchanged = before is not None and _NO_CHANGES.search(reason)
        refused = None if unchanged else self._refused(plan.stack, created, reason)
        self._client.delete_change_set(StackName=plan.stack, ChangeSetName=created)
        if refused is None:
            return None
        if before is None:
            self._client.delete_stack(StackName=plan.stack)  # otherwise a new stack would stay in review forever
        raise refused

    def _refused(self, stack: str, change_set: str, reason: str) -> StackFailed:
        found = findings(self._client, stack, change_set)
        if not found.all:
            unknown = f"{reason} (The details could not be read: {found.silent})" if found.silent else reason
            return StackFailed(stack, None, unknown)
        first, *others = found.all
        told = "; ".join([first.reason, *(f"{one.resource}: {one.reason}" for one in others)])
        return StackFailed(stack, first.resource, told, findings=found.all)

    def _ask_for_change_set(self, plan: Plan, before: Stack | None) -> str:
        """Create the change set, in place of one that a dead process made for the same plan and did not execute."""
        asked: dict[str, Any] = {
            "StackName": plan.stack,
            "ChangeSetName": plan.change_set,
            "ChangeSetType": "UPDATE" if before else "CREATE",
            "Capabilities": _CAPABILITIES,
            "Parameters": [
                *({"ParameterKey": key, "ParameterValue": value} for key, value in plan.parameters.items()),
                *({"ParameterKey": key, "UsePreviousValue": True} for key in plan.kept),
            ],
            **({"RoleARN": plan.role_arn} if plan.role_arn else {}),
            "Tags": [{"Key": key, "Value": value} for key, value in plan.tags.items()],
            **({"TemplateURL": plan.url} if plan.url else {"TemplateBody": plan.body}),
        }
        try:
            return self._client.create_change_set(**asked)["Id"]
        except ClientError as error:
            if _code(error) != "AlreadyExistsException":
                raise
        self._client.delete_change_set(StackName=plan.stack, ChangeSetName=plan.change_set)
        return self._client.create_change_set(**asked)["Id"]

    def _inspect(self, plan: Plan, before: Stack | None, change_set: str, inspect: Inspect) -> None:
        try:
            inspect(change_set)
        except BaseException:
            self._client.delete_change_set(StackName=plan.stack, ChangeSetName=change_set)
            if before is None:
                self._client.delete_stack(StackName=plan.stack)  # otherwise it would stay in review
            raise

    def _refusal(self, stack: str, change_set: str) -> str | None:
        for _ in self._beats():
            answer = self._client.describe_change_set(StackName=stack, ChangeSetName=change_set)
            if answer["Status"] == "CREATE_COMPLETE":
                return None
            if answer["Status"] == "FAILED":
                return answer.get("StatusReason", "no reason was given")
        raise TimeoutError(f"change set {change_set} was not created within {self._patience:.0f} s")

    def _follow(self, name: str, seen: frozenset[str], progress: Progress) -> Stack:
        told = set(seen)
        for _ in self._beats():
            stack = self._look(name)
            for event in reversed(list(self._new_events(name, frozenset(told)))):
                told.add(event["EventId"])
                progress(_line(event))
            if stack is None:
                return Stack(name, name, "DELETE_COMPLETE", {}, {})
            if not stack.status.endswith("_IN_PROGRESS"):
                return stack
        raise TimeoutError(f"stack {name} still has an operation in progress after {self._patience:.0f} s")

    def _failure(self, stack: Stack, events: Iterable[Any]) -> StackFailed:
        """Return the event of the first resource that failed by itself; ``events`` are newest first."""
        for event in reversed(list(events)):
            reason = event.get("ResourceStatusReason", "")
            itself = event["PhysicalResourceId"] == stack.id
            if event["ResourceStatus"].endswith("_FAILED") and not itself and not _CONSEQUENCE.match(reason):
                return StackFailed(stack.name, event["LogicalResourceId"], reason, stack.status)
        return StackFailed(stack.name, None, f"the operation ended as {stack.status}", stack.status)

    def _events_of(self, plan: Plan, stack: Stack) -> list[Any]:
        """Return the events of the last operation, newest first, if it was begun for this plan."""
        events = self._new_events(stack.id, frozenset())
        return list(itertools.takewhile(lambda it: it.get("ClientRequestToken", "").startswith(plan.token), events))

    def _new_events(self, name: str, seen: frozenset[str]) -> Iterator[Any]:
        """Return events that are not in ``seen``, newest first."""
        pages = self._client.get_paginator("describe_stack_events").paginate(StackName=name)
        events = itertools.chain.from_iterable(page["StackEvents"] for page in pages)
        return itertools.takewhile(lambda event: event["EventId"] not in seen, events)

    def _event_ids(self, name: str) -> frozenset[str]:
        """Read events page by page: `_new_events` stops at the first one that it knows."""
        answer = self._client.describe_stack_events(StackName=name)
        return frozenset(event["EventId"] for event in answer["StackEvents"])

    def _beats(self) -> Iterator[None]:
        """Poll at once, then at growing intervals, until ``patience`` is over."""
        end = self._clock() + self._patience
        pause = 0.05
        while self._clock() < end:
            yield
            self._sleep(pause)
            pause = min(3.0, pause * 1.5)


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _message(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Message", str(error))


def _line(event: Mapping[str, Any]) -> str:
    reason = event.get("ResourceStatusReason")
    return f"{event['ResourceStatus']} {event['LogicalResourceId']}{f': {reason}' if reason else ''}"
