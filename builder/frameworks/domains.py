"""Read the custom domains that an app's settings ask for; the worker decides whether the app may have them."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from builder.protocol.messages import DomainMessage


def read_domain(
    setting: str, name: Any, certificate_arn: Any = None, base_path: Any = None, *, sockets: bool = False
) -> tuple[DomainMessage | None, str | None]:
    """Return a domain, or a warning about one that no API could have.

    Args:
        setting: where it is set, for the warning.
        name: host name.
        certificate_arn: of its certificate.
        base_path: below which the API is to be.
        sockets: whether it is for a WebSocket API.
    """
    host = name.lower().removesuffix(".") if isinstance(name, str) else name
    path = base_path.strip("/") or None if isinstance(base_path, str) else base_path
    path = None if path == "(none)" else path
    try:
        return DomainMessage(name=host, certificate_arn=certificate_arn, base_path=path, sockets=sockets), None
    except ValidationError as error:
        wrong = ", ".join(sorted({str(one["loc"][0]) for one in error.errors(include_url=False)}))
        return None, f"the domain of {setting} is not mapped to the app: its {wrong} cannot be used"
