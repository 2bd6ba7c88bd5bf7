"""A hand-written template like that of a flexing app, and the tasks that it runs: a web server that says who it is."""

from __future__ import annotations

from typing import Any

SERVER = """
import http.server, json, os, signal, sys, threading, time
task = json.loads(os.environ["AUTO_LAMBDA_TASK"])
if os.environ.get("BREAKS"):
    sys.exit("broken")
time.sleep(float(os.environ.get("STARTS_IN", "0")))
draining = threading.Event()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        health = self.path == "/.auto-lambda/health"
        body = os.environ["WORD"].encode()
        self.send_response(503 if health and draining.is_set() else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", task["port"]), Handler)
def end(*_):
    draining.set()
    threading.Timer(0.3, server.shutdown).start()
signal.signal(signal.SIGTERM, end)
server.serve_forever(0.05)
"""


def template(**environment: str) -> dict[str, Any]:
    """The template, whose tasks get this environment; parameters: Phase, FargateWeight, Count."""
    variables = {"AUTO_LAMBDA_TASK": '{"port": 8080}', "WORD": "one", **environment}
    dear: dict[str, Any] = {
        "Network": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "Properties": {"Name": "flexed"}},
        "Targets": {
            "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
            "Properties": {
                "TargetType": "ip", "Port": 8080, "Protocol": "HTTP", "VpcId": {"Ref": "Network"},
                "HealthCheckPath": "/.auto-lambda/health", "HealthCheckIntervalSeconds": 5,
                "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2,
                "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}],
            },
        },
        "Listener": {
            "Type": "AWS::ElasticLoadBalancingV2::Listener",
            "Properties": {
                "LoadBalancerArn": {"Ref": "Balancer"}, "Port": 80, "Protocol": "HTTP",
                "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}],
            },
        },
        "Cluster": {"Type": "AWS::ECS::Cluster", "Properties": {"ClusterName": "flexed"}},
        "Definition": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "Family": "flexed", "RequiresCompatibilities": ["FARGATE"], "Cpu": "256", "Memory": "512",
                "ContainerDefinitions": [
                    {
                        "Name": "app", "Image": "example.com/lambda/python:3.12", "Command": ["python", "-c", SERVER],
                        "Environment": [{"Name": name, "Value": value} for name, value in variables.items()],
                    }
                ],
            },
        },
        "Service": {
            "Type": "AWS::ECS::Service", "DependsOn": "Listener",
            "Properties": {
                "ServiceName": "flexed", "Cluster": {"Ref": "Cluster"}, "TaskDefinition": {"Ref": "Definition"},
                "DesiredCount": {"Ref": "Count"}, "LaunchType": "FARGATE",
                "LoadBalancers": [
                    {"ContainerName": "app", "ContainerPort": 8080, "TargetGroupArn": {"Ref": "Targets"}}
                ],
            },
        },
    }  # fmt: skip
    return {
        "Parameters": {
            "Phase": {"Type": "String", "Default": "lambda"},
            "Count": {"Type": "Number", "Default": 1},
        },
        "Conditions": {"Dear": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Phase"}, "lambda"]}]}},
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            **{name: {"Condition": "Dear", **one} for name, one in dear.items()},
        },
    }
