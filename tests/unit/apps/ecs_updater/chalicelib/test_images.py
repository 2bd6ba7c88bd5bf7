"""How images are named, and which tag a pattern chooses."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta

import pytest
from ecs_updater.chalicelib.images import BadName, Follow, Image, Tag
from hypothesis import given
from hypothesis import strategies as st

DIGEST = "sha256:" + "a" * 64
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
LABEL = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)


@pytest.mark.parametrize(
    ("written", "name", "tag", "digest"),
    [
        ("nginx", "docker.io/library/nginx", "latest", None),
        ("nginx:1.27", "docker.io/library/nginx", "1.27", None),
        ("library/nginx", "docker.io/library/nginx", "latest", None),
        ("acme/shop:2", "docker.io/acme/shop", "2", None),
        ("docker.io/acme/shop:2", "docker.io/acme/shop", "2", None),
        ("index.docker.io/nginx", "docker.io/library/nginx", "latest", None),
        ("registry-1.docker.io/acme/shop", "docker.io/acme/shop", "latest", None),
        ("ghcr.io/acme/deep/shop:v1", "ghcr.io/acme/deep/shop", "v1", None),
        ("localhost/shop", "localhost/shop", "latest", None),
        ("127.0.0.1:5000/shop:1", "127.0.0.1:5000/shop", "1", None),
        ("host:5000/shop", "host:5000/shop", "latest", None),
        (f"acme/shop@{DIGEST}", "docker.io/acme/shop", None, DIGEST),
        (f"acme/shop:1@{DIGEST}", "docker.io/acme/shop", "1", DIGEST),
        (f"{ECR}/shop:1", f"{ECR}/shop", "1", None),
    ],
)  # fmt: skip
def test_every_spelling_of_an_image_is_understood(written: str, name: str, tag: str | None, digest: str | None) -> None:
    image = Image.parse(written)
    assert (image.name, image.tag, image.digest) == (name, tag, digest)


@pytest.mark.parametrize(
    "written",
    ["", ":1", "Acme/Shop", "acme//shop", "acme/shop:", "acme/shop@sha256:12", "a b", "https://ghcr.io/x", "x:-"],
)
def test_what_is_no_image_is_refused(written: str) -> None:
    with pytest.raises(BadName):
        Image.parse(written)


def test_another_tag_keeps_the_spelling() -> None:
    assert Image.parse("acme/shop:1").with_tag("2") == "acme/shop:2"
    assert Image.parse("docker.io/acme/shop:1").with_tag("2") == "docker.io/acme/shop:2"
    assert Image.parse(f"h:5000/shop@{DIGEST}").with_tag("2") == "h:5000/shop:2"
    assert Image.parse("nginx").with_digest(DIGEST) == f"nginx@{DIGEST}"


@given(st.lists(LABEL, min_size=1, max_size=3), LABEL)
def test_naming_a_tag_and_reading_it_again_gives_the_same_image(parts: list[str], tag: str) -> None:
    image = Image.parse("/".join(parts))
    again = Image.parse(image.with_tag(tag))
    assert (again.name, again.spelled, again.tag) == (image.name, image.spelled, tag)


TAGS = ["1.0.0", "1.2.0", "1.10.0", "2.0.0", "1.11.0-alpine", "1.12.0-rc1", "v1.3.0", "1.2", "1", "latest", "main"]


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("main", "main"),
        ("gone", None),
        ("1.x", "1.10.0"),
        ("1.2.x", "1.2.0"),
        ("x", "2.0.0"),
        ("3.x", None),
        ("v1.x", "v1.3.0"),
        ("1.x-alpine", "1.11.0-alpine"),
        ("1.2+", "1.10.0"),
        ("1.11+", None),
        ("2.0.0+", "2.0.0"),
    ],
)
def test_a_pattern_chooses_the_highest_release_within_it(pattern: str, chosen: str | None) -> None:
    found = Follow.parse(f"acme/shop:{pattern}").choose(map(Tag, TAGS))
    assert (found and found.name) == chosen


@pytest.mark.parametrize("pattern", ["any", "*"])
def test_any_chooses_what_was_pushed_last(pattern: str) -> None:
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    pushed = [Tag(name, noon + timedelta(hours=hour)) for name, hour in (("b", 1), ("c", 2), ("a", 0), ("latest", 3))]
    found = Follow.parse(f"acme/shop:{pattern}").choose(pushed)
    assert found
    assert found.name == "c"


@given(st.lists(st.tuples(*[st.integers(0, 20)] * 3), min_size=1))
def test_versions_are_compared_as_numbers(versions: list[tuple[int, int, int]]) -> None:
    found = Follow.parse("acme/shop:x").choose(Tag(".".join(map(str, version))) for version in versions)
    assert found
    assert tuple(map(int, found.name.split("."))) == max(versions)


@pytest.mark.parametrize("written", ["acme/shop", "acme/shop:^1.2", "acme/shop:", "host:5000/shop", "acme/shop:a b"])
def test_what_is_no_pattern_is_refused_and_named(written: str) -> None:
    with pytest.raises(BadName, match=re.escape(written.split(":")[0])):
        Follow.parse(written)


@given(st.text(max_size=30))
def test_no_text_breaks_the_readers(text: str) -> None:
    for read in (Image.parse, Follow.parse):
        with contextlib.suppress(BadName):
            assert read(text) == read(text)
