"""Write worker/bundle/flex/images.json: the digests of AWS's images, which tasks on Fargate run.

Asks the registry of each image what its tag holds today, without downloading anything: ``make images``. It changes
nothing unless all of them could be asked. Other images than AWS's: ``scripts/task_images.py IMAGE:{python} ...``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "apps"))

from ecs_updater.chalicelib.http import Unreachable
from ecs_updater.chalicelib.images import Image
from ecs_updater.chalicelib.registries import HttpRegistry, NoSuch

from auto_lambda.runtimes import RUNTIMES
from worker.bundle.flex.images import FILE
from worker.model import FlexTarget


def names(patterns: Sequence[str]) -> list[str]:
    """Return the images for every Python version of Lambda."""
    return [pattern.replace("{python}", minor) for pattern in patterns for minor in RUNTIMES]


def digest(image: str, scheme: str = "https") -> str:
    """Ask an image's registry for the digest of its tag, which is that of all architectures.

    Raises:
        NoSuch, Unreachable: there is no such tag, or nobody answers.
    """
    named = Image.parse(image)
    return HttpRegistry(named.registry, None, scheme).digest(named, named.tag or "latest")


def table(patterns: Sequence[str], ask: Callable[[str], str] = digest) -> str:
    """Return the file."""
    found = {image: ask(image) for image in names(patterns)}
    source = "each image's own registry; `make images` asks again"
    today = datetime.now(UTC).date().isoformat()
    return json.dumps({"source": source, "as_of": today, "digests": found}, indent=2) + "\n"


def main(patterns: Sequence[str], ask: Callable[[str], str] = digest, file: Path = FILE) -> int:
    """Write the file and return the exit code."""
    try:
        file.write_text(table(patterns or [FlexTarget().image], ask), encoding="utf-8")
    except (NoSuch, Unreachable) as error:
        print(f"{file.name} stays as it is: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
