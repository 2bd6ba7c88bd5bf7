"""What is asked of the package indexes for a manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.dependencies.manifests import Manifest
from builder.dependencies.requirement_lines import Local
from builder.dependencies.uv import BuildTarget

IN_LAMBDA = ("boto3", "botocore", "s3transfer", "jmespath")
"""Lambda's Python runtimes have them. All are shipped as soon as the app itself asks for one: versions must fit."""

SETTLED_FIRST = frozenset({"chalice", "zappa"})
"""uv settles what is named earlier before the rest. Frameworks need one release of boto3 out of a thousand: named after
pandas, zappa had uv try hundreds of them (14 s), and named before it, hardly any (1.4 s), with the same lock."""

INSTALLERS = ("pip", "wheel")
"""Frameworks depend on them for their command line; on Lambda nothing is installed."""

RUNTIME_NEEDS: Mapping[str, tuple[str, ...]] = {"chalice": (), "zappa": ("durationpy", "werkzeug")}
"""What those modules of the frameworks import that run on Lambda (``chalice.app``; zappa's handler, tasks), beside what
Lambda has: uv takes it for all that they depend on, as the rest is for their command lines."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the package indexes.

    Attributes:
        requirements: a requirements file.
        constraints: a constraints file.
        shown: the manifest's name for messages.
        complete: nothing else is needed than what is listed.
        prerelease: versions before a release are taken, too.
        left_out: names that the lock leaves out.
        needs: all that some distributions depend on, whatever their own metadata says.
    """

    requirements: str
    constraints: str
    shown: str | None
    complete: bool
    prerelease: bool
    left_out: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def configuration(self) -> str:
        """The uv.toml that goes with its arguments."""
        tables = (
            f"[[dependency-metadata]]\nname = {json.dumps(name)}\nrequires-dist = {json.dumps(needs)}\n"
            for name, needs in self.needs.items()
        )
        return "\n".join(tables)

    def arguments(self, target: BuildTarget) -> tuple[str, ...]:
        """Return the call of uv that answers it, in a folder with ``requirements.in`` and ``constraints.in``."""
        return (
            "pip", "compile", "--quiet", "requirements.in", "--constraints", "constraints.in", "--output-file",
            "lock.txt", "--generate-hashes", "--emit-build-options", "--no-annotate", "--no-header", "--no-sources",
            "--no-strip-extras", "--python-platform", target.platform, "--config-file", "uv.toml",
            *(("--no-deps",) if self.complete else ()),
            *(("--prerelease", "allow") if self.prerelease else ()),
            *(word for name in self.left_out for word in ("--no-emit-package", name)),
        )  # fmt: skip


def make_question(manifest: Manifest, local: tuple[Local, ...]) -> Question:
    """Return what a manifest asks, with copies of the local projects in place of its own."""
    asked = _settled_first(manifest.lines.requirements)
    lines = [*manifest.lines.options, *asked, *(f"{one.path}{one.suffix}" for one in local)]
    left_out = [*(() if set(IN_LAMBDA) & manifest.direct else IN_LAMBDA), *(set(INSTALLERS) - manifest.direct)]
    return Question(
        requirements="\n".join(lines) + "\n",
        constraints="\n".join(manifest.lines.constraints) + "\n",
        shown=manifest.shown,
        complete=manifest.complete,
        prerelease=manifest.lines.prerelease,
        left_out=tuple(sorted(left_out)),
        needs=RUNTIME_NEEDS,
    )


def question_of(inputs: Mapping[str, Any]) -> Question:
    """Return the question of an action's inputs."""
    asked = inputs["question"]
    needs = {name: tuple(one) for name, one in asked["needs"].items()}
    return Question(**{**asked, "left_out": tuple(asked["left_out"]), "needs": needs})


def _settled_first(requirements: tuple[str, ...]) -> list[str]:
    return sorted(requirements, key=lambda line: canonicalize_name(Requirement(line).name) not in SETTLED_FIRST)
