"""Python imports this at its start from a folder in PYTHONPATH: the worker under test gets AWS's delays by it."""

from importlib import import_module

import_module("delays").install()
