"""From a bundle to something live: gate, stack, bucket events, verification."""

from worker.deploy.deployer import Deployer

__all__ = ["Deployer"]
