"""Samples the queue and the worker group, and publishes what drives the scaling."""
