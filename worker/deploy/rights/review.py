"""Reviews the rights that a release asks for: what changed, what is not granted, and the grants that would allow it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from auto_lambda.errors import AppError, Code, first_lines
from auto_lambda.grants import Grants
from auto_lambda.keys import App
from auto_lambda.model import Template
from auto_lambda.namespace import Place
from worker.deploy.rights.decide import Rights
from worker.deploy.rights.permissions import (
    Permission,
    PermissionDiff,
    TooManyPermissions,
    compare,
    permissions_of,
)
from worker.deploy.rights.suggest import suggested

_SHOWN = 20
_SUGGESTED = 8_000  # characters of the grants in a hint


@dataclass(frozen=True, slots=True)
class Review:
    """The rights that a release asks for.

    Attributes:
        diff: its permissions, and the changes since the live release.
        refused: what neither the app's namespace nor its grants cover.
        wide: what is for every resource of a kind.
        asked: all of them.
    """

    diff: PermissionDiff
    refused: tuple[Permission, ...]
    wide: tuple[Permission, ...]
    asked: tuple[Permission, ...] = ()


def review(app: App, template: Template, live: Template | None, grants: Grants, place: Place) -> Review:
    """Review the rights that a template asks for.

    Args:
        app: whose.
        template: to be deployed.
        live: the template of the live release, None for a first deployment.
        grants: of the app.
        place: of the pipeline.

    Raises:
        AppError: it asks for more than can be listed.
    """
    try:
        asked = permissions_of(template, place)
        before = permissions_of(live, place) if live else ()
    except (AttributeError, TypeError, TooManyPermissions) as error:
        raise AppError(
            Code.TEMPLATE_REFUSED,
            f"What the app compiled to may not be deployed: its roles cannot be read: {error}",
            hint="Write the policies of the app as lists of statements, with the actions that the app needs.",
        ) from error
    rights = Rights(app, place, grants, template)
    refused = tuple(one for one in asked if not rights.allow(one))
    wide = tuple(one for one in asked if one.is_wide)
    return Review(compare(asked, before), refused, wide, tuple(asked))


def require_granted(app: App, found: Review) -> None:
    """Return if everything that was asked for is granted.

    Raises:
        AppError: ``rights-not-granted``, with the grants that would allow it.
    """
    if not found.refused:
        return
    lines = first_lines([str(one) for one in found.refused], _SHOWN)
    raise AppError(
        Code.RIGHTS_NOT_GRANTED,
        "The app's roles ask for rights that are neither the app's own nor granted to it:\n" + "\n".join(lines),
        hint=_hint(app, found.refused),
    )


def needs_approval(app: App, found: Review) -> AppError:
    """Return the error of a release whose rights wait for an approval."""
    lines = first_lines(found.diff.widenings, _SHOWN)
    return AppError(
        Code.NEEDS_APPROVAL,
        "The app's roles could do more than before, which has to be approved in this stage:\n" + "\n".join(lines),
        hint=f"Ask the platform team to run `auto-lambda approve {app.name} --stage {app.stage}`: the release "
        "is stored, and goes on from there without a new drop.",
    )


def _hint(app: App, refused: Iterable[Permission]) -> str:
    command = f"auto-lambda grants set {app.name} --stage {app.stage} --merge -"
    grants = json.dumps(suggested(refused), indent=2)
    if len(grants) > _SUGGESTED:
        return f"Ask for less, or ask the platform team for grants, too many to print here. `{command}` sets them."
    return (
        "Take out of the app's policies what it does not need. For the rest, the platform team may grant exactly this, "
        f"with `{command}`, then drop the zip again:\n{grants}"
    )
