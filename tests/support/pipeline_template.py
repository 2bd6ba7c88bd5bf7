"""The pipeline's templates as one document: what is handed on from stack to stack is what it stands for."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import load

from auto_lambda_cli.pipeline.parts import ORDER
from auto_lambda_cli.sources import templates_folder

REPOSITORY = templates_folder().parent
_NAME = re.compile(r"\$\{(\w+)\}")


def template_paths() -> list[Path]:
    return [templates_folder() / f"{name}.yaml" for name in ORDER]


def read_template(paths: list[Path] | None = None) -> dict[str, Any]:
    """One document with all parameters that people give, all conditions, resources and outputs."""
    whole: dict[str, Any] = {"Parameters": {}, "Conditions": {}, "Resources": {}, "Outputs": {}}
    for path in paths or template_paths():
        document = json.loads(json.dumps(load(str(path))))
        known = {name: output["Value"] for name, output in whole["Outputs"].items()}
        given = {name: it for name, it in document["Parameters"].items() if "Default" in it}
        handed_on = {name: known[name] for name in document["Parameters"].keys() - given.keys()}
        for section in ("Conditions", "Resources", "Outputs"):
            added = _told(document.get(section, {}), handed_on)
            assert not added.keys() & whole[section].keys(), f"{path.name} repeats a name"
            whole[section].update(added)
        for name, it in given.items():
            assert whole["Parameters"].get(name, it) == it, f"{path.name} declares {name} in another way"
        whole["Parameters"].update(given)
    return whole


def _told(node: Any, values: Mapping[str, Any]) -> Any:
    """A node with what is handed on in place of the parameters."""
    match node:
        case {"Ref": str(name)} if name in values:
            return copy.deepcopy(values[name])
        case {"Fn::Sub": str(text)}:
            return _text(text, {}, values)
        case {"Fn::Sub": [str(text), dict(more)]}:
            return _text(text, _told(more, values), values)
        case dict():
            return {key: _told(one, values) for key, one in node.items()}
        case list():
            return [_told(one, values) for one in node]
    return node


def _text(text: str, more: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    needed: dict[str, Any] = dict(more)

    def replace(found: re.Match[str]) -> str:
        match values.get(found[1]):
            case {"Ref": str(name)} if found[1] not in more:
                return f"${{{name}}}"
            case {"Fn::GetAtt": [name, attribute]} if found[1] not in more:
                return f"${{{name}.{attribute}}}"
            case None:
                return found[0]
            case value:
                needed.setdefault(found[1], copy.deepcopy(value))
                return found[0]

    written = _NAME.sub(replace, text)
    return {"Fn::Sub": [written, needed] if needed else written}
