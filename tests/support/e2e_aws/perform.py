"""Performs the stages of a run one after the other, writes the report, and leaves nothing behind."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence

from botocore.exceptions import ClientError

from e2e_aws.cleaning import clean
from e2e_aws.model import Finding, Stage, StageFailed
from e2e_aws.report import Report, StageReport
from e2e_aws.run import Run


def perform(run: Run, stages: Sequence[Stage], report: Report, *, keep: bool = False) -> bool:
    """Perform stages, and tell whether all of them passed and nothing is left.

    Args:
        run: the run.
        stages: in order, each after those that it needs.
        report: a fresh one, or that of the run that is continued.
        keep: whether to leave everything for a next run if a stage fails.
    """
    report.write()
    try:
        for stage in stages:
            if stage.again or not report.passed(stage.name):
                report.add(_performed(run, stage, report))
    finally:
        run.stop_worker()
        failed = any(one.status != "passed" for one in report.stages.values())
        if keep and failed:
            run.say(f"{run.name} is kept: go on with --resume {run.name}, or remove it with make e2e-aws-clean")
            report.close(None)
        else:
            report.close(clean(run))
    return report.fine


def _performed(run: Run, stage: Stage, report: Report) -> StageReport:
    if missing := [name for name in stage.needs if not report.passed(name)]:
        run.say(f"{stage.name}: not begun, since {', '.join(missing)} did not pass")
        return StageReport(stage.name, "not begun", error=f"needs {', '.join(missing)}")
    run.say(f"{stage.name}: {stage.title}")
    begun, findings = time.monotonic(), []
    try:
        for finding in stage.do(run):
            run.say(f"  {finding.question}: {finding.answer or f'not answered: {finding.why}'}")
            findings.append(finding)
        _complete(stage, findings)
    except (StageFailed, ClientError) as error:
        told = str(error)
    except Exception:
        told = traceback.format_exc()
    else:
        return StageReport(stage.name, "passed", time.monotonic() - begun, findings=findings)
    run.say(f"  FAILED: {told}")
    return StageReport(stage.name, "failed", time.monotonic() - begun, told, findings)


def _complete(stage: Stage, findings: Sequence[Finding]) -> None:
    found = {finding.question for finding in findings}
    if found != set(stage.questions):
        raise StageFailed(f"has found something about {sorted(found)}, not about {sorted(stage.questions)}")
