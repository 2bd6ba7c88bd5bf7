"""In which order an app's two stacks are changed: the tasks first, then the function, or neither.

Each step may be repeated: a worker that takes over begins with the first one again, and finds what is done.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from auto_lambda.aws.cloudformation import Stack, Stacks
from auto_lambda.keys import App
from auto_lambda.model import BuildLog
from worker.bundle.flex.template import START
from worker.deploy.flex.stack import FlexStacks
from worker.model import Bundle

Effect = Callable[[str], AbstractContextManager[None]]


class FlexOrder:
    """Brings the flex stack of an app where its function is, around a deployment.

    Args:
        flex: the flex stacks.
        stacks: CloudFormation.
        stored: returns a stored release.
    """

    def __init__(self, flex: FlexStacks, stacks: Stacks, stored: Callable[[App, str], Bundle | None]) -> None:
        self._flex = flex
        self._stacks = stacks
        self._stored = stored

    def admit(self, bundle: Bundle, *, known: bool) -> Stack | None:
        """Return the app's flex stack, if it has one, and nothing speaks against the bundle.

        Raises:
            AppError: the stack is not ours, nobody would move the traffic, or the app would leave Fargate without it.
        """
        stack = self._flex.find(bundle.app, known=known)
        if bundle.flex is None:
            self._flex.require_on_lambda(bundle.app, stack)
        else:
            self._flex.require_controller()
        return stack

    def stands(self, app: App) -> bool:
        """Tell whether an app of which nothing is live has a flex stack: a first release that failed has left it."""
        return self._flex.is_ours(app)

    def before(self, bundle: Bundle, boundary: str, effect: Effect, log: BuildLog) -> bool:
        """Move the tasks to a release before its function is live; tell whether that was possible.

        Raises:
            AppError: they do not become healthy, and are back where they were.
        """
        own = self._stacks.describe(bundle.app.stack) if bundle.flex else None
        if own is None or not self._flex.can_go_first(bundle, own):
            return False  # a first drop: the function has no name yet that both could share
        with effect("tasks"):
            self._flex.deploy(bundle, boundary, own, log)
        return True

    def after(self, bundle: Bundle, boundary: str, own: Stack, effect: Effect, log: BuildLog) -> None:
        """Make the flex stack of a release whose function is live. Mostly it is so already."""
        if bundle.flex:
            with effect("flex"):
                self._flex.deploy(bundle, boundary, own, log)

    def drop(self, app: App, effect: Effect, log: BuildLog) -> None:
        """Remove the flex stack of an app that does not flex any more, or is removed itself."""
        with effect("flex"):
            self._flex.remove(app, log)

    def back(self, app: App, previous: str | None, boundary: str, log: BuildLog) -> None:
        """Let the tasks be those of what is live: the function did not follow them, or is about to go back.

        Args:
            app: whose.
            previous: template key of what is live, or is to be again; None if nothing is.
            boundary: of the app.
            log: takes progress.
        """
        before = self._stored(app, previous) if previous else None
        own = self._stacks.describe(app.stack)
        if before and before.flex and own and self._flex.can_go_first(before, own):
            self._flex.deploy(before, boundary, own, log)
            return
        stack = self._stacks.describe(app.flex_stack)
        # On Fargate it has the traffic, and stays until a person or the next drop brings it back.
        if stack and stack.parameters.get("Phase") == START["Phase"]:
            self._flex.remove(app, log)
