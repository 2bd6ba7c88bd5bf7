"""The tasks of a flexing app: cluster, definition, service, scaling, their roles and their log."""

from __future__ import annotations

import textwrap
from typing import Any

from worker.bundle.flex.images import pinned
from worker.bundle.flex.network import task_network
from worker.bundle.flex.parts import PORT, FlexParts, Resource, Resources, attribute, drain_seconds, resource

CONTAINER = "app"
_KILL_SECONDS = 10  # more than a task takes to drain
_CPU_PERCENT = 60  # what scaling keeps
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        }
    ],
}
_CPUS = {"x86_64": "X86_64", "arm64": "ARM64"}

BOOTSTRAP = textwrap.dedent("""\
    import hashlib, runpy, sys, tempfile
    sys.path.append("/var/runtime")
    import boto3
    bucket, key, digest = sys.argv[1:]
    program = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    if hashlib.sha256(program).hexdigest() != digest:
        sys.exit(key + " is not the one that was deployed")
    path = tempfile.gettempdir() + "/entrypoint.zip"
    with open(path, "wb") as file:
        file.write(program)
    sys.path.insert(0, path)
    sys.argv[1:] = []
    runpy.run_module("entrypoint", run_name="__main__", alter_sys=True)
    """)
"""Fetches the program of the task, checks it, and becomes it. AWS's images have boto3 in the folder of the runtime."""


def tasks(parts: FlexParts) -> Resources:
    """Return everything that runs tasks; all but roles, log and definition exist only while they run."""
    running = {
        "Cluster": resource("ECS::Cluster", ClusterName=parts.app.flex_stack),
        "Service": _service(parts),
        "ScalableTarget": _scalable(parts),
        "Scaling": _scaling(),
    }
    return {
        "Logs": resource("Logs::LogGroup", LogGroupName=log_group(parts), RetentionInDays=30),
        "TaskRole": _task_role(parts),
        "ExecutionRole": _execution_role(parts),
        "TaskDefinition": _definition(parts),
        **{name: parts.when_running(one) for name, one in running.items()},
    }


def log_group(parts: FlexParts) -> str:
    """Return the log group of the tasks, in the app's namespace."""
    return f"/aws/lambda/{parts.app.function}/fargate"


def image(parts: FlexParts) -> str:
    """Return the image of the tasks, by its digest if that is known."""
    return pinned(parts.target.image.replace("{python}", parts.python), parts.target.digests)


def _definition(parts: FlexParts) -> Resource:
    entrypoint = parts.entrypoint
    container = {
        "Name": CONTAINER,
        "Image": image(parts),
        "Essential": True,
        "DockerLabels": {"auto-lambda.python": parts.python},
        "EntryPoint": ["python", "-c", BOOTSTRAP],
        "Command": [parts.bucket, entrypoint.key, entrypoint.sha256],
        "Environment": [{"Name": name, "Value": value} for name, value in sorted(parts.environment.items())],
        "PortMappings": [{"ContainerPort": PORT, "Protocol": "tcp"}],
        "StopTimeout": drain_seconds(parts.settings) + _KILL_SECONDS,
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {
                "awslogs-group": log_group(parts),
                "awslogs-region": parts.place.region,
                "awslogs-stream-prefix": "task",
            },
        },
    }
    return resource(
        "ECS::TaskDefinition",
        Family=parts.app.flex_stack,
        RequiresCompatibilities=["FARGATE"],
        NetworkMode="awsvpc",
        Cpu=str(parts.settings.cpu),
        Memory=str(parts.settings.memory),
        RuntimePlatform={"CpuArchitecture": _CPUS[parts.architecture], "OperatingSystemFamily": "LINUX"},
        TaskRoleArn=attribute("TaskRole", "Arn"),
        ExecutionRoleArn=attribute("ExecutionRole", "Arn"),
        ContainerDefinitions=[container],
    )


def _service(parts: FlexParts) -> Resource:
    """Return the service, without a desired count: an update would set it back to that; scaling raises it."""
    made = resource(
        "ECS::Service",
        ServiceName=parts.app.flex_stack,
        Cluster={"Ref": "Cluster"},
        LaunchType="FARGATE",
        TaskDefinition={"Ref": "TaskDefinition"},
        HealthCheckGracePeriodSeconds=60,
        DeploymentConfiguration={
            "MinimumHealthyPercent": 100,
            "MaximumPercent": 200,
            "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
        },
        NetworkConfiguration={"AwsvpcConfiguration": task_network(parts)},
        LoadBalancers=[{"ContainerName": CONTAINER, "ContainerPort": PORT, "TargetGroupArn": {"Ref": "TargetGroup"}}],
    )
    needs = ["Listener", "Redirect", *(["DefaultRoute"] if parts.settings.network == "own" else [])]
    return {**made, "DependsOn": needs}


def _scalable(parts: FlexParts) -> Resource:
    return resource(
        "ApplicationAutoScaling::ScalableTarget",
        ServiceNamespace="ecs",
        ScalableDimension="ecs:service:DesiredCount",
        ResourceId={"Fn::Sub": "service/${Cluster}/${Service.Name}"},
        MinCapacity=parts.settings.min_tasks,
        MaxCapacity=parts.settings.max_tasks,
    )


def _scaling() -> Resource:
    tracking = {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        "TargetValue": _CPU_PERCENT,
        "ScaleOutCooldown": 60,
        "ScaleInCooldown": 180,
    }
    return resource(
        "ApplicationAutoScaling::ScalingPolicy",
        PolicyName={"Fn::Sub": "${AWS::StackName}-cpu"},
        PolicyType="TargetTrackingScaling",
        ScalingTargetId={"Ref": "ScalableTarget"},
        TargetTrackingScalingPolicyConfiguration=tracking,
    )


def _task_role(parts: FlexParts) -> Resource:
    objects = [f"arn:{parts.place.partition}:s3:::{parts.bucket}/{key}" for key in parts.keys]
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": objects}
    own = {"PolicyName": "artifacts", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
    return _role(parts, [own, *parts.policies], ManagedPolicyArns=list(parts.managed_policies))


def _execution_role(parts: FlexParts) -> Resource:
    group = parts.place.arn("logs", f"log-group:{log_group(parts)}:*")
    statement = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": group}
    policy = {"PolicyName": "logs", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
    return _role(parts, [policy])


def _role(parts: FlexParts, policies: list[Any], **more: Any) -> Resource:
    return resource(
        "IAM::Role",
        Path="/auto-lambda/",
        PermissionsBoundary=parts.boundary_arn,
        AssumeRolePolicyDocument=_TRUST,
        Policies=policies,
        **more,
    )
