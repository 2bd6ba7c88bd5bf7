"""Give an app's API a name of its own: a custom domain, what maps it to the API, and its DNS record.

Pure functions from a published template to one with a domain.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import Template
from builder.protocol.messages import AppBuilt, DomainMessage
from worker.bundle.references import referenced
from worker.model import PipelineDomain

DOMAIN_OUTPUT = "AutoLambdaDomain"
"""Name of the output that holds the URL at the app's domain."""

FRONT_OUTPUT = "AutoLambdaLambdaFront"
"""Name of the output that holds the host name of the API behind the domain, for DNS records."""

OWN_RECORD = "app"
"""Set identifier of the record in the app's own stack. Weighted ones of its flex stack can be beside it."""

LONGEST_LABEL = 63
TTL = 60  # seconds
_PLAIN, _HTTP = "AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"
_STAGES = {_PLAIN: ("AWS::ApiGateway::Stage", "RestApiId"), _HTTP: ("AWS::ApiGatewayV2::Stage", "ApiId")}


@dataclass(frozen=True, slots=True)
class AppDomain:
    """The name of an API.

    Attributes:
        name: host name.
        certificate_arn: of a certificate for it, in the pipeline's region.
        zone_id: hosted zone that gets a record for it; None for a name whose DNS is elsewhere.
        base_path: below which the API is.
        sockets: whether it is that of the app's WebSocket API.
    """

    name: str
    certificate_arn: str
    zone_id: str | None = None
    base_path: str | None = None
    sockets: bool = False

    @property
    def url(self) -> str:
        """The URL of the app."""
        return f"{'wss' if self.sockets else 'https'}://{self.name}/{f'{self.base_path}/' if self.base_path else ''}"


def default_domain(app: App, domain: PipelineDomain | None) -> str | None:
    """Return an app's name below the pipeline's domain; None without one, or if it would be too long."""
    return f"{app.function}.{domain.name}" if domain and len(app.function) <= LONGEST_LABEL else None


@dataclass(frozen=True, slots=True)
class ChosenDomains:
    """The names of an app's APIs, and warnings about names that it asks for and does not get."""

    domains: tuple[AppDomain, ...] = ()
    warnings: tuple[str, ...] = ()


def choose(app: App, built: AppBuilt, domain: PipelineDomain | None, granted: Iterable[str] = ()) -> ChosenDomains:
    """Return the names of an app's APIs: those of its settings, else the one below the pipeline's domain.

    Args:
        app: whose.
        built: what its builder has made.
        domain: the pipeline's, None without one.
        granted: names that the app may have beside its own, with wildcards.
    """
    wanted = {one.sockets: one for one in built.domains}
    if built.flex and built.flex.domain:
        wanted.setdefault(False, DomainMessage(name=built.flex.domain))
    own, made = default_domain(app, domain), list[AppDomain]()
    warnings: list[str] = []
    for one in (*wanted.values(), *((DomainMessage(name=own),) if own else ())):
        if any(one.sockets == other.sockets for other in made):
            continue  # the app's own name is for those that get no other
        certificate = one.certificate_arn or _pipelines_certificate(one.name, domain)
        if why := _why_not(app, one.name, certificate, domain, granted):
            warnings.append(f"the domain {one.name} is not mapped to the app: {why}")
            continue
        in_zone = domain is not None and one.name.endswith(f".{domain.name}")
        zone = domain.zone_id if domain and in_zone and not (built.flex and not one.sockets) else None
        if not in_zone:
            warnings.append(f"point {one.name} at the API: its DNS is not the pipeline's ({FRONT_OUTPUT} of the stack)")
        made.append(AppDomain(one.name, str(certificate), zone, one.base_path, one.sockets))
    return ChosenDomains(tuple(made), tuple(warnings))


def _pipelines_certificate(name: str, domain: PipelineDomain | None) -> str | None:
    return domain.certificate_arn if domain and name.partition(".")[2] == domain.name else None


def _why_not(
    app: App, name: str, certificate: str | None, domain: PipelineDomain | None, granted: Iterable[str]
) -> str | None:
    if name != default_domain(app, domain) and not any(fnmatchcase(name, one) for one in granted):
        return f'ask the platform team for grants: domains: ["{name}"]'
    if certificate is None:
        return "it needs a certificate of its own; the settings name none"
    return None


def front(template: Template, *, sockets: bool = False) -> tuple[str, str] | None:
    """Return the logical ids of the API that answers under the app's URL and of its stage; None without one."""
    resources = template["Resources"]
    for api in _apis(template, sockets=sockets):
        stage, key = _STAGES[resources[api]["Type"]]
        stages = sorted(
            name
            for name, one in resources.items()
            if one["Type"] == stage and api in referenced(one["Properties"].get(key))
        )
        if len(stages) == 1:
            return api, stages[0]
    return None


def with_domain(template: Template, domain: AppDomain) -> Template:
    """Return a published template whose API has a domain; the input is not changed, nor returned without an API."""
    found = front(template, sockets=domain.sockets)
    if found is None:
        return template
    made = copy.deepcopy(template)
    suffix = "Sockets" if domain.sockets else ""
    name, mapping, record = (f"AutoLambda{part}{suffix}" for part in ("Domain", "Mapping", "Record"))
    if taken := sorted({name, mapping, record} & made["Resources"].keys()):
        raise AppError(
            Code.COMPILE_FAILED,
            f"{', '.join(taken)}: a resource of the app has the logical id of something that a domain adds.",
            hint="Rename the function that this name comes from.",
        )
    rest = made["Resources"][found[0]]["Type"] == _PLAIN
    made["Resources"][name] = _rest_domain(domain) if rest else _http_domain(domain)
    made["Resources"][mapping] = (_rest_mapping if rest else _http_mapping)(made, domain, name, *found)
    target = {"Fn::GetAtt": [name, "RegionalDomainName"]}
    if domain.zone_id:
        made["Resources"][record] = record_set(domain.name, domain.zone_id, target, OWN_RECORD, 100, TTL)
    if not domain.sockets:
        made["Outputs"] |= {DOMAIN_OUTPUT: {"Value": domain.url}, FRONT_OUTPUT: {"Value": target}}
    return made


def record_set(name: str, zone_id: str, target: Any, identifier: str, weight: Any, ttl: int) -> dict[str, Any]:
    """Return a weighted record; all of one name share the traffic by their weights."""
    return {
        "Type": "AWS::Route53::RecordSet",
        "Properties": {
            "HostedZoneId": zone_id,
            "Name": f"{name}.",
            "Type": "CNAME",
            "TTL": str(ttl),
            "SetIdentifier": identifier,
            "Weight": weight,
            "ResourceRecords": [target],
        },
    }


def _apis(template: Template, *, sockets: bool) -> Iterator[str]:
    resources: Mapping[str, Any] = template["Resources"]
    if sockets:
        yield from (
            name
            for name, one in sorted(resources.items())
            if one["Type"] == _HTTP and one["Properties"].get("ProtocolType") == "WEBSOCKET"
        )
        return
    for name in referenced(template.get("Outputs", {}).get("AutoLambdaUrl", {}).get("Value")):
        kind = resources.get(name, {}).get("Type")
        if kind == _PLAIN or (kind == _HTTP and resources[name]["Properties"].get("ProtocolType") != "WEBSOCKET"):
            yield name


def _rest_domain(domain: AppDomain) -> dict[str, Any]:
    return {
        "Type": "AWS::ApiGateway::DomainName",
        "Properties": {
            "DomainName": domain.name,
            "RegionalCertificateArn": domain.certificate_arn,
            "EndpointConfiguration": {"Types": ["REGIONAL"]},
            "SecurityPolicy": "TLS_1_2",
        },
    }


def _http_domain(domain: AppDomain) -> dict[str, Any]:
    configuration = {
        "CertificateArn": domain.certificate_arn, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2",
    }  # fmt: skip
    properties = {"DomainName": domain.name, "DomainNameConfigurations": [configuration]}
    return {"Type": "AWS::ApiGatewayV2::DomainName", "Properties": properties}


def _rest_mapping(template: Template, domain: AppDomain, name: str, api: str, stage: str) -> dict[str, Any]:
    properties = {
        "DomainName": {"Ref": name},
        "RestApiId": {"Ref": api},
        "Stage": template["Resources"][stage]["Properties"]["StageName"],
        **({"BasePath": domain.base_path} if domain.base_path else {}),
    }
    return {"Type": "AWS::ApiGateway::BasePathMapping", "DependsOn": [stage], "Properties": properties}


def _http_mapping(template: Template, domain: AppDomain, name: str, api: str, stage: str) -> dict[str, Any]:
    properties = {
        "DomainName": {"Ref": name},
        "ApiId": {"Ref": api},
        "Stage": template["Resources"][stage]["Properties"]["StageName"],
        **({"ApiMappingKey": domain.base_path} if domain.base_path else {}),
    }
    return {"Type": "AWS::ApiGatewayV2::ApiMapping", "DependsOn": [stage], "Properties": properties}
