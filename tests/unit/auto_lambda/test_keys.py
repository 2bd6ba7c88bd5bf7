from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda import keys
from auto_lambda.keys import (
    ROLLBACK,
    App,
    BadKey,
    approval_key,
    log_key,
    parse,
    receipt_key,
    upload_key,
    wanted_release,
)

WORDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True)


@given(stage=WORDS, name=WORDS)
def test_a_key_names_one_app_and_an_app_one_key(stage: str, name: str) -> None:
    app = App(stage, name)
    assert parse(app.key) == app
    assert parse(f"apps/{name}.zip") == App("dev", name)


@given(st.text(max_size=60) | st.text("apszi/.-_ é", max_size=30))
def test_any_other_key_is_refused_or_round_trips(key: str) -> None:
    try:
        app = parse(key)
    except BadKey:
        return
    assert key in (app.key, f"apps/{app.name}.zip")


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("apps/Shop.zip", "name"),
        ("apps/my shop.zip", "name"),
        ("apps/shop\n.zip", "name"),
        ("apps/prod_/shop.zip", "stage"),
        ("apps/-dev/shop.zip", "stage"),
        ("apps/.zip", "name"),
        ("apps//shop.zip", "stage"),
        ("apps/dev/", "apps/<name>.zip"),
        ("apps/shöp.zip", "name"),
        ("apps/" + "x" * 41 + ".zip", "name"),
        ("apps/a/b/c.zip", "nested"),
        ("other/shop.zip", "apps/<name>.zip"),
        ("apps/shop.ZIP", "apps/<name>.zip"),
    ],
)
def test_a_bad_key_is_refused_with_the_wrong_part_named(key: str, named: str) -> None:
    with pytest.raises(BadKey, match=named):
        parse(key)


@pytest.mark.parametrize(
    ("name", "better"), [("my_app", "my-app"), ("My Shop", "my-shop"), ("Shöp!", "shop"), ("x" * 50, "x" * 40),
     ("al_shop", "shop"), ("AL-AL-shop", "shop"), ("al-shop", "shop")],
)  # fmt: skip
def test_a_refused_name_comes_with_one_that_works(name: str, better: str) -> None:
    with pytest.raises(BadKey, match=f"for example '{better}'"):
        App("dev", name)
    assert App("dev", better)


@given(st.text(max_size=60))
def test_whatever_a_name_is_the_one_that_is_proposed_works(text: str) -> None:
    for part in ("name", "stage"):
        try:
            App(**{"name": "shop", "stage": "dev", part: text})
        except BadKey as error:
            if proposed := re.search(r"for example '([a-z0-9-]*)'$", str(error)):
                App(**{"name": "shop", "stage": "dev", part: proposed[1]})


def test_what_lies_beside_an_upload() -> None:
    assert receipt_key("apps/dev/shop.zip") == "apps/dev/shop.receipt.json"
    assert log_key("apps/dev/shop.zip") == "apps/dev/shop.log"
    assert receipt_key("apps/My Shop.zip") == "apps/My Shop.receipt.json"


@pytest.mark.parametrize(
    "key", ["apps/shop.zip", "apps/dev/shop.zip.zip", "apps/shop.ZIP", "apps/shop.tar.gz", "apps/shop.zip.ZIP", "x.zip"]
)
def test_a_receipt_leads_back_to_its_upload(key: str) -> None:
    assert upload_key(receipt_key(key)) == key


def test_names_in_aws() -> None:
    app = App("prod", "shop")
    assert (app.stack, app.function, str(app)) == ("al-shop-prod", "shop-prod", "prod/shop")


def test_apps_of_different_stages_never_share_a_stack_by_accident_of_hyphens() -> None:
    """Known: names may hold hyphens, so two pairs can meet; the deployment checks whose a stack is."""
    assert App("c", "a-b").stack == App("b-c", "a").stack


@pytest.mark.parametrize(
    "key", ["apps/al-shop.zip", "apps/prod/al-shop.zip", "apps/al-.zip", "apps/al.zip", "apps/shop-dev/al.zip"]
)
def test_no_app_is_called_like_the_stack_of_another(key: str) -> None:
    with pytest.raises(BadKey, match="stacks begin with 'al-'"):
        parse(key)


@pytest.mark.parametrize("version", ["3HL4kqtJvjVBH40N", "null", "a" * 100, "b1c2d3e4-0000-4000-8000-000000000000"])
def test_a_rollback_is_asked_for_by_a_version(version: str) -> None:
    assert wanted_release({ROLLBACK: version, "commit": "abc"}) == version


@pytest.mark.parametrize("text", ["", "a" * 101, "two words", "\x1b[31m", "a\nb", "\u202eabc", "<script>"])
def test_what_is_no_version_asks_for_no_rollback(text: str) -> None:
    assert wanted_release({ROLLBACK: text}) is None
    assert wanted_release({}) is None


def test_no_app_can_own_the_flex_stack_of_another() -> None:
    for app in (App("dev", "shop"), App("dev", "flex-shop"), App("shop-dev", "flex")):
        assert app.flex_stack not in {App("dev", "shop").stack, App("dev", "flex-shop").stack}
    assert App("dev", "shop").flex_stack == "al-Flex-shop-dev"
    with pytest.raises(BadKey):
        App("shop-dev", "Flex")


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("dev@v1", keys.Promotion(keys.App("dev", "shop"), "v1")),
        *((told, None) for told in ("", "dev", "dev@", "@v1", "Dev@v1", "../x@v1", "dev@v 1")),
    ],
)
def test_a_promotion_names_a_stage_and_a_version_of_the_same_app(told: str, found: keys.Promotion | None) -> None:
    assert keys.promotion(keys.App("prod", "shop"), {keys.PROMOTION: told}) == found
    if found:
        assert str(found) == told


def test_the_approvals_of_an_app_lie_where_workers_cannot_write() -> None:
    assert approval_key(App("prod", "shop"), "ab12") == "grants/prod/shop.approvals/ab12.json"
