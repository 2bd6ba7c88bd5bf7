"""Finds the versions by which an earlier release is led to again."""

from __future__ import annotations

from auto_lambda.aws.lambda_ import Published
from auto_lambda.model import Template
from worker.bundle import pointers
from worker.bundle.literals import agrees
from worker.bundle.past_stack import settings
from worker.bundle.pointers import FunctionRelease
from worker.deploy.outlook import Standing
from worker.deploy.own_functions import OwnFunction
from worker.deploy.switch.versions import is_of, newest, same_but_for_layers


def earlier_versions(standing: Standing, wanted: Template) -> dict[str, str] | None:
    """Return the versions of a release that was live, by logical id; None unless all are there.

    The version that the stack says is live is the one, if it is of that release. Others of the same stamp and code may
    be somebody's who changed the function by hand and published it: these have other settings.

    Args:
        standing: the stack.
        wanted: the release.
    """
    own = {it.name: it for it in standing.functions}
    found = {}
    for name in pointers.functions(wanted):
        version = _version(own[name], standing.template, wanted) if name in own else None
        if version is None:
            return None
        found[name] = version
    return found


def _version(own: OwnFunction, live: Template, wanted: Template) -> str | None:
    release = pointers.release_of(wanted, own.name)
    if release is None:
        return None
    if own.released and is_of(own.released, release):
        return own.version
    return newest(it for it in own.versions if _fits(it, own, release, live, wanted))


def _fits(one: Published, own: OwnFunction, release: FunctionRelease, live: Template, wanted: Template) -> bool:
    if not (one.version.isdecimal() and is_of(one, release) and agrees(one.settings, wanted, own.name)):
        return False
    deployed = pointers.release_of(live, own.name)
    if not (own.released and deployed and is_of(own.released, deployed)):
        return True
    before, after = (it["Resources"][own.name]["Properties"] for it in (live, wanted))
    known = settings(before, after, own.released.settings)
    return known is None or same_but_for_layers(one.settings, known)
