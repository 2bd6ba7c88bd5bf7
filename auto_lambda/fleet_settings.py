"""Settings of a fleet that its operators write into Parameter Store, so that nobody edits a machine's user data.

``AUTO_LAMBDA_PARAMETER_PATH`` names the path. Each parameter below it is called like the environment variable that it
stands for; docs/reference/fleet-settings.md lists them. They are read before the other settings.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Mapping, MutableMapping
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from auto_lambda.aws.parameters import ParametersRefused, SecretUnusable
from auto_lambda.settings import PREFIX, Settings, SettingsError

PATH_VARIABLE = f"{PREFIX}PARAMETER_PATH"
CERTIFICATES = "CA_CERTIFICATES"
"""Name of the parameter with the PEM text of certificate authorities that are trusted beside the system's."""
_SECRET = "secretsmanager:"  # noqa: S105 - it says where the secret is
_FIXED = frozenset({
    "region", "queue_url", "dead_letter_queue_url", "uploads_bucket", "artifacts_bucket", "table", "boundary_arn",
    "granted_boundary_arn", "platform_boundary_arn", "app_rights", "work_dir", "cache", "builder_socket", "event_bus",
    "domain", "certificate_arn", "hosted_zone_id", "undeploy_on_delete", "metrics_namespace", "worker_group",
    "log_file",
})  # fmt: skip
"""Settings that have to agree with the pipeline's template, which sets them."""
_NETWORK = frozenset({
    "HTTPS_PROXY", "NO_PROXY", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_STRATEGY", "UV_HTTP_TIMEOUT", CERTIFICATES,
})  # fmt: skip
_CREDENTIALS = re.compile(r"UV_INDEX_[A-Z0-9_]+_(USERNAME|PASSWORD)")
_INDEX = re.compile(r"([A-Za-z0-9._-]+=)?https?://\S+")
_METADATA = "169.254.169.254"


class FleetSource(Protocol):
    """Where parameters and secrets are."""

    def below(self, path: str) -> Mapping[str, str]:
        """Return the parameters below a path."""

    def secret(self, name: str) -> str:
        """Return the text of a secret."""


def adopt(kind: type[Settings], environ: MutableMapping[str, str], source: FleetSource, folder: Path) -> frozenset[str]:
    """Put a fleet's settings into the environment of this process, before anything else reads it.

    Args:
        kind: the settings of the daemon.
        environ: of this process; a parameter wins over what a machine's own file says.
        source: of parameters and secrets.
        folder: for the file of certificates, readable by builders.

    Returns:
        the names of the variables that were set.

    Raises:
        SettingsError: with every problem, not only the first.
    """
    if not (path := environ.get(PATH_VARIABLE)):
        return frozenset()
    found = read(kind, path, source)
    if pem := found.pop(CERTIFICATES, None):
        found |= dict.fromkeys(("SSL_CERT_FILE", "AWS_CA_BUNDLE"), str(_bundle(pem, folder)))
    if "HTTPS_PROXY" in found:
        found["NO_PROXY"] = ",".join(filter(None, (found.get("NO_PROXY"), _METADATA)))
    environ.update(found)
    return frozenset(found)


def read(kind: type[Settings], path: str, source: FleetSource) -> dict[str, str]:
    """Return the settings below a path, by the name of their environment variable.

    Raises:
        SettingsError: with every problem, not only the first.
    """
    try:
        written = source.below(path)
    except ParametersRefused as error:
        raise SettingsError((str(error),)) from None
    values: dict[str, str] = {}
    problems: list[str] = []
    for name, text in sorted(written.items()):
        try:
            values[name] = _resolved(text.strip(), source)
            problems += [f"{path}/{name} {problem}" for problem in _problems(kind, name, values[name])]
        except SecretUnusable as error:
            problems.append(f"{path}/{name} refers to a secret that cannot be used: {error}")
    if problems:
        raise SettingsError(tuple(problems))
    return values


def names(kind: type[Settings]) -> frozenset[str]:
    """Return the names of all parameters but those of an index's credentials, which have the index's name in them."""
    return _NETWORK | {PREFIX + name.upper() for name in kind.model_fields if name not in _FIXED}


def _resolved(text: str, source: FleetSource) -> str:
    if not text.startswith(_SECRET):
        return text
    name, _, key = text.removeprefix(_SECRET).partition("#")
    secret = source.secret(name)
    if not key:
        return secret
    try:
        return str(json.loads(secret)[key])
    except (ValueError, KeyError, TypeError):
        raise SecretUnusable(f"the secret {name} is no JSON object with the key {key!r}") from None


def _problems(kind: type[Settings], name: str, value: str) -> Iterator[str]:
    """Say what is wrong with a parameter that no later check would see. Its value may be a secret."""
    if name.removeprefix(PREFIX).lower() in _FIXED:
        yield "is set by the pipeline's template and cannot be changed here"
    elif name not in names(kind) and not _CREDENTIALS.fullmatch(name):
        near = get_close_matches(name, names(kind), 1)
        yield "is no setting" + (f"; did you mean {near[0]}?" if near else "")
    elif name == "HTTPS_PROXY" and not _is_proxy(value):
        yield "is no address of a proxy, such as http://proxy.example:3128"
    elif name in {"UV_DEFAULT_INDEX", "UV_INDEX"} and not all(_INDEX.fullmatch(word) for word in value.split() or [""]):
        yield "is no address of a package index, such as https://packages.example/simple or name=https://..."
    elif name == CERTIFICATES and (reason := _unreadable(value)):
        yield f"holds no certificates in PEM format: {reason}"


def _is_proxy(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme == "http" and bool(parts.hostname) and parts.port is not None
    except ValueError:
        return False


def _unreadable(pem: str) -> str | None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        return str(error)
    return None


def _bundle(pem: str, folder: Path) -> Path:
    """Write the system's certificates and these into one file: whoever is given a file trusts no others."""
    system = ssl.get_default_verify_paths()
    known = Path(system.cafile or system.openssl_cafile)
    bundle = folder / "ca-certificates.pem"
    bundle.write_text((known.read_text() if known.is_file() else "") + "\n" + pem + "\n")
    bundle.chmod(0o644)  # builders, who are other users, read it as well
    return bundle
