"""The choice of what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from attempt_world import RELEASE
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.aws.lambda_ import Published
from worker.bundle.pointers import FunctionRelease
from worker.records.ledger import LiveRelease, PastRelease
from worker.retention.plan import UNDEPLOYED, Choice, Keeping, choose, old_layers, old_versions

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=400)
AT_ONCE = timedelta(0)


def past(template: str, hours: float | None = 0, before: str | None = None) -> PastRelease:
    text = replace(RELEASE, template_key=template).text()
    return PastRelease(text, before, (NOON + timedelta(hours=hours)).isoformat() if hours is not None else None)


def live(version: str, template: str, before: str | None = None) -> LiveRelease:
    return LiveRelease("k", version, None, None, "", "zappa", template, "f", "1", None, NOON.isoformat(), before)


def chosen(keep: int, what: LiveRelease | None, releases: dict[str, PastRelease], grace: timedelta = AT_ONCE) -> Choice:
    found = choose(what, releases, Keeping(keep, grace), NOW, NOW)
    assert found
    return found


def test_the_newest_stay_by_when_they_went_live() -> None:
    releases = {"a": past("t1", 1), "b": past("t2", 3), "c": past("t3", 2), "d": past("t4", 4)}
    assert chosen(2, live("d", "t4"), releases) == Choice(frozenset({"t4", "t2"}), ("c", "a"))


def test_zips_that_lead_to_one_release_count_once() -> None:
    releases = {"a": past("t1", 1), "b": past("t2", 2), "c": past("t2", 3), "d": past("t2", 4)}
    assert chosen(2, live("d", "t2"), releases).collected == ()


def test_what_is_live_and_what_a_rollback_leads_to_stay() -> None:
    releases = {"a": past("t1", 1), "b": past("t2", 2), "c": past("t3", 3)}
    assert chosen(1, live("c", "t3", before="a"), releases).collected == ("b",)


def test_records_without_a_time_are_the_oldest_in_the_order_of_rollbacks() -> None:
    releases = {
        "a": past("t1", None), "z": past("t2", None, before="a"), "b": past("t3", None, before="z"),
        "c": past("t4", 1, before="b"), "lost": past("t0", None),
    }  # fmt: skip
    assert chosen(3, live("c", "t4", before="b"), releases).collected == ("a", "lost")


def test_rollbacks_that_lead_in_a_circle_end() -> None:
    releases = {"a": past("t1", None, before="b"), "b": past("t2", None, before="a")}
    assert chosen(1, live("a", "t1", before="b"), releases).collected == ()


def test_what_was_collected_is_not_collected_again() -> None:
    releases = {"a": PastRelease(None, None, None, "2026-01-01"), "b": past("t2", 2)}
    assert chosen(1, live("b", "t2"), releases) == Choice(frozenset({"t2"}), ())


def test_a_release_that_cannot_be_read_keeps_everything() -> None:
    releases = {"a": PastRelease("{}", None, None), "b": past("t2", 2), "c": past("t3", 3)}
    assert choose(live("c", "t3"), releases, Keeping(1, AT_ONCE), NOW, NOW) is None


def test_what_was_replaced_lately_stays_until_its_time_is_over() -> None:
    ago = (NOW - NOON).total_seconds() / 3600
    releases = {"a": past("t1", ago - 3), "b": past("t2", ago - 2), "c": past("t3", ago - 0.5), "d": past("t4", ago)}
    found = chosen(1, live("d", "t4"), releases, timedelta(hours=1))
    assert found.collected == ("a",), "it was replaced two hours ago"
    assert found.again == NOW + timedelta(minutes=30)


def test_an_app_that_is_gone_keeps_its_releases_for_a_while() -> None:
    releases = {"a": past("t1", 1), "b": past("t2", 2)}
    gone = NOW - UNDEPLOYED
    late, early = (choose(None, releases, Keeping(1), NOW, since) for since in (gone, gone + timedelta(seconds=1)))
    assert late == Choice(frozenset(), ("a", "b"))
    assert early == Choice(frozenset({"t1", "t2"}), (), NOW + timedelta(seconds=1))
    assert choose(None, {}, Keeping(1), NOW, NOW) == Choice(frozenset(), ())


@given(
    templates=st.lists(st.sampled_from("stuvwxyz"), min_size=1, max_size=20),
    keep=st.integers(1, 5),
    back=st.integers(1, 19),
    grace=st.integers(0, 30),
)
def test_whatever_the_history(templates: list[str], keep: int, back: int, grace: int) -> None:
    start = NOW - timedelta(hours=len(templates))
    releases = {
        f"v{number}": replace(past(template), when=(start + timedelta(hours=number)).isoformat())
        for number, template in enumerate(templates)
    }
    before = f"v{len(templates) - 1 - back}" if back < len(templates) else None
    now_live = live(f"v{len(templates) - 1}", templates[-1], before)
    found = chosen(keep, now_live, releases, timedelta(hours=grace))
    gone = {templates[int(version[1:])] for version in found.collected}
    assert not gone & found.kept
    assert gone | found.kept == set(templates)
    assert {templates[-1], *([templates[int(before[1:])]] if before else [])} <= found.kept
    assert set(list(dict.fromkeys(templates[::-1]))[:keep]) <= found.kept


def published(version: int, stamp: str | None, *layers: str, code: str = "code") -> Published:
    variables = {"AUTO_LAMBDA_RELEASE": stamp} if stamp else {}
    return Published(str(version), layers, variables, code)


def numbers(found: list[Published]) -> list[str]:
    return [it.version for it in found]


def test_of_each_release_that_stays_the_newest_version_stays() -> None:
    found = [published(number, stamp) for number, stamp in enumerate("xyxyz", 1)]
    kept = {FunctionRelease("x", "code"), FunctionRelease("z", "code")}
    assert numbers(old_versions(found, {"5"}, kept)) == ["1", "2", "4"]


def test_releases_that_differ_in_their_code_alone_keep_a_version_each() -> None:
    found = [published(number, "x", code=code) for number, code in enumerate("abcb", 1)]
    kept = {FunctionRelease("x", "a"), FunctionRelease("x", "b")}
    assert numbers(old_versions(found, {"4"}, kept)) == ["2", "3"]


def test_versions_that_are_not_ours_stay() -> None:
    found = [Published("$LATEST", (), {"AUTO_LAMBDA_RELEASE": "x"}), published(1, None), Published("2", (), None)]
    assert old_versions(found, set(), set()) == []


def test_a_version_that_is_needed_stays_whatever_it_is() -> None:
    assert numbers(old_versions([published(9, "x"), published(10, "y")], {"9"}, set())) == ["10"]


def test_layers_that_a_version_has_stay() -> None:
    assert old_layers(["l:1", "l:2", "l:3"], {"l:2"}) == ["l:1", "l:3"]
