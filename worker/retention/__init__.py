"""Retention: old releases are collected, with their versions of functions and layers, and their artifacts.

docs/explanation/what-is-kept.md tells what stays, and why.
"""
