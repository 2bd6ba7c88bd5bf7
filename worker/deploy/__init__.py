"""From a bundle to something live: gate, stack, bucket events, verification."""

from worker.deploy.stack import Deployer

__all__ = ["Deployer"]
