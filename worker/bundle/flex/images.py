"""Pin the images of tasks: by the digests in ``images.json``, which ``make images`` asks their registries for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).with_name("images.json")


def digests(file: Path = FILE) -> Mapping[str, str]:
    """Return the digests that are known, by image and tag."""
    known: Mapping[str, str] = json.loads(file.read_text("utf-8"))["digests"]
    return known


def pinned(image: str, known: Mapping[str, str]) -> str:
    """Return an image by its digest, if that is known; one that has a digest already, or is unknown, as it is."""
    return f"{image.rpartition(':')[0]}@{known[image]}" if image in known else image


def is_pinned(image: str) -> bool:
    """Tell whether an image will always be the same one."""
    return "@sha256:" in image
