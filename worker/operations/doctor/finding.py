"""One thing that was looked at, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from auto_lambda.aws.sqs import QueueUnusable

Health = Literal["fine", "warning", "broken", "unknown"]
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "403", "UnauthorizedOperation"}
_STRANGERS = {
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
    """What is known of one thing.

    Attributes:
        what: the thing, in a word or two.
        verdict: ``warning``: it works, but not as well as it might; ``unknown``: we are not allowed to look.
        found: in a sentence.
        advice: what to do about it; None where there is nothing.
    """

    what: str
    verdict: Health
    found: str
    advice: str | None = None


def asked(what: str, ask: Callable[[], Finding]) -> Finding:
    """The finding, or what AWS said instead of an answer."""
    try:
        return ask()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _DENIED:
            return Finding(what, "unknown", f"we may not look: {error}")
        advice = "Log in again, or see to the role of the machine." if code in _STRANGERS else _STACK
        return Finding(what, "broken", f"AWS says: {error}", advice)
    except QueueUnusable as error:
        return Finding(what, "unknown" if error.denied else "broken", str(error), None if error.denied else _STACK)
    except (BotoCoreError, ValueError) as error:
        return Finding(what, "broken", str(error), "See to the network, the region and the credentials first.")
