"""Gives load balancers health checks, draining and weights.

In the emulator every registered target is healthy, a target is known by its address without the port, and of several
target groups only the first one gets requests. Functions get events that AWS would not send. Targets elsewhere than on
this machine are never asked, nor healthy.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

BEAT = 0.2  # seconds between two looks at what is due
ASK_SECONDS = 2.0
_AT_ONCE = 8

_BY_PATH = "/_alb/"


def patch(health: Any) -> None:
    """Replace what the emulator knows of targets, and begin to check them.

    Args:
        health: the module `target_health`.
    """
    from ministack import app  # type: ignore[import-not-found,unused-ignore]
    from ministack.services import alb, cloudwatch, lambda_svc  # type: ignore[import-not-found,unused-ignore]
    from ministack.services.cloudformation import provisioners  # type: ignore[import-not-found,unused-ignore]

    LoadBalancers(alb, health, cloudwatch).install()
    _events_as_sent(lambda_svc)
    _weights_from_templates(provisioners)
    _functions_from_templates(provisioners, alb)
    _before_other_hosts(app)


class LoadBalancers:
    """The emulator's module for load balancers, with targets whose health is asked.

    Args:
        alb: the emulator's module.
        health: the module `target_health`.
        cloudwatch: the emulator's module, which gets the metrics.
    """

    def __init__(self, alb: Any, health: Any, cloudwatch: Any) -> None:
        self._alb = alb
        self._cloudwatch = cloudwatch
        self._settings = health.CheckSettings
        self._table = health.TargetTable()
        self._turn = 0
        self._lock = threading.Lock()

    def install(self) -> None:
        """Put ourselves into the emulator."""
        alb = self._alb
        self._execute, self._forward, self._dispatch = alb._execute_actions, alb._forward_to_tg, alb.dispatch_request
        self._parse = alb._parse_actions
        alb._ACTION_MAP.update(
            RegisterTargets=self.register, DeregisterTargets=self.deregister, DescribeTargetHealth=self.describe
        )
        alb._forward_to_tg, alb._execute_actions = self.forward, self.execute
        alb.dispatch_request, alb._parse_actions = self.dispatch, self.parse
        threading.Thread(target=self._check_forever, daemon=True, name="target health").start()

    # ---------------------------------------------------------------------------------------- the API

    def register(self, params: Mapping[str, Any]) -> Any:
        """RegisterTargets."""
        return self._changed(params, "RegisterTargets", self._add)

    def deregister(self, params: Mapping[str, Any]) -> Any:
        """DeregisterTargets."""
        return self._changed(params, "DeregisterTargets", self._remove)

    def _changed(self, params: Mapping[str, Any], action: str, change: Any) -> Any:
        group = self._alb._p(params, "TargetGroupArn")
        if group not in self._alb._tgs:
            return self._alb._error("TargetGroupNotFound", f"Target group '{group}' not found.")
        with self._lock:
            change(group, self._alb._parse_targets_param(params))
        return self._alb._empty(action)

    def _add(self, group: str, targets: Iterable[Mapping[str, Any]]) -> None:
        listed = self._alb._targets.setdefault(group, [])
        have = {self._key(group, one) for one in listed}
        listed += [dict(one) for one in targets if self._key(group, one) not in have]
        if self._asks(group):
            self._table.register([self._key(group, one) for one in listed], time.monotonic())

    def _remove(self, group: str, targets: Iterable[Mapping[str, Any]]) -> None:
        gone = {self._key(group, one) for one in targets}
        listed = self._alb._targets.get(group, [])
        self._alb._targets[group] = [one for one in listed if self._key(group, one) not in gone]
        delay = next(
            (one["Value"] for one in self._alb._tg_attrs.get(group, [])
             if one["Key"] == "deregistration_delay.timeout_seconds"), "300",
        )  # fmt: skip
        self._table.deregister(gone, float(delay), time.monotonic())

    def describe(self, params: Mapping[str, Any]) -> Any:
        """DescribeTargetHealth."""
        group = self._alb._p(params, "TargetGroupArn")
        if group not in self._alb._tgs:
            return self._alb._error("TargetGroupNotFound", f"Target group '{group}' not found.")
        wanted = {self._key(group, one) for one in self._alb._parse_targets_param(params)}
        with self._lock:
            found = {target: state for target, state in self._states(group).items() if not wanted or target in wanted}
        members = "".join(
            f"<member><Target><Id>{name}</Id><Port>{port}</Port></Target>"
            f"<TargetHealth><State>{state}</State></TargetHealth></member>"
            for (_, name, port), state in found.items()
        )
        listed = f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
        return self._alb._xml(200, "DescribeTargetHealth", listed)

    def _states(self, group: str) -> Mapping[Any, str]:
        if not self._asks(group):  # a function: AWS does not check it either, unless told to
            return {self._key(group, one): "unavailable" for one in self._alb._targets.get(group, [])}
        states: Mapping[Any, str] = self._table.of(group)
        return states if self._used(group) else dict.fromkeys(states, "unused")

    def _used(self, group: str) -> bool:
        listeners = list(self._alb._listeners.values())
        rules = [rule.get("Actions", []) for rule in list(self._alb._rules.values())]
        actions = [action for one in (*rules, *(one.get("DefaultActions", []) for one in listeners)) for action in one]
        return any(group in groups_of(action) for action in actions)

    def _asks(self, group: str) -> bool:
        return bool(self._alb._tgs[group].get("TargetType", "instance") != "lambda")

    def _key(self, group: str, target: Mapping[str, Any]) -> tuple[str, str, int]:
        default = self._alb._tgs[group].get("Port") or 80
        return (group, str(target["Id"]), int(target.get("Port") or default))

    # ------------------------------------------------------------------------------------- the requests

    async def dispatch(self, balancer: Mapping[str, Any], *given: Any, port: int = 80, **more: Any) -> Any:
        """Serve a request by the listener of its port; by the secure one where the port is the emulator's own."""
        if len(given) > 5:
            given, port = given[:5], given[5]
        listeners = [
            one for one in self._alb._listeners.values() if one["LoadBalancerArn"] == balancer["LoadBalancerArn"]
        ]
        secure = [one.get("Port", 443) for one in listeners if one.get("Protocol") == "HTTPS"]
        if secure and not (port != 80 and port in {one.get("Port", 80) for one in listeners}):
            port = secure[0]
        began = time.monotonic()
        answer = await self._dispatch(balancer, *given, port=port, **more)
        self._count(str(balancer["LoadBalancerArn"]), time.monotonic() - began)
        return answer

    def _count(self, balancer: str, seconds: float) -> None:
        dimensions = {"LoadBalancer": balancer.partition("loadbalancer/")[2]}
        for name, value, unit in (("RequestCount", 1.0, "Count"), ("TargetResponseTime", seconds, "Seconds")):
            self._cloudwatch.record_metric("AWS/ApplicationELB", name, value, unit, dimensions)

    async def execute(self, actions: Iterable[Mapping[str, Any]], *given: Any, **more: Any) -> Any:
        """Run a rule's actions; of several target groups, one is chosen by their weights."""
        return await self._execute([chosen(one, random.random()) for one in actions], *given, **more)  # noqa: S311

    async def forward(self, group: str, *given: Any, **more: Any) -> Any:
        """Forward a request to the next target that is healthy, in turn."""
        if group not in self._alb._tgs:
            return await self._forward(group, *given, **more)
        if not self._asks(group):
            method, path, headers, body, _, raw_query, *raw_path = given
            return await self._forward(
                group, method, path, headers, body, query_as_sent(raw_query or ""), raw_query, *raw_path, **more
            )
        with self._lock:
            targets = self._table.serving(group)
            self._turn += 1
        if not targets:
            return 503, {"Content-Type": "text/html"}, b"503 Service Temporarily Unavailable"
        _, name, port = targets[self._turn % len(targets)]
        return await self._to_target({"Id": name, "Port": port}, group, *given, **more)

    async def _to_target(
        self,
        target: Mapping[str, Any],
        group: str,
        method: str,
        path: str,
        headers: Any,
        body: Any,
        query_params: Any,
        raw_query_string: str | None = None,
        raw_path: str | None = None,
    ) -> Any:
        return await self._alb._proxy_http_target(
            target, self._alb._tgs[group], method, raw_path or path, headers, body, query_params, raw_query_string
        )

    def parse(self, params: Mapping[str, Any], prefix: str = "DefaultActions") -> list[dict[str, Any]]:
        """Read the actions of a listener or rule with the target groups of each."""
        actions: list[dict[str, Any]] = self._parse(params, prefix)
        for number, action in enumerate(actions, start=1):
            groups: list[dict[str, Any]] = []
            start = f"{prefix}.member.{number}.ForwardConfig.TargetGroups.member."
            while arn := self._alb._p(params, f"{start}{len(groups) + 1}.TargetGroupArn"):
                weight = int(self._alb._p(params, f"{start}{len(groups) + 1}.Weight") or 1)
                groups.append({"TargetGroupArn": arn, "Weight": weight})
            if groups:
                action["ForwardConfig"] = {"TargetGroups": groups}
        return actions

    # --------------------------------------------------------------------------------------- the checks

    def _check_forever(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while True:
                time.sleep(BEAT)
                with self._lock:
                    due = list(self._table.due(time.monotonic()))
                list(pool.map(self._check, due))

    def _check(self, target: tuple[str, str, int]) -> None:
        group = next((one for key, one in self._alb._tgs._data.items() if key[-1] == target[0]), None)
        if group is None:  # deleted, and its targets with it
            with self._lock:
                self._table.states.pop(target, None)
            return
        answered = answers(target[1], target[2], group.get("HealthCheckPath") or "/", codes_of(group))
        with self._lock:
            settings = self._settings(
                interval=float(group.get("HealthCheckIntervalSeconds") or 30),
                healthy=int(group.get("HealthyThresholdCount") or 5),
                unhealthy=int(group.get("UnhealthyThresholdCount") or 2),
            )
            self._table.answered(target, answered, settings, time.monotonic())


def codes_of(group: Mapping[str, Any]) -> str:
    """Return the status codes of a good answer: ``200``, ``200,302`` or ``200-299``."""
    return str((group.get("Matcher") or {}).get("HttpCode") or "200")


def answers(address: str, port: int, path: str, codes: str) -> bool:
    """Ask a target for its health, if it is on this machine."""
    if not address.startswith("127."):
        return False
    connection = http.client.HTTPConnection(address, port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", path, headers={"User-Agent": "ELB-HealthChecker/2.0"})
        return fits(connection.getresponse().status, codes)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def fits(status: int, codes: str) -> bool:
    """Tell whether a status is one of a matcher's codes."""
    for part in codes.split(","):
        first, _, last = part.strip().partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False


def groups_of(action: Mapping[str, Any]) -> dict[str, int]:
    """Return the target groups of a listener's action, with their weights."""
    listed = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    if listed:
        return {one["TargetGroupArn"]: int(one.get("Weight", 1)) for one in listed}
    return {action["TargetGroupArn"]: 1} if action.get("TargetGroupArn") else {}


def chosen(action: Mapping[str, Any], share: float) -> dict[str, Any]:
    """Return an action that forwards to one target group only."""
    groups = groups_of(action)
    if len(groups) < 2:
        return dict(action)
    return {**action, "TargetGroupArn": weighted(groups.items(), share) or next(iter(groups))}


def weighted(groups: Iterable[tuple[str, int]], share: float) -> str | None:
    """Choose a target group by its weight: ``share`` (at least 0, below 1) is the random number. None: no weights."""
    listed = [(group, weight) for group, weight in groups if weight > 0]
    rest = share * sum(weight for _, weight in listed)
    for group, weight in listed:
        if rest < weight:
            return group
        rest -= weight
    return listed[-1][0] if listed else None


def query_as_sent(raw: str) -> dict[str, list[str]]:
    """Return the parameters of a query as a load balancer tells them to a function: not decoded."""
    found: dict[str, list[str]] = {}
    for part in filter(None, raw.split("&")):
        name, _, value = part.partition("=")
        found.setdefault(name, []).append(value)
    return found


def event_as_sent(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a load balancer's event: with several values of each header and parameter, or with one, never both."""
    context = event.get("requestContext")
    if not (isinstance(context, dict) and "elb" in context and "multiValueHeaders" in event):
        return dict(event)
    return {name: value for name, value in event.items() if name not in {"headers", "queryStringParameters"}}


def _events_as_sent(lambda_svc: Any) -> None:
    run = lambda_svc._execute_function_with_config_scope
    lambda_svc._execute_function_with_config_scope = lambda function, event, *rest, **more: run(
        function, event_as_sent(event) if isinstance(event, dict) else event, *rest, **more
    )


def _functions_from_templates(provisioners: Any, alb: Any) -> None:
    """Register the targets that a template names."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ElasticLoadBalancingV2::TargetGroup"]
    make, change = handlers["create"], handlers["update"]

    def create(logical: str, props: Mapping[str, Any], stack: str) -> Any:
        made = make(logical, props, stack)
        alb._targets[made[0]] = [dict(one) for one in props.get("Targets") or ()]
        return made

    def update(physical: str, old: Mapping[str, Any], new: Mapping[str, Any], *rest: Any, **more: Any) -> Any:
        changed = change(physical, old, new, *rest, **more)
        if "Targets" in new or "Targets" in old:  # those of a service are registered by the service
            alb._targets[changed[0]] = [dict(one) for one in new.get("Targets") or ()]
        return changed

    handlers.update(create=create, update=update)


def _weights_from_templates(provisioners: Any) -> None:
    read = provisioners._elbv2_listener_actions

    def with_weights(props: Mapping[str, Any], balancer: Any, prop: str = "DefaultActions") -> Any:
        actions = read(props, balancer, prop)
        for action, given in zip(actions, [one for one in props.get(prop) or [] if isinstance(one, dict)], strict=True):
            if isinstance(given.get("ForwardConfig"), dict):
                action["ForwardConfig"] = given["ForwardConfig"]
        return actions

    provisioners._elbv2_listener_actions = with_weights


def _before_other_hosts(app: Any) -> None:
    """Let a path below a load balancer's lead there, even if the host is an API's custom domain, or like a bucket's."""
    resolve, distribution = app._resolve_custom_domain_request, app._handle_cloudfront_dataplane_request

    async def first(
        host: str,
        path: str,
        raw_path: str,
        raw_query: str,
        method: str,
        headers: Any,
        body: Any,
        query: Any,
        *rest: Any,
    ) -> Any:
        if path.startswith(_BY_PATH):
            return await app._handle_alb_request(host, path, method, headers, body, query, raw_query, raw_path)
        return await distribution(host, path, raw_path, raw_query, method, headers, body, query, *rest)

    app._handle_cloudfront_dataplane_request = first
    app._resolve_custom_domain_request = lambda host, path: None if path.startswith(_BY_PATH) else resolve(host, path)
