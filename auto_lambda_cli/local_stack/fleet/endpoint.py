"""The Auto Scaling API for workers and checker: the emulated group, and everything else from the embedded AWS.

It speaks the query protocol, as far as our own calls need it: https://docs.aws.amazon.com/autoscaling/ec2/APIReference.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

from auto_lambda_cli.local_stack import access
from auto_lambda_cli.local_stack.fleet.group import Instance, LocalGroup, ValidationFailed

_NAMESPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"
Answer = tuple[int, bytes]
Parameters = Mapping[str, str]


@contextmanager
def endpoint(group: LocalGroup, embedded: str, secret: str) -> Iterator[str]:
    """Serve on a free loopback port as long as this lasts, and give the URL for AWS_ENDPOINT_URL_AUTO_SCALING.

    Args:
        group: the emulated group.
        embedded: the URL of the embedded AWS.
        secret: its secret access key, which other users of the machine need here, too.
    """
    service = Service(group, embedded)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                status, answer = self.refused(body) or service.answer(body, dict(self.headers))
            except (OSError, http.client.HTTPException) as error:
                status, answer = 503, str(error).encode()  # the embedded AWS is busy; clients retry
            with suppress(ConnectionError):  # the client has given up waiting
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def refused(self, body: bytes) -> Answer | None:
            request = access.Request("POST", self.path, self.path, {k.lower(): v for k, v in self.headers.items()})
            verdict = access.judge(
                request, lambda: access.peers_user(self.client_address, self.connection.getsockname())
            )
            if verdict is access.Verdict.IF_SIGNED and access.is_signed(request, body, secret, datetime.now(UTC)):
                return None
            if verdict is access.Verdict.LET_IN and not request.for_an_app:
                return None
            status, _, answer = access.refusal(request, verdict)
            return status, answer

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="autoscaling", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Service:
    """Answers requests.

    Args:
        group: the emulated group.
        embedded: the URL of the embedded AWS.
    """

    def __init__(self, group: LocalGroup, embedded: str) -> None:
        self._group = group
        self._embedded = urlsplit(embedded).netloc
        self._own: Mapping[str, Callable[[Parameters], None]] = {
            "SetInstanceProtection": lambda it: group.protect(_members(it, "InstanceIds"), _true(it, _PROTECTED)),
            "TerminateInstanceInAutoScalingGroup": lambda it: group.terminate(
                it["InstanceId"], decrement=_true(it, "ShouldDecrementDesiredCapacity")
            ),
            "RecordLifecycleActionHeartbeat": lambda it: group.heartbeat(it["InstanceId"], it["LifecycleHookName"]),
            "CompleteLifecycleAction": lambda it: group.complete(it["InstanceId"], it["LifecycleHookName"]),
            "SuspendProcesses": lambda _: None,  # there is one zone
            "SetDesiredCapacity": lambda it: group.set_desired(int(it["DesiredCapacity"]), "set by a person"),
        }

    def answer(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Return the status and XML for a request."""
        parameters = dict(parse_qsl(body.decode(), keep_blank_values=True))
        action = parameters.get("Action", "")
        if self._is_ours(parameters) and (call := self._own.get(action)):
            try:
                call(parameters)
            except ValidationFailed as reason:
                return _error(str(reason))
            return 200, _document(action)
        if action == "DescribeAutoScalingInstances":
            return 200, _document(action, self._instances(_members(parameters, "InstanceIds")))
        status, answer = self._ask_embedded(body, headers)
        if action == "DescribeAutoScalingGroups" and status == 200:
            answer = self._with_our_machines(answer)
        return status, answer

    def _is_ours(self, parameters: Parameters) -> bool:
        """Tell whether a request is about the group; one that names only an instance is, since there are no others."""
        return parameters.get("AutoScalingGroupName", self._group.rules.group) == self._group.rules.group

    def _instances(self, wanted: Sequence[str]) -> ET.Element:
        found = ET.Element("AutoScalingInstances")
        for machine in self._group.machines():
            if not wanted or machine.id in wanted:
                member = _machine(machine)
                ET.SubElement(member, "AutoScalingGroupName").text = self._group.rules.group
                found.append(member)
        return found

    def _with_our_machines(self, answer: bytes) -> bytes:
        tree = ET.fromstring(answer)  # noqa: S314 - the embedded AWS wrote it
        for member in tree.iterfind(".//{*}AutoScalingGroups/{*}member"):
            if member.findtext("{*}AutoScalingGroupName") == self._group.rules.group:
                for name in ("Instances", "DesiredCapacity"):
                    for old in member.findall(f"{{*}}{name}"):
                        member.remove(old)
                machines = ET.SubElement(member, f"{{{_NAMESPACE}}}Instances")
                machines.extend(_machine(machine) for machine in self._group.machines())
                ET.SubElement(member, f"{{{_NAMESPACE}}}DesiredCapacity").text = str(self._group.desired)
        return ET.tostring(tree)

    def _ask_embedded(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self._embedded, timeout=60)
        try:
            passed_on = {name: value for name, value in headers.items() if name.lower() not in _OF_THE_CONNECTION}
            connection.request("POST", "/", body, passed_on)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


_PROTECTED = "ProtectedFromScaleIn"
_OF_THE_CONNECTION = {"host", "connection", "content-length", "accept-encoding"}


def _members(parameters: Parameters, name: str) -> list[str]:
    return [value for key, value in parameters.items() if key.startswith(f"{name}.member.")]


def _true(parameters: Parameters, name: str) -> bool:
    return parameters.get(name, "").lower() == "true"


def _machine(machine: Instance) -> ET.Element:
    member = ET.Element("member")
    said = {
        "InstanceId": machine.id,
        "AvailabilityZone": "us-east-1a",
        "LifecycleState": machine.state,
        "HealthStatus": "HEALTHY",
        "ProtectedFromScaleIn": str(machine.protected).lower(),
    }
    for name, value in said.items():
        ET.SubElement(member, name).text = value
    return member


def _document(action: str, *content: ET.Element) -> bytes:
    root = ET.Element(f"{action}Response", xmlns=_NAMESPACE)
    ET.SubElement(root, f"{action}Result").extend(content)
    metadata = ET.SubElement(root, "ResponseMetadata")
    ET.SubElement(metadata, "RequestId").text = "local"
    return ET.tostring(root)


def _error(message: str) -> Answer:
    root = ET.Element("ErrorResponse", xmlns=_NAMESPACE)
    error = ET.SubElement(root, "Error")
    for name, value in (("Type", "Sender"), ("Code", "ValidationError"), ("Message", message)):
        ET.SubElement(error, name).text = value
    ET.SubElement(root, "RequestId").text = "local"
    return 400, ET.tostring(root)
