"""Does what a hint says, as its reader would: no more than the hint and the message name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

Files = Mapping[str, str]
_Match = re.Match[str]


def followed(files: Files, message: str, hint: str) -> Files | None:
    """Return an app's files after its author has followed a hint; None if the hint says nothing that can be done."""
    told = f"{message}\n{hint}"
    for pattern, edit in _EDITS:
        if match := re.search(pattern, told):
            return edit(dict(files), match)
    return None


def _environment(files: dict[str, str], match: _Match) -> Files:
    lines = "".join(f'{name} = "x"\n' for name in match[1].split(", "))
    return {**files, "auto-lambda.toml": f"[environment]\n{lines}"}


def _stage(files: dict[str, str], match: _Match) -> Files:
    return {**files, "auto-lambda.toml": f"[stages]\n{match[1]}\n"}


def _move(files: dict[str, str], match: _Match) -> Files:
    moved = {**files, f"chalicelib/{match[1]}": files.pop(match[1])}
    opened = re.sub(
        r"open\(.*?\)\)", f"open({match[2]}))", files["app.py"].replace(f"'{match[1]}')", f"'{match[1]}'))")
    )
    return {**moved, "app.py": f"from pathlib import Path\n{opened}"}


def _instead(files: dict[str, str], match: _Match) -> Files:
    lines = [match[2] if line == match[1] else line for line in files["requirements.txt"].splitlines()]
    module = "import pymysql\npymysql.install_as_MySQLdb()\n" if "install_as_MySQLdb" in match[0] else ""
    return {**files, "requirements.txt": "\n".join(lines), "app.py": module + files["app.py"]}


def _import_before(files: dict[str, str], match: _Match) -> Files:
    app = files["app.py"].replace(f"import {match[2]}", f"import {match[1]}, {match[2]}")
    return {**files, "requirements.txt": f"{files['requirements.txt']}\n{match[1]}\n", "app.py": app}


def _replace(files: dict[str, str], match: _Match) -> Files:
    module = {"fpdf2": "fpdf"}[match[1]]
    required = files["requirements.txt"].replace(match[2], match[1])
    return {**files, "requirements.txt": required, "app.py": files["app.py"].replace(match[2], module)}


def _plainly(files: dict[str, str], match: _Match) -> Files:
    plain = {"plain ones": " ", "nothing": ""}.get(match[2], match[2])
    return {**files, match[3]: files[match[3]].replace(chr(int(match[1], 16)), plain)}


def _named(files: dict[str, str], match: _Match) -> Files:
    lines = files[match[1]].splitlines()
    if match[2]:
        lines[int(match[2]) - 1] = match[3]
    else:
        lines.append(match[3])
    return {**files, match[1]: "\n".join(lines)}


def _without_folders(files: dict[str, str], _: _Match) -> Files:
    return {**files, "requirements.txt": re.sub(r" @ file://\S+", "", files["requirements.txt"])}


def _require(files: dict[str, str], match: _Match) -> Files:
    """Require each module's package: the name in brackets, or else the module's own."""
    modules = re.split(r", | and ", match[1])
    packages = [re.sub(r"^.*\((.+)\)$", r"\1", one).partition(",")[0] for one in modules]
    lines = "\n".join([files.get("requirements.txt", ""), *packages])
    return {**files, "requirements.txt": f"{lines}\n"}


def _move_modules(files: dict[str, str], names: str) -> Files:
    moved = {f"chalicelib/{name}.py": files.pop(f"{name}.py") for name in names.split(" and ")}
    app = files["app.py"]
    for name in names.split(" and "):
        app = re.sub(rf"(?m)^(from|import) {name}\b", rf"\1 chalicelib.{name}", app)
    return {**files, **moved, "app.py": app, "chalicelib/__init__.py": files.get("chalicelib/__init__.py", "")}


def _require_and_move(files: dict[str, str], match: _Match) -> Files:
    return _move_modules(dict(_require(files, match)), match[2])


def _python(files: dict[str, str], match: _Match) -> Files:
    return {**files, "auto-lambda.toml": f'python = "{match[1]}"\n{files.get("auto-lambda.toml", "")}'}


def _value(files: dict[str, str], old: str, new: str) -> Files:
    assert any(old in text for text in files.values())
    return {name: text.replace(old, new) for name, text in files.items()}


def _zappa_init(files: dict[str, str], _: _Match) -> Files:
    return {**files, "zappa_settings.json": json.dumps({"dev": {"app_function": "manage.app"}})}


_STARLETTE = """from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

app = Starlette(routes=[Route("/", lambda request: JSONResponse({}))])
"""


def _to_starlette(files: dict[str, str], match: _Match) -> Files:
    return {**files, match[1]: _STARLETTE, "requirements.txt": "starlette\n"}


def _rights(files: dict[str, str], match: _Match) -> Files:
    policy = json.loads(files[".chalice/policy-dev.json"])
    policy["Statement"].append({"Effect": "Allow", "Action": match[1].split(", "), "Resource": "*"})
    return {**files, ".chalice/policy-dev.json": json.dumps(policy)}


def _call_later(files: dict[str, str], match: _Match) -> Files:
    lines = files[match[1]].splitlines()
    name, _, call = lines[int(match[2]) - 1].partition(" = ")
    lines[int(match[2]) - 1] = f"def {name}():\n    return {call}"
    return {**files, match[1]: "\n".join(lines)}


def _all_of(files: dict[str, str], match: _Match) -> Files:
    settings = {stage: {**one} for stage, one in json.loads(files["zappa_settings.json"]).items()}
    del settings["dev"][match[1]]
    settings["dev"]["app_function"] = match[3]
    ported = re.sub(r'print (".*")', r"print(\1)", files[match[2]])
    return {**files, "zappa_settings.json": json.dumps(settings), match[2]: ported}


_EDITS: tuple[tuple[str, Callable[[dict[str, str], _Match], Files]], ...] = (
    (r"(?s)'(\w+)' is not supported.*3\. ([\w.]+), line \d+ is written in Python 2.*"
     r"Write module.object.* as in ([\w.]+)\.\n",
     _all_of),
    (r"(?s)Say it in auto-lambda.toml.*?:\n(.*)", lambda files, one: {**files, "auto-lambda.toml": one[1]}),
    (r"(?:any of|Save the settings): (\{.*?\}\}) as (\S+?)(?:;|$)", lambda files, one: {**files, one[2]: one[1]}),
    (r'(?s)File "([\w.]+)", line (\d+).*make the call inside a function', _call_later),
    (r"Set ([\w, ]+) under \[environment\]", _environment),
    (r"Map it under \[stages\] in auto-lambda.toml: (.+)\.", _stage),
    (r"move (\S+) into chalicelib/ and open it there, as in (.+)\.$", _move),
    (r"(?s)(\S+) \S+ does not build:.*Require ([\w-]+).*", _instead),
    (r"Replace [\w -]+ \(U\+(\w+)\) by (.+) in (\S+): they come", _plainly),
    (r"Write into (\S+), (?:in place of line (\d+)|as its last line): (.+)", _named),
    (r"pip list --format=freeze", _without_folders),
    (r"Require (\w+) as well, and import it before (\w+):", _import_before),
    (r"with (\w+) instead of (\w+):", _replace),
    (r"Add the packages? that provides? (.+?) to requirements.* move (.+) into chalicelib/ and import from there",
     _require_and_move),
    (r"move (.+) into chalicelib/ and import from there", lambda files, one: _move_modules(files, one[1])),
    (r"The zip has no template (\S+) where", lambda files, one: {**files, f"templates/{one[1]}": "<h1>Hello</h1>\n"}),
    (r"Add the packages? that provides? (.+?) to (?:requirements|the app's)", _require),
    (r'write python = "([\d.]+)" into auto-lambda.toml', _python),
    (r"(?:require|Add) (\S+) (?:in|to) the app's requirements", _require),
    (r"Add wsgi.py with two lines: (.+?); (.+)", lambda files, one: {**files, "wsgi.py": f"{one[1]}\n{one[2]}\n"}),
    (r"'(cron\(.*?\))' is not a schedule: .*, as in (cron\(.*\))", lambda files, one: _value(files, one[1], one[2])),
    (r"'(rate\(.*?\))' is not a schedule: it is (rate\(.*?\))", lambda files, one: _value(files, one[1], one[2])),
    (r"(\d+) is less than the minimum of (\d+)", lambda files, one: _value(files, f": {one[1]}", f": {one[2]}")),
    (r"(\d+) is greater than the maximum of (\d+)", lambda files, one: _value(files, f": {one[1]}", f": {one[2]}")),
    (r"'([\w-]+)': a variable's name is a letter and .* letters, digits and underscores",
     lambda files, one: _value(files, one[1], one[1].replace("-", "_"))),
    (r'"(\S+)" does not match "\^\[A-Za-z0-9_-\]', lambda files, one: _value(files, one[1], one[1].replace(".", "-"))),
    (r"the role of the function does not allow ([\w:, ]+)", _rights),
    (r"(?s)(\S+) is an app of \w+, which only a server .* move its routes to Starlette", _to_starlette),
    (r"run `zappa init`", _zappa_init),
    (r"The zip holds only another one", lambda files, _: files),
)  # fmt: skip
