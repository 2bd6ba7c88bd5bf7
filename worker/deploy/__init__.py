"""Deploys bundles: gate, stack, bucket notifications, verification."""

from worker.deploy.context import DeployContext
from worker.deploy.deployer import Deployer

__all__ = ["DeployContext", "Deployer"]
