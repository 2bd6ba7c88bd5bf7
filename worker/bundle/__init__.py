"""From what a framework made to what can be deployed: one template, one code zip, one layer."""

from worker.bundle.assemble import assemble
from worker.model import DeployTarget

__all__ = ["DeployTarget", "assemble"]
