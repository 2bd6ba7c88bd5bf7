"""What uploaders say of a zip is read only as what it must be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.model import Commit

SHA = "9f2c1a7b" * 5


@pytest.mark.parametrize("repository", ["acme/shop", "https://git.acme.example/team/shop.git", "git@acme.example:shop"])
def test_a_commit_is_read_as_it_was_written(repository: str) -> None:
    commit = Commit(SHA, repository)
    assert Commit.told(commit.metadata()) == commit


@pytest.mark.parametrize(
    ("metadata", "known"),
    [
        ({}, None),
        ({"commit": SHA}, Commit(SHA, None)),
        ({"commit": "9f2c1a7"}, Commit("9f2c1a7", None)),
        ({"commit": "main"}, None),
        ({"commit": SHA + "\n"}, None),
        ({"commit": 9}, None),
        ({"commit": "../../user/keys", "repository": "acme/shop"}, Commit(None, "acme/shop")),
        ({"repository": "acme/shop?x=<script>"}, None),
        ({"repository": "acme/" + "a" * 300}, None),
    ],
)
def test_what_is_neither_hash_nor_repository_is_left_out(metadata: dict[str, object], known: Commit | None) -> None:
    assert Commit.told(metadata) == known


@given(st.dictionaries(st.sampled_from(["commit", "repository", "other"]), st.text() | st.integers() | st.none()))
def test_any_metadata_is_read(metadata: dict[str, object]) -> None:
    commit = Commit.told(metadata)
    assert commit is None or commit.metadata().items() <= metadata.items()
