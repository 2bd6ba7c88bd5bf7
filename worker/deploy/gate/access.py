"""What one app may have: the gate's third input beside the template and the place that it is deployed to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from auto_lambda.grants import Grants
from auto_lambda.keys import App
from worker.deploy.gate.quotas import Quotas
from worker.model import DeployTarget

Rights = Literal["granted", "account"]


@dataclass(frozen=True, slots=True)
class AppAccess:
    """What an app may reach and use beyond its own template.

    Attributes:
        app: whose template it is; its name and stage are its namespace.
        grants: what the platform team has granted to it, its stage's defaults included.
        rights: ``granted``: it reaches what is its own or granted; ``account``: besides that, sources and places of
            the account, but never what belongs to the pipeline or to the stack of another app.
        quotas: the pipeline's upper limits; ``grants.quotas`` replaces single ones.
        boundary_arn: the permissions boundary of its roles; None for the pipeline's.
    """

    app: App
    grants: Grants = field(default_factory=Grants)
    rights: Rights = "account"
    quotas: Quotas = field(default_factory=Quotas)
    boundary_arn: str | None = None

    def target(self, pipeline: DeployTarget) -> DeployTarget:
        """Return what the app is deployed to: the pipeline's target with the app's boundary."""
        return replace(pipeline, boundary_arn=self.boundary_arn or pipeline.boundary_arn)
