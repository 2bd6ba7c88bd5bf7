"""Runs in the functions of apps: put into a layer, and imported by Lambda."""
