"""Deploys bundles: gate, stack, bucket notifications, verification."""

from worker.deploy.deployer import DeployContext, Deployer

__all__ = ["DeployContext", "Deployer"]
