"""Load an app's configuration from Parameter Store into its environment, then hand over to its own handler.

It runs in the app's function, before the app is imported, with nothing but Python's own library: importing AWS's would
take longer than the call.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import importlib
import json
import os
import ssl
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

PATH, HANDLER = "AUTO_LAMBDA_CONFIGURATION", "AUTO_LAMBDA_HANDLER"
_ZAPPAS = "handler.lambda_handler"
_TARGET = "AmazonSSM.GetParametersByPath"
_TYPE = "application/x-amz-json-1.1"
_SECONDS, _TRIES = 3, 3
_AGAIN = frozenset({"ThrottlingException", "TooManyUpdates", "InternalServerError"})


class ConfigurationUnreadable(Exception):
    """The configuration cannot be read, so the app does not start without it."""


def load(path: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the values of all parameters directly below a path, decrypted, by their last name."""
    found = {}
    for parameter in _parameters(path, environ):
        found[parameter["Name"].rpartition("/")[2]] = parameter["Value"]
    return found


def _parameters(path: str, environ: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    asked: dict[str, Any] = {"Path": path, "Recursive": False, "WithDecryption": True}
    while True:
        answer = _asked(asked, path, environ)
        yield from answer["Parameters"]
        if not answer.get("NextToken"):
            return
        asked["NextToken"] = answer["NextToken"]


def _asked(asked: Mapping[str, Any], path: str, environ: Mapping[str, str]) -> Any:
    problem = ""
    for attempt in range(_TRIES):
        time.sleep(0.1 * attempt * 3**attempt)
        try:
            status, text = _post(json.dumps(asked).encode(), environ)
        except (OSError, http.client.HTTPException) as error:
            problem = f"{type(error).__name__}: {error}"
            continue
        if status == http.HTTPStatus.OK:
            return json.loads(text)
        problem = f"{status}: {text[:500].decode(errors='replace')}"
        if status < 500 and not any(code in problem for code in _AGAIN):
            break
    raise ConfigurationUnreadable(
        f"the configuration of this app, the parameters below {path}, cannot be read: {problem}"
    )


def _post(body: bytes, environ: Mapping[str, str]) -> tuple[int, bytes]:
    region = environ["AWS_REGION"]
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    address = environ.get("AWS_ENDPOINT_URL_SSM") or environ.get("AWS_ENDPOINT_URL") or f"https://ssm.{region}.{suffix}"
    there = urlsplit(address)
    if there.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            there.netloc, timeout=_SECONDS, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(there.netloc, timeout=_SECONDS)
    try:
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        connection.request("POST", "/", body, signed(body, there.netloc, region, now, environ))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def signed(body: bytes, host: str, region: str, now: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a signed request (AWS Signature Version 4).

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    headers = {"content-type": _TYPE, "host": host, "x-amz-date": now, "x-amz-target": _TARGET}
    if token := environ.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{now[:8]}/{region}/ssm/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{environ['AWS_ACCESS_KEY_ID']}/{scope}"
    told = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": told}


def start() -> Any:
    """Load the configuration, and return the app's own handler."""
    values = load(os.environ[PATH], os.environ)
    os.environ.update(values)
    name = os.environ["_HANDLER"] = os.environ[HANDLER]
    module, _, function = name.rpartition(".")
    handler = getattr(importlib.import_module(module.replace("/", ".")), function)
    if name == _ZAPPAS:  # it sets the variables of its settings with the first request
        kept = importlib.import_module("zappa_settings").ENVIRONMENT_VARIABLES
        for one in values.keys() & kept.keys():
            del kept[one]
    return handler


if PATH in os.environ:
    handler = start()
