"""The interface of a framework: it turns a built source into a `Draft`. A third framework is one more folder here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from auto_lambda.errors import AppError
from auto_lambda.keys import App
from auto_lambda.model import BuildLog, FrameworkName
from builder.lint.lint import SettingNames
from builder.model import Built, Draft, Foreseen, Options

INSIDE = Path(__file__).with_name("inside")
"""What the frameworks' own scripts share in the sandbox."""

Ahead = Callable[[Path, Foreseen | None], None]
"""Takes, once, the folder that will hold a draft's code, and if that is complete a function that will be in the draft.

The proof begins with it meanwhile; a function that turns out to be another one costs only time.
"""


def nobody(code: Path, foreseen: Foreseen | None) -> None:
    """Begin with nothing ahead of time."""


class Framework(Protocol):
    """A front end of the compiler."""

    name: FrameworkName
    setting_names: SettingNames

    def requirements(self, built_from: Path) -> tuple[str, ...]:
        """Return what the app needs at run time even if its own manifest forgets it."""

    def problems(self, root: Path, stage: str | None, app: App, options: Options) -> Iterable[AppError]:
        """Yield what the app's files alone show to be wrong, before anything is built.

        Args:
            root: the app's folder.
            stage: of the app's own settings; None if it is not known.
            app: which one it is, by the zip's key.
            options: of ``auto-lambda.toml``.

        Raises:
            AppError: one more, which hides others.
        """

    def compile(self, built: Built, work: Path, log: BuildLog, ahead: Ahead = nobody) -> Draft:
        """Compile in the sandbox. ``work`` is an empty writable folder that outlives the draft.

        Raises:
            AppError: whatever the uploader can fix.
        """
