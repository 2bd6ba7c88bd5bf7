"""Parameter Store and Secrets Manager: a fleet's settings come from both, an app's configuration from the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

_MOST_DELETED = 10

_REFUSED = frozenset({"AccessDeniedException", "ResourceNotFoundException", "DecryptionFailure", "InvalidKeyId"})


class SecretUnusable(Exception):
    """A secret does not exist, may not be read, or holds no text."""


class ParametersRefused(Exception):
    """This machine's role may not read the parameters."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``value`` is None of a secret; ``modified`` in UTC."""

    name: str
    value: str | None
    version: int
    modified: datetime

    @property
    def secret(self) -> bool:
        """Whether it is encrypted."""
        return self.value is None


class ConfigurationStore:
    """The parameters directly below a path: the configuration of an app. Exceptions are botocore's."""

    def __init__(self, client: SSMClient) -> None:
        self._client = client

    def described(self, path: str) -> dict[str, str]:
        """Return what tells each parameter's value from any other that it had, by name; no value is read."""
        pages = self._client.get_paginator("describe_parameters").paginate(
            ParameterFilters=[{"Key": "Path", "Option": "OneLevel", "Values": [path]}]
        )
        return {it["Name"]: f"{it['Version']} {it['LastModifiedDate']}" for page in pages for it in page["Parameters"]}

    def listed(self, path: str) -> list[Parameter]:
        """List them, by name; secrets stay encrypted."""
        pages = self._client.get_paginator("get_parameters_by_path").paginate(Path=path, WithDecryption=False)
        found = (
            Parameter(
                it["Name"].rpartition("/")[2],
                None if it["Type"] == "SecureString" else it["Value"],
                it["Version"],
                it["LastModifiedDate"],
            )
            for page in pages
            for it in page["Parameters"]
        )
        return sorted(found, key=lambda it: it.name)

    def put(self, path: str, name: str, value: str, *, secret: bool) -> None:
        """Write one. A parameter of the other kind has to be deleted first."""
        kind: Literal["SecureString", "String"] = "SecureString" if secret else "String"
        self._client.put_parameter(Name=f"{path}/{name}", Value=value, Type=kind, Overwrite=True)

    def delete(self, path: str, names: Sequence[str]) -> None:
        """Delete some, if they exist."""
        for first in range(0, len(names), _MOST_DELETED):
            self._client.delete_parameters(Names=[f"{path}/{name}" for name in names[first : first + _MOST_DELETED]])


class Parameters:
    """The parameters below a path, and the secrets that they refer to.

    Args:
        ssm: a client of Systems Manager.
        secrets: a client of Secrets Manager.
    """

    def __init__(self, ssm: Any, secrets: Any) -> None:
        self._ssm = ssm
        self._secrets = secrets

    def below(self, path: str) -> Mapping[str, str]:
        """Return the values of all parameters below a path, decrypted, by their name without the path.

        Raises:
            ParametersRefused: the role may not read them.
        """
        pages = self._ssm.get_paginator("get_parameters_by_path").paginate(
            Path=path, Recursive=True, WithDecryption=True
        )
        prefix = path.rstrip("/") + "/"
        try:
            return {it["Name"].removeprefix(prefix): it["Value"] for page in pages for it in page["Parameters"]}
        except ClientError as error:
            if error.response["Error"]["Code"] in _REFUSED:
                raise ParametersRefused(f"the parameters below {path} cannot be read: {_message(error)}") from None
            raise

    def secret(self, name: str) -> str:
        """Return the text of a secret, by its name or ARN.

        Raises:
            SecretUnusable: there is no such text for this role.
        """
        try:
            text = self._secrets.get_secret_value(SecretId=name).get("SecretString")
        except ClientError as error:
            if error.response["Error"]["Code"] in _REFUSED:
                raise SecretUnusable(f"the secret {name} cannot be read: {_message(error)}") from None
            raise
        if text is None:
            raise SecretUnusable(f"the secret {name} is binary; a text is needed")
        return str(text)


def _message(error: ClientError) -> str:
    return f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}".rstrip(": ")
