#!/usr/bin/env python3
"""Write auto_lambda/locks/sbom.cdx.json: every package that our locks pin, as a CycloneDX bill of materials.

It travels in the wheel (PEP 770) and in the machine image. `make lock` runs this; the same locks give the same bytes.
"""

from __future__ import annotations

import re
import sys
import uuid
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from auto_lambda import __version__
from auto_lambda.tools import LOCKS

SBOM = LOCKS / "sbom.cdx.json"
_PIN = re.compile(r"^([a-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE | re.IGNORECASE)
_OURS = PackageURL("pypi", name="auto-lambda", version=__version__)


def bill(locks: Iterable[Path]) -> str:
    """Return the bill of materials of these locks; a component's property says which locks pin it."""
    pinned: dict[tuple[str, str], set[str]] = defaultdict(set)
    for lock in locks:
        for pin in _PIN.findall(lock.read_text()):
            pinned[pin].add(lock.stem)
    components = {pin: _component(*pin, names) for pin, names in pinned.items()}
    ours = Component(
        name="auto-lambda", version=__version__, type=ComponentType.APPLICATION, purl=_OURS, bom_ref=str(_OURS)
    )
    bom = Bom(components=components.values())
    bom.metadata.timestamp = None  # type: ignore[assignment]  # which leaves it out
    bom.metadata.component = ours
    bom.register_dependency(ours, [components[pin] for pin, names in pinned.items() if "installation" in names])
    # The content decides, so that nothing changes if nothing has changed.
    content = "\n".join(f"{name} {version} {sorted(names)}" for (name, version), names in sorted(pinned.items()))
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"{_OURS}\n{content}")
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _component(name: str, version: str, locks: Iterable[str]) -> Component:
    purl = PackageURL("pypi", name=name, version=version)
    properties = [Property(name="auto-lambda:lock", value=lock) for lock in sorted(locks)]
    return Component(name=name, version=version, purl=purl, bom_ref=str(purl), properties=properties)


def main() -> int:
    """Write the file."""
    SBOM.write_text(bill(sorted(LOCKS.glob("*.txt"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
