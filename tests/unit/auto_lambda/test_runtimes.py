from __future__ import annotations

from auto_lambda.runtimes import RUNTIMES, newest_first


def test_the_runtimes_are_in_order_and_each_ends_in_steps() -> None:
    assert list(RUNTIMES) == sorted(RUNTIMES, key=lambda minor: int(minor.split(".")[1]))
    for minor, runtime in RUNTIMES.items():
        assert runtime.identifier == f"python{minor}"
        assert runtime.deprecated < runtime.create_blocked < runtime.update_blocked


def test_only_what_lambda_offers_newest_first() -> None:
    assert newest_first(("3.9", "3.11", "3.13", "3.15")) == ("3.13", "3.11")
