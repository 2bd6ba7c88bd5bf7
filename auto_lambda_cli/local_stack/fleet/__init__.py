"""A double for what Auto Scaling does with the worker group of ``infra/pipeline.yaml``, since no emulator does it.

It follows the very policies that CloudFormation has put into the embedded AWS, by the metrics that the checker really
publishes; its machines are worker processes. What it does with them is taken from AWS's documents, and nothing of it
was seen on AWS. It has no instance types, no spot market, no zones, and one health check: a worker that ends unasked is
replaced. A machine is in service when its worker asks for messages, as in docs/explanation/scaling.md.
"""
