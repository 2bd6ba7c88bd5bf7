"""Interpreters of this machine, and the pinned tool environments made from them.

A tool environment is a virtual environment with exactly the packages of ``auto_lambda/locks/<name>.txt``, made on first
use and kept in the cache folder under the hash of its lock, so that machines and clones share it safely.
"""
