"""Checks what would keep a machine or a pipeline from working. Read-only."""
