"""Finds what an app's policies allow and its boundary does not: rights that it will not have.

Only the pipeline's own wide boundary is known here. Within the narrow one nothing goes beyond: whatever is not the
app's own has to be granted, and an app with grants has the wide one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from auto_lambda.namespace import NETWORK_ACTIONS, WIDE_ACTIONS
from worker.deploy.gate.patterns import covers
from worker.deploy.rights.permissions import Permission

_WIDE = re.compile(r"arn:[a-z-]+:iam::\d{12}:policy/[\w-]+-AppBoundary-\w+")
_ALLOWED = tuple(action.lower() for action in (*WIDE_ACTIONS, *NETWORK_ACTIONS))
_SHOWN = 10


def beyond(asked: Iterable[Permission], boundary_arn: str) -> str | None:
    """Say which of the allowed actions the boundary withholds; None if it withholds none, or is another one."""
    if not _WIDE.fullmatch(boundary_arn):
        return None
    actions = sorted({one.action.lower(): one.action for one in asked if one.effect == "Allow" and one.action}.items())
    told = [line for lower, action in actions if (line := _withheld(lower, action))]
    if not told:
        return None
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return (
        f"the app's policies allow what the boundary of all apps withholds: {', '.join(told[:_SHOWN])}{more}. The app "
        "cannot do that, until the platform team gives it a boundary of its own (`boundary` in its grants)"
    )


def _withheld(lower: str, action: str) -> str | None:
    if any(covers(one, lower) for one in _ALLOWED):
        return None
    return f"{action} (in part)" if any(covers(lower, one) for one in _ALLOWED) else action
