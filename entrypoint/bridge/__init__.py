"""Calls a Lambda handler for each request, as API Gateway does: with its events, over the Runtime API."""
