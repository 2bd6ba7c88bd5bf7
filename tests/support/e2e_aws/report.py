"""The report of a run: written after each stage, so that it is there whatever ends the run, and says where to go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from e2e_aws.model import Finding

Status = Literal["passed", "failed", "not begun"]


@dataclass(slots=True)
class StageReport:
    """How a stage ended, and what it has found."""

    stage: str
    status: Status
    seconds: float = 0.0
    error: str = ""
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What is known of a run."""

    run: str
    account: str
    region: str
    version: str
    rehearsal: bool
    folder: Path
    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    ended: str | None = None
    stages: dict[str, StageReport] = field(default_factory=dict)
    left: list[str] | None = None

    @classmethod
    def read(cls, folder: Path) -> Report:
        """Read the report of a run that is continued."""
        told = json.loads((folder / "report.json").read_text())
        stages = {one["stage"]: _stage(one) for one in told["stages"]}
        plain = {name: told[name] for name in ("run", "account", "region", "version", "rehearsal", "began")}
        return cls(**plain, folder=folder, stages=stages)

    def add(self, stage: StageReport) -> None:
        """Add how a stage ended, in place of what an earlier try has left."""
        self.stages.pop(stage.stage, None)
        self.stages[stage.stage] = stage
        self.write()

    def passed(self, stage: str) -> bool:
        """Tell whether a stage has passed."""
        return stage in self.stages and self.stages[stage].status == "passed"

    @property
    def fine(self) -> bool:
        """Whether nothing failed, and nothing is left."""
        return all(one.status == "passed" for one in self.stages.values()) and not self.left

    def close(self, left: list[str] | None) -> None:
        """Say what is left in the account; None if nobody has looked."""
        self.left, self.ended = left, datetime.now(UTC).isoformat(timespec="seconds")
        self.write()

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        told: dict[str, Any] = {"schema": 1, "fine": self.fine}
        told |= {name: it for name, it in asdict(self).items() if name not in ("folder", "stages")}
        return {**told, "stages": [asdict(one) for one in self.stages.values()]}

    def write(self) -> None:
        """Write it for programs and for people."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "report.json").write_text(json.dumps(self.as_json(), indent=2) + "\n")
        (self.folder / "report.md").write_text("\n".join(self.lines()) + "\n")

    def lines(self) -> list[str]:
        """Return it for people, as Markdown."""
        where = "the embedded AWS (a rehearsal)" if self.rehearsal else f"account {self.account}, {self.region}"
        lines = [
            f"# {self.run}",
            "",
            f"Auto-Lambda {self.version} on {where}, from {self.began} to {self.ended or '...'}.",
        ]
        lines += ["", "| stage | | seconds |", "|---|---|---|"]
        lines += [f"| {one.stage} | {one.status} | {one.seconds:.0f} |" for one in self.stages.values()]
        for one in self.stages.values():
            lines += _told(one)
        if self.left is None:
            return [*lines, "", "Nobody has looked what is left in the account: `make e2e-aws-clean` does."]
        return [*lines, "", "## Left in the account", "", *(f"- {it}" for it in self.left or ["nothing"])]


def _told(stage: StageReport) -> list[str]:
    findings = [
        f"- **{one.question}**: {one.answer if one.answer is not None else f'not answered: {one.why}'}"
        for one in stage.findings
    ]
    error = ["", "```", stage.error, "```"] if stage.error else []
    return ["", f"## {stage.stage}", *error, "", *findings] if findings or error else []


def _stage(told: Mapping[str, Any]) -> StageReport:
    return StageReport(**{**told, "findings": [Finding(**one) for one in told["findings"]]})
