"""The gate's rules for custom domains: whose name it is, whose certificate, and where its record lies.

A name is the account's, and whoever has it gets the requests that are meant for its owner. So an app has the one name
below the pipeline's domain that is made of its own, and those that it is granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.namespace import matches
from worker.deploy.gate.template import Properties, TemplateView, Violation, text
from worker.model import DeployTarget

_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_KINDS = ("ApiGateway::DomainName", "ApiGatewayV2::DomainName")


def problems(view: TemplateView, access: AppAccess, target: DeployTarget) -> Iterator[Violation]:
    """Yield every domain, certificate and record of the template that the app may not have."""
    for kind in _KINDS:
        for name, properties in view.of(kind):
            yield from (Violation(name, rule) for rule in _domain(properties, access, target))
    for name, properties in view.of("Route53::RecordSet"):
        yield from (Violation(name, rule) for rule in _record(view, properties, access, target))


def _domain(properties: Properties, access: AppAccess, target: DeployTarget) -> Iterator[str]:
    name = properties.get("DomainName")
    if not _may_have(name, access, target):
        yield f"DomainName: {name!r} is not the app's own; ask the platform team for grants: domains"
    for certificate in _certificates(properties):
        if not _is_here(certificate, target):
            yield "a domain needs a certificate of this account and region"


def _certificates(properties: Properties) -> Iterator[Any]:
    if "DomainNameConfigurations" not in properties:
        yield properties.get("RegionalCertificateArn")
        return
    configurations = properties["DomainNameConfigurations"]
    if not isinstance(configurations, list) or len(configurations) != 1:
        yield None
        return
    yield configurations[0].get("CertificateArn")


def _is_here(certificate: Any, target: DeployTarget) -> bool:
    place = target.place
    account = place.account or r"\d{12}"
    form = rf"arn:{place.partition}:acm:{place.region}:{account}:certificate/[0-9a-f-]+"
    pipelines = target.domain.certificate_arn if target.domain else None
    return isinstance(certificate, str) and (certificate == pipelines or re.fullmatch(form, certificate) is not None)


def _may_have(name: Any, access: AppAccess, target: DeployTarget) -> bool:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return False
    own = f"{access.app.function}.{target.domain.name}" if target.domain else None
    return name == own or any(matches(granted, name) for granted in access.grants.domains)


def _record(view: TemplateView, properties: Properties, access: AppAccess, target: DeployTarget) -> Iterator[str]:
    if target.domain is None:
        yield "the pipeline has no domain, so there is no zone for records"
        return
    name = str(properties.get("Name", "")).removesuffix(".")
    if not _may_have(name, access, target) or not name.endswith(f".{target.domain.name}"):
        yield f"Name: {name!r} is not the app's own below the pipeline's domain"
    if properties.get("HostedZoneId") != target.domain.zone_id:
        yield "HostedZoneId: it must be the pipeline's"
    if properties.get("Type") != "CNAME":
        yield "Type: only CNAME is allowed"
    records = properties.get("ResourceRecords")
    if not isinstance(records, list) or len(records) != 1 or not _is_front(view, records[0], name):
        yield "ResourceRecords: it must be the one domain of this name of this template"


def _is_front(view: TemplateView, record: Any, name: str) -> bool:
    found = (view.refers_to(record, kind, "RegionalDomainName") for kind in _KINDS)
    return any(one and text(view.resources[one]["Properties"].get("DomainName")) == name for one in found)
