"""Read a zappa app as zappa itself does: its settings, its hooks, its package, its API.

A plain script for the compiler's tool environment, run in the sandbox: ``zappa_package.py REQUEST RESULT``. Both are
JSON files. It imports zappa and, where the settings name hooks, the app's own modules; it needs no credentials and no
network. The app itself is not imported.

Request: ``settings_file`` (name in the working folder), ``config_stage``, ``name``, ``stage``, ``function``, ``site``
(folder of the dependencies or null), ``hooks`` (whether the settings name any), ``zip`` (where to write the package),
``loaded`` (paths of the app's modules that are loaded with it), ``environment`` (variables of the app).

Result: either ``{"error": {"kind", "message", "detail"}}`` or ``settings`` (the stage's, after ``extends`` and
callbacks), ``settings_py`` (text of the module that zappa's handler reads), ``policies`` (content of policy files),
``rules`` (one per schedule expression, with the name that the handler expects) and ``resources`` (zappa's own
CloudFormation of the API, ``@@LIVE@@``, ``@@REGION@@`` and ``@@ROLE@@`` standing for what only we know).
"""

from __future__ import annotations

import ast
import contextlib
import copy
import json
import os
import re
import sys
import tempfile
import traceback
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from zappa_import import import_zappa

del sys.path[0]

CODE = r"^\$(?:LAMBDA_TASK_ROOT|\{LAMBDA_TASK_ROOT\})(?=/|$)"  # no shell replaces it
LIVE, REGION, ROLE = "@@LIVE@@", "@@REGION@@", "@@ROLE@@"
SETTINGS_NAMES = ("zappa_settings.json", "zappa_settings.toml", "zappa_settings.yml", "zappa_settings.yaml")
# zappa's own list of excludes misses these, which belong to this machine, not to the app.
ALWAYS_EXCLUDED = ["__pycache__", ".venv", *SETTINGS_NAMES]
POLICY_FILES = ("attach_policy", "assume_policy", "apigateway_policy")
MOST_BYTES, MOST_LEVELS = 6 * 1024 * 1024, 200  # of a result; who reads it takes eight megabytes
_WHOLE_FILE = ("written", "zappa_settings")  # attributes of zappa's that hold all stages, ours among them


class Fault(Exception):
    """An error of the uploader: a kind for the caller, a message, and details such as a traceback."""

    def __init__(self, kind: str, message: str, **detail: object) -> None:
        super().__init__(message)
        self.kind, self.message, self.detail = kind, message, detail


def main(request_file: str, result_file: str) -> None:
    """Write the result, and end whatever the app's hooks left running."""
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    result: dict[str, Any] = {"error": {"kind": "ended", "message": "", "detail": {}}}
    write(Path(result_file), result)  # remains if a hook ends the process
    os.environ.update({name: value for name, value in request["environment"].items() if name != "TMPDIR"})
    try:
        result = package(request)
    except Fault as fault:
        result = {"error": {"kind": fault.kind, "message": fault.message, "detail": fault.detail}}
    except Exception as error:  # a setting that zappa or JSON cannot work with
        result = {"error": {"kind": "config", "message": one_line(error), "detail": {}}}
    write(Path(result_file), sayable(result))
    sys.stdout.flush()
    os._exit(0)


def sayable(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result, or why it cannot be read by who asked for it."""
    kind, why = "config", f"a setting is nested deeper than {MOST_LEVELS} levels"
    if not deeper_than(result, MOST_LEVELS):
        try:
            size = len(json.dumps(result, default=str))
            if size <= MOST_BYTES:
                return result
            kind, why = "too-large", f"{size:,} bytes"
        except (ValueError, TypeError, RecursionError) as error:  # a number without end, a key that is none
            why = one_line(error)
    return {"error": {"kind": kind, "message": why, "detail": {}}}


def deeper_than(value: Any, levels: int) -> bool:
    """Tell whether a value is nested deeper."""
    level = [value]
    for _ in range(levels):
        level = [child for one in level for child in children(one)]
        if not level:
            return False
    return True


def children(value: Any) -> list[Any]:
    """Return the values in a container."""
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else []


def write(file: Path, result: dict[str, Any]) -> None:
    """Replace the result file atomically."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(result, default=str), encoding="utf-8")
    fresh.replace(file)


def package(request: dict[str, Any]) -> dict[str, Any]:
    """Load the settings, run the hooks, and package the app."""
    cli = loaded(request)
    before = plain(vars(cli))
    sys.path[:0] = [str(Path.cwd()), *filter(None, [request["site"]])]  # after zappa itself, which stays the tool's own
    hook("callbacks.settings", lambda: cli.callback("settings"))
    settings = {**json.loads(json.dumps(cli.stage_config, default=str)), **changes(before, plain(vars(cli)))}
    settings |= path_in_time(settings)
    sys.path[1:1] = own_path({**(settings.get("aws_environment_variables") or {}), **request["environment"]})
    if settings.get("prebuild_script"):
        hook("prebuild_script", cli.execute_prebuild_script)
    check_app(settings)
    write_zip(cli, settings, Path(request["zip"]), request["loaded"])
    return {
        "settings": settings,
        "policies": {name: policy(settings[name]) for name in POLICY_FILES if settings.get(name)},
        "settings_py": settings_module(cli, request, settings),
        "rules": rules(cli, request["function"], settings),
        "resources": resources(cli, request, settings),
    }


def path_in_time(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the function's variables with the PYTHONPATH that zappa's handler would set when Python already runs."""
    late, early = (settings.get(name) for name in ("environment_variables", "aws_environment_variables"))
    if not isinstance(late, dict) or "PYTHONPATH" not in late:
        return {}
    return {"aws_environment_variables": {"PYTHONPATH": late["PYTHONPATH"], **(early or {})}}


def own_path(variables: dict[str, Any]) -> list[str]:
    """Return those folders of the app that its own PYTHONPATH on Lambda names."""
    entries = [re.sub(CODE, "/var/task", entry) for entry in str(variables.get("PYTHONPATH") or "").split(":")]
    inside = [entry for entry in entries if entry and (entry[0] not in "/$" or f"{entry}/".startswith("/var/task/"))]
    return [str(Path.cwd() / entry.removeprefix("/var/task").lstrip("/")) for entry in inside]


def loaded(request: dict[str, Any]) -> Any:
    """Return a ZappaCLI with this stage's settings. The project is named after the upload, so names in AWS are too."""

    class Loader(import_zappa(hooks=request["hooks"]).ZappaCLI):  # type: ignore[misc]
        load_credentials = False
        disable_progress = True

        def load_settings_file(self, settings_file: str | None = None) -> None:
            super().load_settings_file(settings_file)
            self.written = copy.deepcopy(self.zappa_settings)
            self.zappa_settings[self.api_stage]["project_name"] = request["name"]
            self.zappa_settings[self.api_stage]["aws_region"] = REGION  # or zappa asks boto for one

    cli = Loader()
    cli.api_stage = request["config_stage"]
    try:
        cli.load_settings(request["settings_file"])
    except FileNotFoundError as error:
        raise Fault("missing-file", f"the settings name the file {error.filename!r}, which does not exist") from error
    except Exception as error:
        raise Fault("config", one_line(error)) from error
    cli.zappa_settings = cli.written  # zappa adds permissions of its own to the settings that it read
    return cli


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Copy those values that JSON can express."""
    kept = {}
    for name, value in values.items():
        with contextlib.suppress(TypeError, ValueError):
            kept[name] = json.loads(json.dumps(value))
    return kept


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that a callback changed; those named like a setting set it."""
    changed = {name: value for name, value in after.items() if name in before and before[name] != value}
    return {name: value for name, value in changed.items() if name not in _WHOLE_FILE}


def hook(setting: str, run: Any) -> None:
    """Run a hook of the app in this process, and report which one failed."""
    try:
        run()
    except SystemExit as error:
        raise Fault("hook", f"{setting} ended the process (exit {error.code})", setting=setting) from error
    except Exception as error:
        raise Fault(
            "hook",
            f"{setting} failed: {one_line(error)}",
            setting=setting,
            traceback="".join(traceback.format_exception(error)),
        ) from error


def check_app(settings: dict[str, Any]) -> None:
    """Check, without importing it, that the app's module is in the zip or installed."""
    if settings.get("django_settings"):
        check_module("django_settings", str(settings["django_settings"]), str(settings["django_settings"]))
    if settings.get("app_function"):
        path = str(settings["app_function"])
        module, dot, _ = path.rpartition(".")
        if not dot or path.endswith(".py"):
            raise Fault("app", f"app_function {path!r} is not of the form module.object", setting="app_function")
        check_module("app_function", path, module)


def check_module(setting: str, value: str, module: str) -> None:
    """Look for a dotted path; in the app's own folders, to its end."""
    top = module.split(".")[0]
    missing = None
    if not top or not any(is_module(Path(folder, top)) for folder in sys.path if folder):
        missing = top
    elif Path(top).is_dir() and not is_module(Path(*module.split("."))):
        missing = module
    if missing is not None:
        raise Fault("app", f"{setting} is {value!r}, but there is no module {missing!r}", setting=setting)


def is_module(path: Path) -> bool:
    """Return whether a path without its suffix is a package, a module, or a compiled one."""
    return path.is_dir() or path.with_name(f"{path.name}.py").is_file() or any(path.parent.glob(f"{path.name}.*.so"))


def policy(file: str) -> Any:
    """Read a policy file."""
    try:
        return json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Fault("config", f"the policy file {file!r} is not readable JSON: {one_line(error)}") from error


def write_zip(cli: Any, settings: dict[str, Any], target: Path, loaded: list[str]) -> None:
    """Zip the app's own files except what the settings exclude, by zappa's rules and without dependencies."""
    with tempfile.TemporaryDirectory() as folder:
        venv = Path(folder, "no-virtualenv")
        (venv / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages").mkdir(parents=True)
        inner = [path.parent.name for path in Path().glob("*/pyvenv.cfg")]
        try:
            cli.zappa.create_lambda_zip(
                venv=venv,
                exclude=[*settings.get("exclude", []), *ALWAYS_EXCLUDED, *inner],
                exclude_glob=settings.get("exclude_glob", []),
                use_precompiled_packages=False,
                output=str(target),
                disable_progress=True,
            )
        except Exception as error:
            raise Fault("package", f"zappa could not package the app: {one_line(error)}") from error
    check_syntax(target, loaded)


def check_syntax(target: Path, loaded: list[str]) -> None:
    """Parse those of the app's modules that are loaded with it with this Python, without running them."""
    with zipfile.ZipFile(target) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in sorted(set(loaded).intersection(file.namelist())):
            try:
                compile(file.read(name), name, "exec", flags=ast.PyCF_ONLY_AST, dont_inherit=True)
            except SyntaxError as error:
                detail = {"file": name, "line": error.lineno, "text": (error.text or "").strip()}
                raise Fault("syntax", error.msg or "invalid syntax", **detail) from error
            except ValueError as error:  # a NUL byte, on Python 3.11
                raise Fault("syntax", one_line(error), file=name, line=None, text="") from error


def settings_module(cli: Any, request: dict[str, Any], settings: dict[str, Any]) -> str:
    """Return the text of ``zappa_settings.py`` for the bucket's stage, without what only zappa's own deploy needs."""
    config = {name: value for name, value in settings.items() if name not in ("slim_handler", "include", "extends")}
    cli.api_stage = request["stage"]
    cli.zappa_settings[request["stage"]] = config
    cli.project_name, cli.lambda_name, cli.aws_region = request["name"], request["function"], None
    try:
        # zappa's handler would set these over what is set on the function.
        given = dict(cli.environment_variables or {}).items()
        taken = {"PYTHONPATH", *request["environment"]}
        cli.environment_variables = {name: value for name, value in given if name not in taken}
        return str(cli.get_zappa_settings_string())
    except Exception as error:
        raise Fault("config", one_line(error)) from error


def rules(cli: Any, function: str, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Make one rule per schedule expression. The handler reads the function to run from the end of the rule's name."""
    found = []
    try:
        for event in [*(settings.get("events") or []), *keep_warm(function, settings)]:
            expressions = [event["expression"]] if event.get("expression") else event.get("expressions") or []
            for index, expression in enumerate(expressions):
                found.append(
                    {
                        "name": cli.zappa.get_scheduled_event_name(event, event["function"], function, index),
                        "expression": expression,
                        "function": event["function"],
                        "description": event.get("description", event["function"]),
                        "enabled": event.get("enabled", True),
                        "kwargs": event.get("kwargs", {}),
                    }
                )
    except Exception as error:
        raise Fault("config", f"events: {one_line(error)}") from error
    return found


def keep_warm(function: str, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the event that zappa adds by itself."""
    if not settings.get("keep_warm", True):
        return []
    return [
        {
            "name": "zappa-keep-warm",
            "function": "handler.keep_warm_callback",
            "expression": settings.get("keep_warm_expression", "rate(4 minutes)"),
            "description": f"Zappa Keep Warm - {function}",
        }
    ]


def resources(cli: Any, request: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Return the API as in zappa's own template: REST or HTTP, and the websocket API if the app has one."""
    if not (cli.use_apigateway and settings.get("apigateway_enabled", True)):
        return {}
    cli.zappa.boto_session = SimpleNamespace(region_name=REGION)
    cli.zappa.credentials_arn = ROLE
    version = settings.get("apigateway_version", "v1")
    try:
        template = cli.zappa.create_stack_template(
            lambda_arn=LIVE,
            lambda_name=request["function"],
            api_key_required=settings.get("api_key_required", False),
            iam_authorization=settings.get("iam_authorization", False),
            authorizer=settings.get("authorizer") or None,
            cors_options=cors(settings.get("cors", False), version),
            description=settings.get("apigateway_description"),
            endpoint_configuration=settings.get("endpoint_configuration"),
            apigateway_version=version,
            stage_name=request["stage"],
            websocket=cli.use_websocket,
        )
        return dict(template.to_dict()["Resources"])
    except Exception as error:
        raise Fault("config", f"the API: {one_line(error)}") from error


def cors(given: Any, version: str) -> Any:
    """Convert the setting to the form that zappa wants for HTTP APIs, where true fails and an origin is ignored."""
    if version != "v2" or not given:
        return given
    wide = {"max_age": 0} if given is True else given
    return {"allowed_origins": [wide["allowed_origin"]], **wide} if "allowed_origin" in wide else wide


def one_line(error: BaseException) -> str:
    """Describe an exception in one line; zappa's own messages are whole sentences and need no type."""
    text = " ".join(str(getattr(error, "message", None) or error).split())
    return text if type(error).__name__ == "ClickException" else f"{type(error).__name__}: {text}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
