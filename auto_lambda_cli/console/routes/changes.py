"""What the page changes of an app: the same functions as behind the commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from auto_lambda.aws.s3 import ObjectMissing
from auto_lambda_cli.console.answers import in_parts
from auto_lambda_cli.console.context import ConsoleContext
from auto_lambda_cli.console.problems import Problem
from auto_lambda_cli.console.requests import PageRequest
from auto_lambda_cli.console.views import drop_json
from auto_lambda_cli.queries.configuration import BadConfiguration, DeploymentUnderWay, change
from auto_lambda_cli.queries.promotion import NoSuchApp, NothingToPromote, plan_promotion
from auto_lambda_cli.queries.promotion import promote as run_promotion
from auto_lambda_cli.queries.releases import NoSuchRelease
from auto_lambda_cli.queries.rollback import RollbackUnclear, roll_back

if TYPE_CHECKING:
    from worker.operations.approve import Approvals, Waiting

_CHOOSE = "Choose one in the list of releases."
_KEPT = "Versions of a zip are deleted by the bucket's lifecycle rules, or by hand. Drop the zip again."
_NAMES = 100  # variables that are changed at once


def rollback(context: ConsoleContext, asked: PageRequest) -> Any:
    """Make an earlier release live again."""
    with _problems():
        return {"drop": drop_json(roll_back(context.services, asked.app, asked.text("to")))}


def promote(context: ConsoleContext, asked: PageRequest) -> Any:
    """Make a release live in another stage."""
    with _problems():
        stage, release = asked.text("to") or "", asked.text("release")
        planned = plan_promotion(context.services, asked.app, stage, release)
        return {"drop": drop_json(run_promotion(context.services, planned))}


def configure(context: ConsoleContext, asked: PageRequest) -> Any:
    """Set and unset variables of an app's configuration."""
    values, unset, secret = asked.body.get("set", {}), asked.body.get("unset", []), asked.body.get("secret", False)
    texts = isinstance(values, dict) and all(isinstance(value, str) for value in values.values())
    if not texts or not isinstance(unset, list) or not all(isinstance(name, str) for name in unset):
        raise Problem("bad-request", "set has to be an object of texts, unset a list of names")
    if not 0 < len(values) + len(unset) <= _NAMES or not isinstance(secret, bool):
        raise Problem("bad-request", f"name 1 to {_NAMES} variables; secret has to be true or false")
    with _problems():
        try:
            changed = change(context.services, asked.app, values, unset, secret=secret)
        except ObjectMissing:
            told = "The values are changed, but the zip of what is live is not in the bucket any more."
            raise Problem("no-such-release", told, "They count from the next drop on.") from None
    return {"drop": drop_json(changed.drop) if changed.drop else None}


@contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except RollbackUnclear as error:
        raise Problem("nothing", str(error), _CHOOSE if error.live else None) from None
    except NothingToPromote as error:
        raise Problem("nothing", str(error), _CHOOSE) from None
    except NoSuchApp as error:
        raise Problem("no-such-app", str(error)) from None
    except NoSuchRelease as error:
        raise Problem("no-such-release", str(error), _CHOOSE) from None
    except ObjectMissing:
        raise Problem("no-such-release", "the zip of that release is not in the bucket any more", _KEPT) from None
    except BadConfiguration as error:
        raise Problem("bad-configuration", str(error)) from None
    except DeploymentUnderWay as error:
        raise Problem("under-way", str(error), "It can be done when the deployment has ended.") from None


def approval(context: ConsoleContext, asked: PageRequest) -> Any:
    """Tell which rights wait for an approval."""
    about = asked.app

    def told() -> dict[str, Any] | None:
        waiting = _with_approvals(context, lambda approvals, _: approvals.waiting(about))
        return _waiting_json(waiting) if waiting else None

    return in_parts({"approval": context.part(told)})


def approve(context: ConsoleContext, asked: PageRequest) -> Any:
    """Approve the rights that were shown, and no others."""
    about, shown = asked.app, asked.text("digest")

    def run(approvals: Approvals, by: str) -> dict[str, Any]:
        waiting = approvals.waiting(about)
        if waiting is None:
            raise Problem("nothing", f"no release of {about} waits for an approval")
        if waiting.digest != shown:
            raise Problem("changed", "Another release waits by now.", "Read what it would change, and decide again.")
        approvals.approve(waiting, by, context.now())
        return {"approved": {"release": waiting.upload.object_version, "by": by}}

    return _with_approvals(context, run)


def _with_approvals(context: ConsoleContext, run: Callable[[Approvals, str], Any]) -> Any:
    from auto_lambda_cli.queries.operations import approvals, caller

    by = caller(context.services)
    try:
        return run(approvals(context.services, context.setting, by), by)
    except ObjectMissing as error:
        raise Problem("nothing", f"the release that waits is not stored any more: {error}") from None


def _waiting_json(waiting: Waiting) -> dict[str, Any]:
    diff = waiting.diff
    return {
        "release": waiting.upload.object_version,
        "changes": diff.changes,
        "has": diff.has,
        "digest": waiting.digest,
    }
