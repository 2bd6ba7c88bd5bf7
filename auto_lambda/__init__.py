"""What the worker and the checker share, and the ``auto-lambda`` command line."""

__version__ = "0.2.0"
