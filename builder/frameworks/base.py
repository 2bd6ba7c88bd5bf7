"""What a framework has to offer: turn a built source into a `Draft`. A third framework is one more file here."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from auto_lambda.model import FrameworkName, Say
from builder.model import Built, Draft


class Framework(Protocol):
    """A front end of the compiler."""

    name: FrameworkName

    def requirements(self, built_from: Path) -> tuple[str, ...]:
        """Requirements that the app in this root needs at run time even if its own manifest forgets them."""

    def compile(self, built: Built, work: Path, say: Say) -> Draft:
        """Compile in the sandbox. ``work`` is an empty writable folder that outlives the draft.

        Raises:
            AppError: whatever the uploader can fix.
        """
