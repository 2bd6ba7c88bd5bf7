from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.local_stack.dns import DnsResolver, NoSuchName, Record, answer, records_of

FRONT, BALANCER = "d-1.execute-api.us-east-1.amazonaws.com", "shop-1.us-east-1.elb.amazonaws.com"


@dataclass
class Zone:
    """Records that change, and a clock."""

    now: float = 0.0
    records: list[Record] = field(default_factory=list)
    asked: int = 0

    def look_up(self) -> list[Record]:
        self.asked += 1
        return self.records

    def resolver(self, hold: float = 1.0) -> DnsResolver:
        return DnsResolver(self.look_up, lambda: self.now, lambda: 0.0, hold)


def listed(name: str, target: str, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": target}], **more}


def test_the_records_of_a_name_are_found_whatever_they_are() -> None:
    zone = [
        listed("shop.example.com.", FRONT, Weight=100, SetIdentifier="lambda"),
        {
            "Name": "shop.example.com.", "Type": "A", "Weight": 0, "SetIdentifier": "fargate",
            "AliasTarget": {"DNSName": f"{BALANCER}.", "HostedZoneId": "Z1", "EvaluateTargetHealth": False},
        },
        listed("other.example.com.", "elsewhere"),
        {"Name": "shop.example.com.", "Type": "TXT", "TTL": 5, "ResourceRecords": [{"Value": '"text"'}]},
    ]  # fmt: skip
    assert records_of("Shop.example.com", zone) == (Record(FRONT, 60.0, 100), Record(BALANCER, 60.0, 0))


shares = st.floats(0, 1, exclude_max=True)
weights = st.lists(st.integers(0, 255), min_size=1, max_size=5)


@given(weights, shares)
def test_what_has_no_weight_is_never_the_answer_unless_nothing_has(given_weights: list[int], share: float) -> None:
    records = [Record(str(index), 60, weight) for index, weight in enumerate(given_weights)]
    found = answer(records, share)
    assert found is not None
    assert found.weight or not any(given_weights)


@given(st.integers(0, 100), shares)
def test_the_share_of_a_record_is_its_weight(weight: int, share: float) -> None:
    records = [Record("lambda", 60, 100 - weight), Record("fargate", 60, weight)]
    assert (answer(records, share) == records[0]) == (share * 100 < 100 - weight)


@given(st.floats(0.1, 1000), st.sampled_from([1.0, 2.0]), st.lists(st.floats(0, 600), max_size=20))
def test_an_answer_is_kept_for_its_ttl_times_the_hold_and_no_longer(
    ttl: float, hold: float, steps: list[float]
) -> None:
    zone = Zone(records=[Record("at 0.0", ttl)])
    resolver = zone.resolver(hold)
    looked = 0.0
    for step in [0.0, *steps]:
        zone.now += step
        zone.records = [Record(f"at {zone.now}", ttl)]
        if zone.now >= looked + ttl * hold or step == zone.now == 0.0:
            looked = zone.now
        assert resolver.resolve() == f"at {looked}"


def test_a_resolver_that_holds_on_sees_a_move_after_twice_the_ttl() -> None:
    zone = Zone(records=[Record(FRONT, 60, 100), Record(BALANCER, 60, 0)])
    good, slow = zone.resolver(), zone.resolver(hold=2)
    assert good.resolve() == slow.resolve() == FRONT
    zone.records = [Record(FRONT, 60, 0), Record(BALANCER, 60, 100)]
    for now, found in ((59, (FRONT, FRONT)), (61, (BALANCER, FRONT)), (121, (BALANCER, BALANCER))):
        zone.now = now
        assert (good.resolve(), slow.resolve()) == found


def test_a_name_without_records_is_no_answer() -> None:
    with pytest.raises(NoSuchName):
        Zone().resolver().resolve()
