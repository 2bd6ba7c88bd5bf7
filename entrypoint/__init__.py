"""Serves on Fargate what a Lambda function serves: the same code and layers, fetched by digest and run as a web server.

It is packed as one zip and runs in AWS's Lambda base image, so it needs the standard library, the image's boto3 and
the wheels that are packed with it, and imports nothing else of Auto-Lambda.
"""
