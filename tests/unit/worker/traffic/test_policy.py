"""A stage may require that releases take the traffic over gradually; an app may be excepted."""

from __future__ import annotations

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.grants import Grants
from auto_lambda.keys import App
from builder.protocol.traffic import TrafficMessage
from worker.traffic.policy import require_gradual

SHOP = App("prod", "shop")
CANARY = TrafficMessage(kind="canary", percent=10, interval=60)
REQUIRED = Grants(traffic="gradual")


def test_what_takes_all_at_once_is_refused_where_it_has_to_be_gradual() -> None:
    with pytest.raises(AppError) as caught:
        require_gradual(SHOP, REQUIRED, None)
    assert caught.value.code is Code.TRAFFIC_REQUIRED
    assert "grants set shop --stage prod --add traffic=any" in caught.value.hint


@pytest.mark.parametrize(
    ("grants", "plan"),
    [(REQUIRED, CANARY), (Grants(), None), (Grants(traffic="any").with_default(REQUIRED), None)],
)
def test_what_is_gradual_or_need_not_be_passes(grants: Grants, plan: TrafficMessage | None) -> None:
    require_gradual(SHOP, grants, plan)
