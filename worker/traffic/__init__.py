"""Gradual traffic: a new version gets a share of the calls first, and all of them if it does well."""
