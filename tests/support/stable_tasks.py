"""Stands in for Fargate where no tasks run, and for the controller, which moves apps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import ClientError

from auto_lambda_cli.local_stack.emulator.stable_services import STATE_TAG


@contextmanager
def telling_stable(ecs: Any, every: float = 0.05, healthy: Callable[[str], bool] = lambda _: True) -> Iterator[None]:
    """Say of each service at once what the fake Fargate would say of it in the end.

    Args:
        ecs: a client.
        every: seconds between two looks.
        healthy: tells of the name of a task definition whether its tasks stay up.
    """
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(every):
            for cluster in ecs.list_clusters()["clusterArns"]:
                with suppress(ClientError):  # it may be gone by now
                    for arn in ecs.list_services(cluster=cluster)["serviceArns"]:
                        _tell(ecs, cluster, arn, healthy)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _tell(ecs: Any, cluster: str, arn: str, healthy: Callable[[str], bool]) -> None:
    (service,) = ecs.describe_services(cluster=cluster, services=[arn])["services"]
    definition = service["taskDefinition"].rpartition("/")[2]
    stable, failed = f"stable {service['desiredCount']} {definition}", f"failed {definition} exited with 1"
    ecs.tag_resource(resourceArn=arn, tags=[{"key": STATE_TAG, "value": stable if healthy(definition) else failed}])


def move(cloudformation: Any, stack: str, phase: str, weight: int) -> None:
    """Bring a flex stack to a phase, as the controller does, and wait until it is there."""
    told = {"Phase": phase, "FargateWeight": str(weight), "Mode": "auto"}
    cloudformation.update_stack(
        StackName=stack, UsePreviousTemplate=True, Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in told.items()],
    )  # fmt: skip
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
