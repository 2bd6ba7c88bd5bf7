"""The network of a flexing app's tasks, its load balancer, and who may connect to what.

The app's own network is public and has no NAT, which would cost more than the tasks of a small app: tasks have public
addresses, and a security group that lets nobody but the load balancer connect.
"""

from __future__ import annotations

from typing import Any

from worker.bundle.flex.parts import (
    HEALTH_PATH,
    PORT,
    FlexParts,
    Resource,
    Resources,
    attribute,
    drain_seconds,
    resource,
)

_CIDR, _SUBNETS = "10.0.0.0/16", ("10.0.0.0/20", "10.0.16.0/20")
_EVERYWHERE = "0.0.0.0/0"


def network(parts: FlexParts) -> Resources:
    """Return VPC, subnets and routes, empty for an app in the given network."""
    if parts.settings.network == "given":
        return {}
    vpc = {"Ref": "Vpc"}
    made = {
        "Vpc": resource("EC2::VPC", CidrBlock=_CIDR, EnableDnsSupport=True, EnableDnsHostnames=True),
        "Gateway": resource("EC2::InternetGateway"),
        "GatewayAttachment": resource("EC2::VPCGatewayAttachment", VpcId=vpc, InternetGatewayId={"Ref": "Gateway"}),
        "Routes": resource("EC2::RouteTable", VpcId=vpc),
        "DefaultRoute": {
            **resource(
                "EC2::Route",
                RouteTableId={"Ref": "Routes"},
                DestinationCidrBlock=_EVERYWHERE,
                GatewayId={"Ref": "Gateway"},
            ),
            "DependsOn": "GatewayAttachment",
        },
    }
    for index, (letter, block) in enumerate(zip("AB", _SUBNETS, strict=True)):
        zone = {"Fn::Select": [index, {"Fn::GetAZs": ""}]}
        made[f"Subnet{letter}"] = resource("EC2::Subnet", VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)
        made[f"Routes{letter}"] = resource(
            "EC2::SubnetRouteTableAssociation", RouteTableId={"Ref": "Routes"}, SubnetId={"Ref": f"Subnet{letter}"}
        )
    return {name: parts.when_balanced(one) for name, one in made.items()}


def vpc(parts: FlexParts) -> Any:
    """Return the VPC's id."""
    return parts.target.vpc_id if parts.settings.network == "given" else {"Ref": "Vpc"}


def task_network(parts: FlexParts) -> dict[str, Any]:
    """Return where tasks are, and whether they have public addresses."""
    own = parts.settings.network == "own"
    given = parts.target.task_subnet_ids or parts.target.subnet_ids
    return {
        "Subnets": _own_subnets() if own else list(given),
        "SecurityGroups": [{"Ref": "TaskGroup"}],
        "AssignPublicIp": "ENABLED" if own or given == parts.target.subnet_ids else "DISABLED",
    }


def balancer(parts: FlexParts) -> Resources:
    """Return the load balancer with its listeners, target groups and security groups."""
    own = parts.settings.network == "own"
    made = {
        "LoadBalancerGroup": resource(
            "EC2::SecurityGroup",
            GroupDescription=f"Load balancer of {parts.app.flex_stack}: anybody, by HTTP and HTTPS",
            VpcId=vpc(parts),
            SecurityGroupIngress=[_from_anywhere(80), _from_anywhere(443)],
            SecurityGroupEgress=[_from_anywhere(PORT)],
        ),
        "TaskGroup": resource(
            "EC2::SecurityGroup",
            GroupDescription=f"Tasks of {parts.app.flex_stack}: its load balancer alone",
            VpcId=vpc(parts),
            SecurityGroupIngress=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": PORT,
                    "ToPort": PORT,
                    "SourceSecurityGroupId": attribute("LoadBalancerGroup", "GroupId"),
                }
            ],
        ),
        "LoadBalancer": resource(
            "ElasticLoadBalancingV2::LoadBalancer",
            Type="application",
            Scheme="internet-facing",
            Subnets=_own_subnets() if own else list(parts.target.subnet_ids),
            SecurityGroups=[attribute("LoadBalancerGroup", "GroupId")],
        ),
        "Listener": _listener(parts),
        "Redirect": resource(
            "ElasticLoadBalancingV2::Listener",
            LoadBalancerArn={"Ref": "LoadBalancer"},
            Port=80,
            Protocol="HTTP",
            DefaultActions=[
                {
                    "Type": "redirect",
                    "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
                }
            ],
        ),
        "TargetGroup": _targets(parts),
    }
    if own:
        made["LoadBalancer"]["DependsOn"] = ["GatewayAttachment"]
    return {name: parts.when_balanced(one) for name, one in (made | _lambda_targets(parts)).items()}


def _own_subnets() -> list[Any]:
    return [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]


def _from_anywhere(port: int) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": _EVERYWHERE}


def _listener(parts: FlexParts) -> Resource:
    groups: list[dict[str, Any]] = [{"TargetGroupArn": {"Ref": "TargetGroup"}}]
    if parts.standing:
        weights = ({"Ref": "FargateWeight"}, {"Fn::FindInMap": ["Rest", {"Ref": "FargateWeight"}, "Weight"]})
        names = ("TargetGroup", "LambdaTargets")
        groups = [
            {"TargetGroupArn": {"Ref": name}, "Weight": weight} for name, weight in zip(names, weights, strict=True)
        ]
    action = (
        {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        if parts.standing
        else {"Type": "forward", "TargetGroupArn": {"Ref": "TargetGroup"}}
    )
    return resource(
        "ElasticLoadBalancingV2::Listener",
        LoadBalancerArn={"Ref": "LoadBalancer"},
        Port=443,
        Protocol="HTTPS",
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        Certificates=[{"CertificateArn": parts.certificate_arn}],
        DefaultActions=[action],
    )


def _targets(parts: FlexParts) -> Resource:
    return resource(
        "ElasticLoadBalancingV2::TargetGroup",
        TargetType="ip",
        Protocol="HTTP",
        Port=PORT,
        VpcId=vpc(parts),
        HealthCheckPath=HEALTH_PATH,
        HealthCheckIntervalSeconds=10,
        HealthCheckTimeoutSeconds=5,
        HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
        Matcher={"HttpCode": "200"},
        TargetGroupAttributes=[
            {"Key": "deregistration_delay.timeout_seconds", "Value": str(drain_seconds(parts.settings))},
        ],
    )


def _lambda_targets(parts: FlexParts) -> Resources:
    """Return what lets a standing load balancer call the function; several values of a header stay several."""
    if not parts.standing:
        return {}
    permission = resource(
        "Lambda::Permission",
        Action="lambda:InvokeFunction",
        FunctionName=parts.alias_arn,
        Principal="elasticloadbalancing.amazonaws.com",
        # Of this account. Which one, nobody knows yet: a target group takes a function only once that permits it.
        SourceArn=parts.place.arn("elasticloadbalancing", "targetgroup/*"),
    )
    targets = resource(
        "ElasticLoadBalancingV2::TargetGroup",
        TargetType="lambda",
        Targets=[{"Id": parts.alias_arn}],
        TargetGroupAttributes=[{"Key": "lambda.multi_value_headers.enabled", "Value": "true"}],
    )
    return {"LambdaTargetPermission": permission, "LambdaTargets": {**targets, "DependsOn": "LambdaTargetPermission"}}
