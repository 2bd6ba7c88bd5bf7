"""One app's stack with its function, alias and versions, in memory: it fails, dies and rolls back wherever it is told.

Plays CloudFormation and Lambda for a deployer. After each change it looks whom the alias leads to.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from auto_lambda.aws.cloudformation import DeployResult, Plan, Stack, StackFailed, Stacks
from auto_lambda.aws.lambda_ import Alias, Answer, Functions, Published, State, Versions
from auto_lambda.aws.s3 import ObjectMissing

OWNED = {"auto-lambda:app": "shop", "auto-lambda:stage": "dev", "auto-lambda:pipeline": "auto-lambda"}


class Killed(BaseException):
    """The worker dies."""


class Misled(AssertionError):
    """Users are led to a version that has never answered."""


@dataclass
class World:
    """What there is.

    Attributes:
        faults: for each change, counted from the start: ``die before`` or ``die after`` it; for an update of the stack
            also ``refuse`` (nothing happens) and ``roll back`` (after all has happened).
        bad: hashes of code that fails.
        told: the changes.
    """

    faults: dict[int, str] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)
    objects: dict[str, bytes] = field(default_factory=dict)
    stack: Stack | None = None
    template: dict[str, Any] | None = None
    latest: State | None = None
    versions: dict[str, State] = field(default_factory=dict)
    alias: str | None = None
    answered: set[str] = field(default_factory=set)
    changes: int = 0
    told: list[str] = field(default_factory=list)
    last_operation_failed: bool = False

    def change(self, what: str, act: Callable[[], Any]) -> Any:
        """Make a change, or die around it."""
        self.changes += 1
        self.told.append(what)
        fault = self.faults.get(self.changes)
        if fault == "die before":
            raise Killed
        done = act()
        self.look()
        if fault == "die after":
            raise Killed
        return done

    def change_by_hand(self, *, publish: bool) -> None:
        """Let somebody change the function's settings, and perhaps publish that as a version."""
        if self.latest is None:
            return
        self.latest = replace(self.latest, settings={**self.latest.settings, "Handler": "by.hand"})
        if publish:
            self.versions[str(len(self.versions) + 1)] = self.latest

    def look(self) -> None:
        """Raise if the alias leads to what has not answered."""
        if self.alias is not None and self.alias not in self.answered:
            raise Misled(f"version {self.alias}; those have answered: {sorted(self.answered)}")


class SimulatedStore:
    """S3, as far as a deployer needs it here."""

    def __init__(self, world: World) -> None:
        self._world = world

    def put(self, bucket: str, key: str, data: bytes, content_type: str) -> None:
        self._world.objects[key] = data

    def upload(self, bucket: str, key: str, path: Any) -> None:
        self._world.objects[key] = path.read_bytes()

    def get(self, bucket: str, key: str) -> bytes:
        if key not in self._world.objects:
            raise ObjectMissing(key)
        return self._world.objects[key]

    def head(self, bucket: str, key: str) -> Any:
        raise ObjectMissing(key)

    def url(self, bucket: str, key: str) -> str:
        return key


class SimulatedStacks(Stacks):
    """CloudFormation: a resource after another, and all the way back if one fails."""

    def __init__(self, world: World, read: Callable[[bytes], dict[str, Any]]) -> None:
        self._world = world
        self._read = read

    def describe(self, name: str) -> Stack | None:
        return self._world.stack

    def prepare(self, plan: Plan, progress: object = None) -> Stack | None:
        return self._world.stack

    def deployed_template(self, name: str) -> dict[str, Any]:
        return copy.deepcopy(self._world.template or {})

    def resources(self, name: str) -> dict[str, str]:
        return {name: name for name in (self._world.template or {"Resources": {}})["Resources"]}

    def deploy(self, plan: Plan, progress: object = None, inspect: object = None) -> DeployResult:
        world, template = self._world, self._read(self._world.objects[str(plan.url)])
        missing = template.get("Parameters", {}).keys() - plan.parameters.keys()
        assert not missing, f"no value for {missing}"
        before = world.stack
        if before and template == world.template and dict(plan.parameters) == dict(before.parameters):
            return DeployResult(before, changed=False)
        world.change("deploy", lambda: self._update(plan, template))
        if world.last_operation_failed:
            raise StackFailed(plan.stack, "Queue", "it cannot be", "UPDATE_ROLLBACK_COMPLETE")
        assert world.stack
        return DeployResult(world.stack, changed=True)

    def _update(self, plan: Plan, template: dict[str, Any]) -> None:
        world = self._world
        fault = world.faults.get(world.changes)
        world.last_operation_failed = fault in ("refuse", "roll back")
        if fault == "refuse":
            return
        old_template, old_stack = world.template, world.stack
        for name in self._order(template):
            self._bring_about(name, template, plan.parameters)
        if world.last_operation_failed:
            self._configure(old_template or template, template)
            for name in self._order(template):
                if "Alias" in template["Resources"][name]["Type"]:
                    self._point_back(name, old_template, old_stack)
            return
        world.template = template
        outputs = {"AutoLambdaFunction": "Api", **({"AutoLambdaVersion": world.alias} if world.alias else {})}
        if "Rest" in template["Resources"]:
            outputs["AutoLambdaAliasApi"] = "Api:live"
        world.stack = Stack(plan.stack, plan.stack, "UPDATE_COMPLETE", outputs, OWNED, dict(plan.parameters))

    def _order(self, template: Mapping[str, Any]) -> Iterator[str]:
        kinds = {name: one["Type"] for name, one in template["Resources"].items()}
        yield from sorted(kinds, key=lambda name: (kinds[name] != "AWS::Lambda::Function", name))

    def _bring_about(self, name: str, template: Mapping[str, Any], values: Mapping[str, str]) -> None:
        resource = template["Resources"][name]
        match resource["Type"]:
            case "AWS::Lambda::Function":
                self._configure(template, self._world.template)
            case "AWS::Lambda::Alias":
                self._world.alias = values[resource["Properties"]["FunctionVersion"]["Ref"]]
                self._world.look()

    def _configure(self, template: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
        """Set what differs between two templates: what the function really is, CloudFormation does not look at."""
        wanted = state_of(template["Resources"]["Api"]["Properties"])
        known, latest = (state_of(before["Resources"]["Api"]["Properties"]) if before else None), self._world.latest
        if known is None or latest is None:
            self._world.latest = wanted
            return
        code = wanted.code_sha256 if wanted.code_sha256 != known.code_sha256 else latest.code_sha256
        changed = {name: it for name, it in wanted.settings.items() if it != known.settings[name]}
        self._world.latest = replace(latest, code_sha256=code, settings={**latest.settings, **changed})

    def _point_back(self, name: str, template: Mapping[str, Any] | None, stack: Stack | None) -> None:
        known = name in (template or {"Resources": {}})["Resources"]
        self._world.alias = stack.parameters["AutoLambdaVersionApi"] if known and stack else None
        self._world.look()


class SimulatedFunctions(Functions):
    """Lambda, with one function."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def versions(self) -> Versions:
        return _Versions(self._world)

    def invoke(self, function: str, event: Any) -> Answer:
        version = function.rpartition(":")[2]
        if self._world.versions[version].code_sha256 in self._world.bad:
            return Answer("KeyError", "'TABLE'")
        self._world.answered.add(version)
        return Answer(None, "", payload='{"statusCode": 200}')

    def may_be_invoked(self, function: str) -> None: ...

    def state(self, function: str) -> State | None:
        _name, _, version = function.partition(":")
        return self._world.versions.get(version) if version else self._world.latest

    def settled(self, function: str) -> State:
        return self._latest

    def look(self, function: str) -> tuple[State, Mapping[str, str]] | None:
        return (self._latest, OWNED) if self._world.latest else None

    def publish(self, function: str, latest: State) -> str:
        def act() -> str:
            if self._world.versions and list(self._world.versions.values())[-1] == latest:
                return list(self._world.versions)[-1]
            return self._publish()

        version: str = self._world.change("publish", act)
        return version

    def alias(self, function: str, name: str) -> Alias | None:
        return Alias(self._world.alias, weighted=False) if self._world.alias else None

    def point(self, function: str, name: str, version: str) -> None:
        def act() -> None:
            self._world.alias = version

        self._world.change("point", act)

    def set_code(self, function: str, bucket: str, key: str) -> None:
        self._world.change("set_code", lambda: self._become(code_sha256=_sha256(key)))

    def set_settings(self, function: str, settings: Mapping[str, Any]) -> None:
        self._world.change("set_settings", lambda: self._become(settings={**self._latest.settings, **settings}))

    def configure(self, function: str, settings: Mapping[str, Any], seen: State) -> State:
        self._require_unchanged(seen)
        self._world.change("configure", lambda: self._become(settings={**self._latest.settings, **settings}))
        return self._latest

    def publish_code(self, function: str, bucket: str, key: str, seen: State) -> tuple[str, State]:
        def act() -> str:
            self._require_unchanged(seen)
            self._become(code_sha256=_sha256(key))
            return self._publish()

        version: str = self._world.change("publish_code", act)
        return version, self._latest

    def _require_unchanged(self, seen: State) -> None:
        if seen != self._latest:
            raise ClientError({"Error": {"Code": "PreconditionFailedException", "Message": "changed"}}, "Update")

    @property
    def _latest(self) -> State:
        assert self._world.latest
        return self._world.latest

    def _become(self, **changes: Any) -> None:
        self._world.latest = replace(self._latest, **changes)

    def _publish(self) -> str:
        version = str(len(self._world.versions) + 1)
        self._world.versions[version] = self._latest
        return version


class _Versions(Versions):
    def __init__(self, world: World) -> None:
        self._world = world

    def of_function(self, function: str) -> list[Published]:
        return [
            Published(number, (), it.settings["Environment"]["Variables"], it.code_sha256, it.settings)
            for number, it in self._world.versions.items()
        ]


def state_of(function: Mapping[str, Any]) -> State:
    """What a function of a template is, once it has been brought about."""
    settings = {
        "Handler": function["Handler"],
        "MemorySize": function.get("MemorySize", 128),
        "Timeout": function.get("Timeout", 3),
        "Environment": copy.deepcopy(function["Environment"]),
    }
    return State("Active", "Successful", "", _sha256(function["Code"]["S3Key"]), settings)


def _sha256(key: str) -> str:
    """What Lambda says of code, of where it is stored."""
    digest = bytes.fromhex(key.removeprefix("bundles/").removesuffix(".zip"))
    return base64.b64encode(digest).decode()
