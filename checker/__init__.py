"""The checker: samples the queue and the worker group, and publishes the metrics for scaling."""
