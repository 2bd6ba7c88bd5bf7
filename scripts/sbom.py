#!/usr/bin/env python3
"""Write auto_lambda/locks/sbom.cdx.json: every package that our locks pin, as a CycloneDX bill of materials.

The JavaScript libraries of the console's page are in it too. It travels in the wheel (PEP 770) and in the machine
image. `make lock` runs this; the same locks and libraries give the same bytes.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from auto_lambda import __version__
from auto_lambda.tools import LOCKS

SBOM = LOCKS / "sbom.cdx.json"
LIBRARIES = Path(__file__).resolve().parents[1] / "auto_lambda_cli/console/page/libraries/libraries.json"
_PIN = re.compile(r"^([a-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE | re.IGNORECASE)
_OURS = PackageURL("pypi", name="auto-lambda", version=__version__)


def bill(locks: Iterable[Path], libraries: Path = LIBRARIES) -> str:
    """Return the bill of materials of locks and libraries; a component's property says what pins it."""
    pinned: dict[tuple[str, str], set[str]] = defaultdict(set)
    for lock in locks:
        for pin in _PIN.findall(lock.read_text()):
            pinned[pin].add(lock.stem)
    components = {pin: _component(*pin, names) for pin, names in pinned.items()}
    ours = Component(
        name="auto-lambda", version=__version__, type=ComponentType.APPLICATION, purl=_OURS, bom_ref=str(_OURS)
    )
    bundled = json.loads(libraries.read_text())["libraries"]
    bom = Bom(components=[*components.values(), *map(_library, bundled)])
    bom.metadata.timestamp = None  # type: ignore[assignment]  # which leaves it out
    bom.metadata.component = ours
    bom.register_dependency(ours, [components[pin] for pin, names in pinned.items() if "installation" in names])
    # The content decides, so that nothing changes if nothing has changed.
    content = "\n".join(f"{name} {version} {sorted(names)}" for (name, version), names in sorted(pinned.items()))
    content += "".join(f"\n{one['name']} {one['version']} {one['integrity']}" for one in bundled)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"{_OURS}\n{content}")
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _component(name: str, version: str, locks: Iterable[str]) -> Component:
    purl = PackageURL("pypi", name=name, version=version)
    properties = [Property(name="auto-lambda:lock", value=lock) for lock in sorted(locks)]
    return Component(name=name, version=version, purl=purl, bom_ref=str(purl), properties=properties)


def _library(one: Mapping[str, str]) -> Component:
    purl = PackageURL("npm", name=one["name"], version=one["version"])
    digest = base64.b64decode(one["integrity"].removeprefix("sha512-")).hex()
    return Component(
        name=one["name"], version=one["version"], purl=purl, bom_ref=str(purl),
        licenses=[DisjunctiveLicense(id=one["license"])], hashes=[HashType(alg=HashAlgorithm.SHA_512, content=digest)],
        properties=[Property(name="auto-lambda:bundled", value="console")],
    )  # fmt: skip


def main() -> int:
    """Write the file."""
    SBOM.write_text(bill(sorted(LOCKS.glob("*.txt"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
