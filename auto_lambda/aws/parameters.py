"""The two services that a fleet's settings come from: Parameter Store and Secrets Manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

_REFUSED = frozenset({"AccessDeniedException", "ResourceNotFoundException", "DecryptionFailure", "InvalidKeyId"})


class SecretUnusable(Exception):
    """A secret does not exist, may not be read, or holds no text."""


class ParametersRefused(Exception):
    """This machine's role may not read the parameters."""


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
