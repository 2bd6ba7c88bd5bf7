"""Reviews the rights that a release asks for: what changed, what is not granted, and the grants that would allow it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from auto_lambda.errors import AppError, Code, first_lines
from auto_lambda.grants import Grants
from auto_lambda.keys import App
from auto_lambda.model import Template
from auto_lambda.namespace import Place
from worker.deploy.rights.decide import Rights
from worker.deploy.rights.never import not_granted, pipelines_own
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
        never: what of it no grant allows, with the reason.
        wide: what is for every resource of a kind.
        asked: all of them.
    """

    diff: PermissionDiff
    refused: tuple[Permission, ...]
    wide: tuple[Permission, ...]
    asked: tuple[Permission, ...] = ()
    never: Mapping[Permission, str] = field(default_factory=dict)

    @property
    def grantable(self) -> tuple[Permission, ...]:
        """What was refused and can be granted."""
        return tuple(one for one in self.refused if one not in self.never)


def review(
    app: App,
    template: Template,
    live: Template | None,
    grants: Grants,
    place: Place,
    pipelines: Iterable[str] = (),
) -> Review:
    """Review the rights that a template asks for.

    Args:
        app: whose.
        template: to be deployed.
        live: the template of the live release, None for a first deployment.
        grants: of the app.
        place: of the pipeline.
        pipelines: names of the pipeline's own resources, with wildcards.

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
    refused = not_granted(asked, rights, pipelines_own(pipelines, place))
    wide = tuple(one for one in asked if one.is_wide)
    never = {one: why for one, why in refused.items() if why}
    return Review(compare(asked, before), tuple(refused), wide, tuple(asked), never)


def require_granted(app: App, found: Review) -> None:
    """Return if everything that was asked for is granted.

    Raises:
        AppError: ``rights-not-granted``, with the grants that would allow it.
    """
    if not found.refused:
        return
    lines = first_lines(refused_lines(found), _SHOWN)
    raise AppError(
        Code.RIGHTS_NOT_GRANTED,
        "The app's roles ask for rights that are neither the app's own nor granted to it:\n" + "\n".join(lines),
        hint=_hint(app, found),
    )


def refused_lines(found: Review) -> list[str]:
    """Return what is refused as lines, first what nobody can be granted."""
    never = [f"{one}: nobody can be granted this, {why}" for one, why in found.never.items()]
    return [*never, *map(str, found.grantable)]


def needs_approval(app: App, found: Review) -> AppError:
    """Return the error of a release whose rights wait for an approval."""
    lines = first_lines(found.diff.widenings, _SHOWN)
    return AppError(
        Code.NEEDS_APPROVAL,
        "The app's roles could do more than before, which has to be approved in this stage:\n" + "\n".join(lines),
        hint=f"Ask the platform team to run `auto-lambda approve {app.name} --stage {app.stage}`: the release "
        "is stored, and goes on from there without a new drop.",
    )


def _hint(app: App, found: Review) -> str:
    if not found.grantable:
        return "Take it out of the app's policies: nobody can be granted this."
    command = f"auto-lambda grants set {app.name} --stage {app.stage} --merge -"
    grants = json.dumps(suggested(found.grantable), indent=2)
    if len(grants) > _SUGGESTED:
        return f"Ask for less, or ask the platform team for grants, too many to print here. `{command}` sets them."
    never = " and what nobody can be granted" if found.never else ""
    return (
        f"Take out of the app's policies what it does not need{never}. For the rest, the platform team may grant "
        f"exactly this, with `{command}`, then drop the zip again:\n{grants}"
    )
