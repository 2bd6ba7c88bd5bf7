"""What a template says of a function in so many words, to be compared with what Lambda has. Pure.

What a reference stands for is not known here, so it counts as equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auto_lambda.model import Template
from worker.bundle.pointers import variables

_DEFAULTS: Mapping[str, Any] = {"Handler": "", "Runtime": "", "Timeout": 3, "MemorySize": 128}


def agrees(settings: Mapping[str, Any], template: Template, name: str) -> bool:
    """Tell whether a function or version has what a template says, as far as that can be told.

    Args:
        settings: of the function, as Lambda describes them.
        template: of its release.
        name: its logical id.
    """
    layers, said = settings.get("Layers") or [], template["Resources"][name]["Properties"].get("Layers", [])
    same = len(layers) == len(said) and all(_is_layer(*pair, template) for pair in zip(layers, said, strict=True))
    return same and not differing(settings, template, name)


def differing(settings: Mapping[str, Any], template: Template, name: str) -> dict[str, Any]:
    """Return what a function has otherwise than a template says, layers aside, as the template has it.

    Args:
        settings: of the function, as Lambda describes them.
        template: of its release.
        name: its logical id.
    """
    properties = template["Resources"][name]["Properties"]
    said = {setting: properties.get(setting, default) for setting, default in _DEFAULTS.items() if setting in settings}
    found = {
        setting: value
        for setting, value in said.items()
        if isinstance(value, str | int) and str(value) != str(settings[setting])
    }
    has, wanted = variables(settings), variables(properties)
    known = {one: value if isinstance(value, str) else has.get(one) for one, value in wanted.items()}
    if known == has:
        return found
    return {**found, "Environment": {"Variables": {one: value for one, value in known.items() if value is not None}}}


def _is_layer(arn: str, said: Any, template: Template) -> bool:
    """Tell whether a layer is what a template says; of one that the template makes, only the name is known."""
    match said:
        case str():
            return arn == said
        case {"Ref": str(name)}:
            layer = template["Resources"].get(name, {}).get("Properties", {}).get("LayerName")
            return not isinstance(layer, str) or arn.split(":")[-2:-1] == [layer]
    return True
