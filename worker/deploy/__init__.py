"""Deploys bundles: gate, stack, bucket notifications, verification."""
