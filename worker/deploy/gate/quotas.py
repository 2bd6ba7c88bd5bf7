"""Quotas: how much of the account one app may take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from auto_lambda.settings import PREFIX
from worker.bundle.log_groups import is_conditional
from worker.deploy.gate.template import Properties, TemplateView, Violation

_DEFAULT_MEMORY = 128  # MB, Lambda's own


@dataclass(frozen=True, slots=True)
class Quotas:
    """Upper limits for one app.

    Attributes:
        functions: number of functions.
        roles: number of roles.
        memory_mb: memory of all functions together.
        reserved_concurrency: reserved concurrency of all functions together.
        provisioned_concurrency: provisioned concurrency of all functions together.
        resources: number of resources of any type.
    """

    functions: int = 50
    roles: int = 50
    memory_mb: int = 51_200
    reserved_concurrency: int = 100
    provisioned_concurrency: int = 20
    resources: int = 400


_MEANINGS: Mapping[str, str] = {
    "functions": "functions",
    "roles": "roles",
    "memory_mb": "MB of memory in all its functions together",
    "reserved_concurrency": "reserved concurrent executions in all its functions together",
    "provisioned_concurrency": "provisioned concurrent executions in all its functions together",
    "resources": "resources",
}


def problems(view: TemplateView, quotas: Quotas, granted: Mapping[str, int]) -> Iterator[Violation]:
    """Yield every quota that a template exceeds.

    Args:
        view: the template.
        quotas: the pipeline's limits.
        granted: by name, limits that apply to this app instead.
    """
    limits: dict[str, int] = asdict(quotas) | dict(granted)
    for name, meaning in _MEANINGS.items():
        used = _USED[name](view)
        if used > limits[name]:
            yield Violation(
                f"quota {name}",
                f"the app asks for {used:,} {meaning}, and it may have {limits[name]:,}. The platform team raises it: "
                f'`"quotas": {{"{name}": {used}}}` in the app\'s grants, '
                f"or {PREFIX}QUOTA_{name.upper()} for every app",
            )


def _number(value: Any) -> int:
    """Read a number; whatever is none (a reference, say) cannot be counted and is refused."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"{value!r} is not a number")
    number = int(value)
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number


def _sum(kind: str, read: Callable[[Properties], Any]) -> Callable[[TemplateView], int]:
    return lambda view: sum(_number(read(properties)) for _, properties in view.of(kind))


def _provisioned(properties: Properties) -> Any:
    return properties.get("ProvisionedConcurrencyConfig", {}).get("ProvisionedConcurrentExecutions", 0)


_USED: Mapping[str, Callable[[TemplateView], int]] = {
    "functions": lambda view: len(list(view.of("Lambda::Function"))),
    "roles": lambda view: len(list(view.of("IAM::Role"))),
    "memory_mb": _sum("Lambda::Function", lambda properties: properties.get("MemorySize", _DEFAULT_MEMORY)),
    "reserved_concurrency": _sum("Lambda::Function", lambda it: it.get("ReservedConcurrentExecutions", 0)),
    "provisioned_concurrency": _sum("Lambda::Alias", _provisioned),
    "resources": lambda view: sum(not is_conditional(one) for one in view.resources.values()),
}
