"""The interface of a framework: it turns a built source into a `Draft`. A third framework is one more folder here."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from auto_lambda.model import BuildLog, FrameworkName
from builder.lint.lint import SettingNames
from builder.model import Built, Draft


class Framework(Protocol):
    """A front end of the compiler."""

    name: FrameworkName
    setting_names: SettingNames

    def requirements(self, built_from: Path) -> tuple[str, ...]:
        """Return what the app needs at run time even if its own manifest forgets it."""

    def compile(self, built: Built, work: Path, log: BuildLog) -> Draft:
        """Compile in the sandbox. ``work`` is an empty writable folder that outlives the draft.

        Raises:
            AppError: whatever the uploader can fix.
        """
