"""The result of one check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from auto_lambda.aws.sqs import QueueUnusable

Health = Literal["fine", "warning", "broken", "unknown"]
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "403", "UnauthorizedOperation"}
_BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_STACK = "Compare the setting with the outputs of the pipeline's stack."


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        what: was checked, in a word or two.
        verdict: ``warning``: it works, but not as well as it might; ``unknown``: no permission to check it.
        found: the finding, in a sentence.
        advice: what to do about it; None if there is nothing to do.
    """

    what: str
    verdict: Health
    found: str
    advice: str | None = None


def asked(what: str, ask: Callable[[], Finding]) -> Finding:
    """Return the finding, or one that shows AWS's error."""
    try:
        return ask()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _DENIED:
            return Finding(what, "unknown", f"no permission to check it: {error}")
        advice = "Log in again, or check the role of the machine." if code in _BAD_CREDENTIALS else _STACK
        return Finding(what, "broken", f"AWS says: {error}", advice)
    except QueueUnusable as error:
        return Finding(what, "unknown" if error.denied else "broken", str(error), None if error.denied else _STACK)
    except (BotoCoreError, ValueError) as error:
        return Finding(what, "broken", str(error), "Check the network, the region and the credentials first.")
