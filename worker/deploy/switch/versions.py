"""Publishes the version of a function that a release has, if there is none, and compares versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from auto_lambda.aws.lambda_ import Functions, Published, State
from worker.bundle.pointers import RELEASE_VARIABLE, FunctionRelease, variables


class ChangedMeanwhile(Exception):
    """A function is not what its stack says: somebody changes it at the same time. Passes, once they have stopped."""


class ReleaseVersions:
    """The versions of functions by their release.

    Args:
        functions: Lambda.
    """

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def publish(self, function: str, release: FunctionRelease) -> str:
        """Return the version that is equal to what a function is now; publish it if there is none.

        Args:
            function: by name.
            release: what the function is of, as its stack says.

        Raises:
            ChangedMeanwhile: the function is of something else.
        """
        latest = self._functions.state(function)
        if latest is None or not is_of(latest, release):
            raise ChangedMeanwhile(f"{function} has other code or another release than its stack says")
        return self._newest(function, release, latest.settings) or self._functions.publish(function, latest)

    def is_latest(self, function: str, version: str) -> bool:
        """Tell whether a version is what a function is now, but for a layer that was made anew with equal content."""
        latest, published = self._functions.state(function), self._functions.state(f"{function}:{version}")
        if latest is None or published is None:
            return False
        return latest.code_sha256 == published.code_sha256 and same_settings(latest.settings, published.settings)

    def _newest(self, function: str, release: FunctionRelease, settings: Mapping[str, Any]) -> str | None:
        return newest(
            it
            for it in self._functions.versions.of_function(function)
            if it.version.isdecimal() and is_of(it, release) and it.settings == settings
        )


def newest(versions: Iterable[Published]) -> str | None:
    """Return the highest number of some published versions; None if there are none."""
    return max((it.version for it in versions), key=int, default=None)


def same_settings(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two configurations are the same, whatever the number of a layer's version.

    A stack that goes back to an earlier release makes its layer again, from the same zip.
    """
    return _comparable(one) == _comparable(other)


def same_but_for_layers(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two configurations are the same in all but their layers."""
    return {**one, "Layers": []} == {**other, "Layers": []}


def _comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    layers = [str(arn).rpartition(":")[0] for arn in settings.get("Layers") or []]
    return {**settings, "Layers": layers}


def is_of(one: State | Published, release: FunctionRelease) -> bool:
    """Tell whether a function or version is of a release, by its stamp and its code."""
    stamp = variables(one.settings).get(RELEASE_VARIABLE)
    return one.code_sha256 == release.code_sha256 and stamp == release.stamp
