"""The gate that every deployment passes: first what a template may contain, then how it is wired."""

from __future__ import annotations

from collections.abc import Iterator

from auto_lambda.errors import AppError, Code, first_lines
from worker.deploy.gate import allow_list, domains, ownership, quotas, tags, urls, wiring
from worker.deploy.gate.access import AppAccess
from worker.deploy.gate.namespace import Namespace
from worker.deploy.gate.template import TemplateView, Violation
from worker.model import Bundle, DeployTarget

_SHOWN = 10


def pass_gate(bundle: Bundle, target: DeployTarget, access: AppAccess | None = None) -> None:
    """Return if the bundle may be deployed.

    Args:
        bundle: what is to be deployed.
        target: the buckets and the boundary that it must name.
        access: what the app may have; by default what an app has without grants in an open pipeline.

    Raises:
        AppError: it may not; the message names each resource and what is wrong with it.
    """
    access = access or AppAccess(bundle.app)
    try:
        found = list(allow_list.problems(bundle.template))
        view = TemplateView(bundle.template["Resources"])
        found = found or [
            *quotas.problems(view, access.quotas, access.grants.quotas),
            *ownership.problems(view, access, target, bundle.notifications),
            *domains.problems(view, access, target),
            *_alarms(bundle, Namespace(access, target, view)),
            *wiring.problems(bundle.template, access.target(target), bundle.notifications),
        ]
        found += urls.problems(bundle.template)
        found += tags.problems(bundle.template)
        reasons = [str(problem) for problem in dict.fromkeys(found)]
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        # What cannot be read is refused: untrusted code may have put anything anywhere.
        reasons = [f"it cannot be read ({type(error).__name__}: {error})"]
    reasons += _own_buckets(bundle, target)
    if reasons:
        raise AppError(
            Code.TEMPLATE_REFUSED,
            "What the app compiled to may not be deployed:\n" + "\n".join(first_lines(reasons, _SHOWN)),
            hint="Take out of the app or its settings what the lines name; the error reference lists what is allowed.",
        )


def _alarms(bundle: Bundle, namespace: Namespace) -> Iterator[Violation]:
    """Yield every alarm of ``[traffic]`` whose state the app may not learn, or that the worker cannot read."""
    for arn in bundle.traffic.alarms if bundle.traffic else ():
        if arn.split(":")[3] != namespace.target.region or not namespace.in_account(arn):
            yield Violation("[traffic]", f"the alarm {arn} is in another region or account")
        elif not namespace.may_point_at(arn, ("alarms",)):
            whose = namespace.whose(arn)
            yield Violation("[traffic]", f"the alarm {arn}, {whose}; ask the platform team for grants: alarms")


def _own_buckets(bundle: Bundle, target: DeployTarget) -> list[str]:
    reserved = {target.artifacts_bucket, target.uploads_bucket}
    return [
        f"{item.function}: bucket {item.bucket} belongs to the pipeline, and no app may subscribe to it"
        for item in bundle.notifications
        if item.bucket in reserved
    ]
