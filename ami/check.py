"""Checking the template without AWS."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from ami import packages
from ami.packer import Packer, PackerCall, Show
from ami.problems import NotStarted


def check(packer: Packer, clone: Path, show: Show, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return everything that is wrong with the template or the list of packages, for both architectures.

    Raises:
        NotStarted: Packer's plug-ins could not be fetched.
    """
    problems = []
    try:
        packages.check(clone / "ami" / "packages.tsv", clone / "ami" / "dnf-known.txt")
    except NotStarted as error:
        problems.append(str(error))
    template = packer.template(clone / "ami")
    if packer.needs_init():
        returncode, output = packer.run(PackerCall("init", template), show, seconds=600)
        if returncode:
            raise NotStarted("packer init failed: " + "\n".join(output.text))
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as archive:
        for architecture in ("x86_64", "arm64"):
            given = {"architecture": architecture, "payload": archive.name, **variables}
            problems += _run(packer, PackerCall("validate", template, {"var": given}), f"{template}, {architecture}")
    problems += _run(packer, PackerCall("fmt", clone / "ami", {"check": True}), "not formatted as by `packer fmt`")
    return tuple(problems)


def _run(packer: Packer, call: PackerCall, name: str) -> list[str]:
    returncode, output = packer.run(call, lambda _: None, seconds=120)
    return [f"{name}:\n" + "\n".join((*output.text, *output.errors))] if returncode else []
