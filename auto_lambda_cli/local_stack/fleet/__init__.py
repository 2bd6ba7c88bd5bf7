"""An emulator of Auto Scaling for the worker group of ``infra/fleet.yaml``, since the embedded AWS does not scale.

It evaluates the policies that CloudFormation has created in the embedded AWS with the metrics that the checker
publishes; its instances are worker processes. Its behaviour is taken from AWS's documentation and was not compared with
AWS. It has no instance types, no Spot Instances, no Availability Zones, and one health check: a worker that crashes is
replaced. An instance is in service when its worker polls for messages, as in docs/explanation/scaling.md.
"""
