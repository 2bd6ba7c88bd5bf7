"""Packer's machine-readable output: lines of ``time,target,type,data...``.

Source: Packer's documentation, "Machine-Readable Output". A comma in data comes as ``%!(PACKER_COMMA)``, a line break
as a backslash and an n. ``ui,error`` is whatever a provisioner wrote to standard error, so it does not
indicate failure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FINDING = re.compile(r"auto-lambda image: (?:FAILED \[(?P<code>[a-z0-9-]+)\]|PROBLEM) (?P<text>.*)")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: ``kind`` is Packer's type, ``data`` its decoded fields."""

    target: str
    kind: str
    data: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProvisioningProblem:
    """A problem that a provisioning step has found; ``code`` is "" for one of several of the validation."""

    code: str
    text: str


def parse(raw: str) -> Line | None:
    """Parse one line; None if it has another form (a Go panic, output of a plug-in)."""
    parts = raw.rstrip("\r\n").split(",")
    if len(parts) < 3 or not parts[0].isdigit():
        return None
    return Line(parts[1], parts[2], tuple(_decode(part) for part in parts[3:]))


def _decode(text: str) -> str:
    return text.replace("%!(PACKER_COMMA)", ",").replace("\\n", "\n").replace("\\r", "")


@dataclass(slots=True)
class Output:
    """Collects the output of a run of Packer.

    Attributes:
        images: image id by region.
        errors: Packer's own errors.
        findings: problems that our provisioning steps have found.
        text: everything that was shown, line by line.
    """

    images: dict[str, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    findings: list[ProvisioningProblem] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def take(self, raw: str) -> tuple[str, ...]:
        """Process one line, and return what to show of it."""
        line = parse(raw)
        if line is None:
            return self._shown(raw)
        if line.kind == "artifact" and line.data[1:2] == ("id",):
            for pair in line.data[2].split(","):
                region, _, image = pair.partition(":")
                self.images[region] = image
        elif line.kind == "error":
            self.errors += line.data
        return self._shown(line.data[-1]) if line.kind == "ui" and line.data else ()

    def _shown(self, text: str) -> tuple[str, ...]:
        plain = _ESCAPES.sub("", text)
        lines = tuple(one.rstrip() for one in plain.split("\n") if one.strip())
        self.text += lines
        for one in lines:
            if found := _FINDING.search(one):
                self.findings.append(ProvisioningProblem(found["code"] or "", found["text"]))
        return lines
