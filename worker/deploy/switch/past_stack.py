"""Makes the versions of a release past the stack where only code and plain settings change: the stack follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from auto_lambda.aws.lambda_ import Functions, Published, State
from auto_lambda.model import BuildLog, Template
from worker.bundle import pointers
from worker.bundle.literals import agrees
from worker.bundle.past_stack import SETTINGS, needs_nothing_new, same_layers, settings
from worker.bundle.pointers import FunctionRelease
from worker.deploy.outlook import Standing
from worker.deploy.own_functions import OwnFunction
from worker.deploy.switch.versions import ChangedMeanwhile, is_of, newest, same_but_for_layers, same_settings


@dataclass(frozen=True, slots=True)
class _Target:
    """What a function should become.

    Attributes:
        own: as it is.
        release: by which a version of it is known.
        code: bucket and key.
        settings: all of them, with the layers that it has.
        version: that it has already; None if it has to be made.
    """

    own: OwnFunction
    release: FunctionRelease
    code: Mapping[str, str]
    settings: Mapping[str, Any]
    version: str | None


class PastStack:
    """Makes versions by calls to Lambda alone.

    What a reference in the stack's template stands for is read from the version that is live, so this is for functions
    that are of the release that their stack has. Where anything else differs, the stack goes first.

    Args:
        functions: Lambda.
    """

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def versions(self, standing: Standing, wanted: Template, log: BuildLog) -> dict[str, str] | None:
        """Return a version of each function of a release, by logical id; make those that there are not.

        Args:
            standing: the stack.
            wanted: the release.
            log: takes what is done.

        Returns:
            None if the stack has to go first. Then ``$LATEST`` may be of neither release.

        Raises:
            ChangedMeanwhile: somebody changes a function at the same time.
        """
        if not needs_nothing_new(standing.template, wanted):
            return None
        try:
            targets = _targets(standing, wanted)
            return {one.own.name: self._version(one, log) for one in targets} if targets else None
        except ClientError as error:  # CloudFormation tells the uploader why
            log(f"past the stack it cannot be done: {error}")
            return None

    def _version(self, one: _Target, log: BuildLog) -> str:
        own, code = one.own, one.code
        if one.version:
            log(f"{own.name}: version {one.version} is of this release")
            return one.version
        latest = own.latest if own.latest and own.latest.settled else self._functions.settled(own.function)
        if drifted := _drifted(latest, own.released):
            log(f"{', '.join(drifted)} of {own.name} is not the released one; it is replaced")
        changed = {name: one.settings[name] for name in sorted(SETTINGS) if latest.settings[name] != one.settings[name]}
        log(f"{own.name}: {', '.join(['Code', *changed])} set past the stack, which follows")
        made = self._functions.configure(own.function, changed, latest) if changed else latest
        if made.code_sha256 == one.release.code_sha256:
            version = self._functions.publish(own.function, made)
        else:
            version, made = self._functions.publish_code(own.function, code["S3Bucket"], code["S3Key"], made)
        if not (is_of(made, one.release) and same_settings(made.settings, one.settings)):
            raise ChangedMeanwhile(f"{own.function} has other code or settings than it was given")
        return version


def _targets(standing: Standing, wanted: Template) -> list[_Target] | None:
    """Return what each function should become; None if that of one is not known."""
    said = pointers.versions(standing.stack.parameters)
    own = {it.name: it for it in standing.functions if said.get(it.name) == it.version}
    found = []
    for name in pointers.functions(wanted):
        target = _target(own[name], standing.template, wanted) if name in own else None
        if target is None:
            return None
        found.append(target)
    return found


def _target(own: OwnFunction, live: Template, wanted: Template) -> _Target | None:
    release, deployed = pointers.release_of(wanted, own.name), pointers.release_of(live, own.name)
    if not (release and deployed and own.latest and own.released and is_of(own.released, deployed)):
        return None
    before, after = (one["Resources"][own.name]["Properties"] for one in (live, wanted))
    known = settings(before, after, own.released.settings)
    if known is None:
        return None
    equal = [one for one in own.versions if _equal(one, release, known) and agrees(one.settings, wanted, own.name)]
    if not equal and not (same_layers(before, after) and _only_settings_differ(own.latest, known)):
        return None
    return _Target(own, release, after["Code"], known, newest(equal))


def _only_settings_differ(latest: State, known: Mapping[str, Any]) -> bool:
    """Tell whether a function can become what it should by the calls that are made here."""
    return same_settings(*({**it, **dict.fromkeys(SETTINGS)} for it in (latest.settings, known)))


def _drifted(latest: State, released: Published | None) -> list[str]:
    """Name what was changed by hand, or by a worker that got no further."""
    if released is None:
        return []
    code = ["the code"] if latest.code_sha256 != released.code_sha256 else []
    return code + [name for name in sorted(SETTINGS) if latest.settings[name] != released.settings[name]]


def _equal(version: Published, release: FunctionRelease, known: Mapping[str, Any]) -> bool:
    """Tell whether a version is of a release, and refers to what the stack has; of layers, the template says all."""
    return version.version.isdecimal() and is_of(version, release) and same_but_for_layers(version.settings, known)
