"""Foresees the function that answers an app's API, so that it is proven while the app is compiled."""

from __future__ import annotations

from builder.frameworks.chalice.early import has_routes
from builder.model import Foreseen, Source
from builder.source.python_path import add_layer
from builder.source.settings import read_chalice

_FUNCTION = "api_handler"
_LOGICAL_ID = "APIHandler"


def foreseen(source: Source) -> Foreseen | None:
    """Return the function of an app with routes, by its settings; None for other apps."""
    if not has_routes(source.root):
        return None
    config = read_chalice(source.root)
    stage = config.stages.get(source.config_stage, {})
    levels = (config.data, stage, _mapping(_mapping(stage.get("lambda_functions")).get(_FUNCTION)))
    memory = next((one["lambda_memory_size"] for one in reversed(levels) if one.get("lambda_memory_size")), None)
    variables = {name: value for one in levels for name, value in _mapping(one.get("environment_variables")).items()}
    environment = {"Environment": {"Variables": add_layer(variables)}}
    return Foreseen(_LOGICAL_ID, {"Handler": "app.app", **({"MemorySize": memory} if memory else {}), **environment})


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
