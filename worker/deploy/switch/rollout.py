"""Takes a release from the gate to its users, and back: expand, publish, verify, switch, front, each in the journal."""

from __future__ import annotations

from dataclasses import dataclass, replace

from auto_lambda.aws.cloudformation import DeployResult
from auto_lambda.errors import AppError
from auto_lambda.model import BuildLog
from worker.deploy.context import DeployContext
from worker.deploy.switch.app_stack import AppStack
from worker.deploy.switch.earlier_versions import earlier_versions
from worker.deploy.switch.release_command import ReleaseCommand
from worker.deploy.switch.shifter import TrafficShifter
from worker.deploy.switch.switchover import ExpandedStack, Switchover
from worker.deploy.switch.version_check import VersionCheck
from worker.deploy.switch.versions import ReleaseVersions
from worker.deploy.unhealthy import told_unhealthy
from worker.model import Bundle
from worker.traffic.shift import Shift


@dataclass(frozen=True, slots=True)
class Rollout:
    """Leads the traffic of apps to releases.

    Attributes:
        stack: of apps.
        switchover: the steps.
        published: finds versions.
        check: asks versions before anybody else does.
        release_command: runs release commands.
        shifter: shifts traffic; None: new versions get all of it at once.
    """

    stack: AppStack
    switchover: Switchover
    published: ReleaseVersions
    check: VersionCheck
    release_command: ReleaseCommand
    shifter: TrafficShifter | None = None

    def expand(self, bundle: Bundle, context: DeployContext) -> ExpandedStack:
        """Bring about all of a release that leads nobody to it.

        Raises:
            AppError: that failed, and the stack is as it was.
        """
        with context.effect("expand"):
            return self.switchover.expand(bundle, context)

    def lead(self, bundle: Bundle, found: ExpandedStack, context: DeployContext) -> DeployResult:
        """Lead the traffic to a release, once its versions have answered; then let the stack follow.

        Raises:
            AppError: the release failed, or the stack did.
        """
        log, effect = context.log, context.effect
        with effect("publish"):
            versions = self.switchover.publish(bundle, found, log)
        if bundle.release_command and not context.shift:
            with effect("release"):
                self.release_command.run(bundle, found.qualified(versions)[bundle.main], log)
        if other := found.differ(versions):
            with context.verifying(), effect("verify"), told_unhealthy("Nobody was led to it:"):
                self.check.verify(bundle, found.stack.outputs.get("AutoLambdaUrl"), found.qualified(other), log)
            if self.shifter and bundle.traffic and not context.shift:
                self.shifter.begin(bundle.traffic, found, versions, context)
            with effect("switch"):
                self.switchover.switch(found, versions, log)
        with effect("front"):
            result = self.switchover.front(bundle, found, versions, context)
        return replace(result, changed=result.changed or found.changed)

    def go_back(self, bundle: Bundle, log: BuildLog) -> DeployResult:
        """Lead the traffic back to an earlier release: to its versions at once, if they are all there."""
        context = DeployContext(log)
        bundle = replace(bundle, release_command=None)
        standing = self.stack.standing(bundle.app, log)
        versions = earlier_versions(standing, bundle.template) if standing else None
        if standing is None or versions is None:
            return self.lead(bundle, self.switchover.expand(bundle, context), context)
        found = self.switchover.found(standing, bundle.template)
        self.switchover.switch(found, versions, log)
        result = self.switchover.front(bundle, found, versions, context)
        self.stack.settle(result.stack, bundle.template, log)
        functions = found.functions.items()
        if all(self.published.is_latest(function, versions[name]) for name, function in functions):
            return result
        log("what these versions refer to was made anew: others are published")
        return self.lead(bundle, self.switchover.expand(bundle, context), context)

    def shift_failed(self, bundle: Bundle, context: DeployContext) -> AppError | None:
        """Look at a shift of traffic that has begun. Returns when it may have all, or how it has failed."""
        if self.shifter and bundle.traffic and context.shift:
            try:
                self.shifter.go_on(bundle.traffic, context.shift, context)
            except AppError as error:
                return error
        return None

    def end_shift(self, shift: Shift, log: BuildLog) -> None:
        """Lead all traffic back to what is live: another release comes in place of the one that it shifted to."""
        if self.shifter:
            self.shifter.end(shift, log)
