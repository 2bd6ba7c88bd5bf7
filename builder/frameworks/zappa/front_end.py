"""The zappa front end: an app folder and its layer in, a `Draft` out.

Whatever runs code of the app (settings callbacks, the prebuild script) runs in the sandbox, and its answer is
untrusted.
"""

from __future__ import annotations

import json
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.lambda_events import EventShape, get_event
from auto_lambda.model import BuildLog, FrameworkName
from auto_lambda.tools import Tools
from builder.frameworks.base import INSIDE, Ahead, nobody
from builder.frameworks.domains import read_domain
from builder.frameworks.one_folder import join_packages
from builder.frameworks.zappa import answer
from builder.frameworks.zappa.answer import Packaged
from builder.frameworks.zappa.brought import imported
from builder.frameworks.zappa.early import file_problems, loaded_modules, old_code_warnings
from builder.frameworks.zappa.events import called_functions, tasks_use_topic
from builder.frameworks.zappa.patches import (
    CALL_LIVE_ALIAS,
    DISCONNECT_AFTER_ANSWER,
    LOAD_BALANCER_EVENTS,
    LOG_FAILED_REQUESTS,
    STAGE_IN_QUARTS_PATH,
    UNWRAP_SINGLE_FUNCTIONS,
)
from builder.frameworks.zappa.resources import FUNCTION
from builder.frameworks.zappa.settings import (
    BALANCER,
    SETTINGS_PAGE,
    ZAPPA_VERSION,
    StageSettings,
    balancer_problems,
    check_settings,
    unsupported,
)
from builder.frameworks.zappa.template import SETTING_NAMES, build_template
from builder.model import Built, Draft, Options, Source
from builder.protocol.flex import Serves
from builder.protocol.messages import DomainMessage
from builder.sandbox.result_file import ResultFile, open_plain
from builder.sandbox.sandbox import Command, Limits, Sandbox
from builder.source.functions import ONLY_FUNCTION
from builder.source.options import MOST_RELEASES
from builder.source.settings import read_zappa
from builder.source.unpack import unpack_file

_SCRIPT = Path(__file__).with_name("inside") / "zappa_package.py"
_LIMITS = Limits(wall=180, cpu=180)
_GENERATED_FILES = ("handler.py", "zappa_settings.py", "django_zappa_app.py")
_CALLS_AWS = re.compile(rb"\b(?:boto3|botocore|aioboto3|aiobotocore|pynamodb|s3fs|storages|flask_s3|smart_open)\b")
_FLASK = re.compile(rb"(?m)^(?:from|import)\s+flask\b")
_EVENTS_ONLY = "the zappa settings name events but no app (app_function, django_settings): no API is created"
_ROLE_WARNING = (
    "the app is granted what its triggers need, not zappa's own default role (s3:*, sqs:*, sns:*, dynamodb:*, "
    f"kinesis:*, route53:*): say in `extra_permissions` or `attach_policy` what else it uses ({SETTINGS_PAGE})"
)


class Zappa:
    """Front end for zappa.

    Args:
        sandbox: runs what runs code of the app.
        tools: hands out the environment with zappa.
    """

    name: FrameworkName = "zappa"
    setting_names = SETTING_NAMES

    def __init__(self, sandbox: Sandbox, tools: Tools) -> None:
        self._sandbox = sandbox
        self._tools = tools

    def requirements(self, built_from: Path) -> tuple[str, ...]:
        """Require zappa, whose handler is the function, and the web framework that the settings clearly need.

        That is Django where they name a project of it, Flask where the module of ``app_function`` imports it. Of what
        zappa's command line needs, which zappa's own deployment ships as well, it is what the app imports.

        Raises:
            AppError: ``bad-config``.
        """
        stages = read_zappa(built_from).stages.values()
        django = any(stage.get("django_settings") for stage in stages)
        flask = any(_imports_flask(built_from, stage.get("app_function")) for stage in stages)
        return (
            f"zappa=={ZAPPA_VERSION}", *(["django"] if django else []), *(["flask"] if flask else []),
            *imported(built_from),
        )  # fmt: skip

    def problems(self, root: Path, stage: str | None, app: App, options: Options) -> Iterator[AppError]:
        """Yield what settings, policy files and code show to be wrong; see `Framework.problems`."""
        return file_problems(root, stage, app, options)

    def compile(self, built: Built, work: Path, log: BuildLog, ahead: Ahead = nobody) -> Draft:
        """Read the settings as zappa does, package the app's files, and express the deployment as CloudFormation.

        Raises:
            AppError: the settings ask for what is refused or cannot be, or a hook fails.
        """
        source = built.source
        handler = _zappa_folder(built)
        check_settings(StageSettings(read_zappa(source.root).stage(source.config_stage)))  # before a hook runs
        code = _make_folder(work / "code")
        ahead(code, None)
        packaged = self._package(built, work, log)
        settings = StageSettings(packaged.settings)
        warnings = check_settings(settings)
        for error in balancer_problems(settings, source.options.flex):
            raise error
        _check_app(settings, handler)
        without_api = _without_api(settings)
        if without_api:
            settings = StageSettings({**settings.values, "function_url_enabled": False})
        resources = {} if without_api else packaged.resources
        described, parts = build_template(source.app, settings, packaged.policies, packaged.rules, resources)
        flex, wanted = source.options.flex, settings.flag(BALANCER, default=False)
        balanced = wanted or bool(flex and flex.variant == "standing-load-balancer")
        warnings += _write_code(work / "out" / "package.zip", code, packaged, settings, handler, balanced=balanced)
        join_packages(code, built.site, work / "app")
        domain, not_named = _domain(settings)
        return Draft(
            template=described,
            code=code,
            main=FUNCTION,
            url=parts.url,
            notifications=tuple(parts.notifications),
            warnings=(
                *warnings,
                *parts.warnings,
                *([not_named] if not_named else []),
                *([_EVENTS_ONLY] if without_api else []),
                *old_code_warnings(source.root, settings),
                *_rights_warning(settings, code),
                *_project_name_warning(settings, source),
            ),
            # Only zappa's own handler is known to answer: what another one takes, its author alone knows.
            first_event=None if settings.own_handler else _first_event(built, parts.url, described["Resources"]),
            called={} if settings.own_handler else dict(called_functions(settings)),
            remote_environment=bool(settings.values.get("remote_env") or settings.values.get("remote_env_file")),
            retain=_retained_versions(settings),
            functions={ONLY_FUNCTION: FUNCTION},
            domains=(domain,) if domain else (),
            serves=_serves(settings),
            load_balancer=wanted,
        )

    def _package(self, built: Built, work: Path, log: BuildLog) -> Packaged:
        source = built.source
        app, out = work / "app", _make_folder(work / "out")
        shutil.copytree(source.root, app, symlinks=True)  # a prebuild script may write into it
        result = ResultFile(out / "result.json")
        request = work / "request.json"
        request.write_text(json.dumps(_request(built, out)))
        outcome = self._sandbox.run(self._command(built, app, request, result.path), log)
        names = {app: "", **({built.site: "/opt/python/"} if built.site else {})}
        return answer.read(outcome, result, names, source.python)

    def _command(self, built: Built, app: Path, request: Path, result: Path) -> Command:
        python = self._tools.python("compiler", built.source.python)
        site = [built.site] if built.site else []
        return Command(
            argv=(str(python), "-I", "-B", "-u", str(_SCRIPT), str(request), str(result)),
            cwd=app,
            env={"AWS_EC2_METADATA_DISABLED": "true", "USER": "app"},
            readable=(python.parent.parent, _SCRIPT.parent, INSIDE, request, *site),
            writable=(result.parent, app),
            limits=_LIMITS,
        )


def _request(built: Built, out: Path) -> dict[str, Any]:
    source = built.source
    settings = StageSettings(read_zappa(source.root).stage(source.config_stage))
    loaded = loaded_modules(source.root, settings)
    return {
        "settings_file": read_zappa(source.root).file,
        "config_stage": source.config_stage,
        "name": source.app.name,
        "stage": source.app.stage,
        "function": source.app.function,
        "site": str(built.site) if built.site else None,
        "hooks": bool(settings.values.get("callbacks") or settings.values.get("prebuild_script")),
        "zip": str(out / "package.zip"),
        "loaded": sorted(path.relative_to(source.root).as_posix() for path in loaded),
        # Set once the script runs: LD_LIBRARY_PATH, say, would keep it from starting, which counts as our failure.
        "environment": dict(source.options.environment),
    }


def _zappa_folder(built: Built) -> Path:
    """Return the folder of the zappa that the function will run: its handler has to fit its other modules."""
    folder = built.site / "zappa" if built.site else None
    if folder is None or not _is_plain_file(folder / "handler.py"):
        raise AppError(
            Code.COMPILE_FAILED,
            "zappa is not among the app's installed dependencies",
            hint=f"Require zappa=={ZAPPA_VERSION} in the app's requirements.",
        )
    return folder


def _without_api(settings: StageSettings) -> bool:
    """Return whether an API that the settings ask for has nothing behind it, since the app is one of events only.

    Raises:
        AppError: ``compile-failed``: there are no events either.
    """
    api = settings.flag("use_apigateway", default=True) and settings.flag("apigateway_enabled", default=True)
    if settings.answers_requests or not (api or settings.flag("function_url_enabled", default=False)):
        return False
    if not any(settings.values.get(name) for name in ("events", "bot_events", "cognito")):
        raise AppError(
            Code.COMPILE_FAILED,
            "the zappa settings name neither app_function nor django_settings, so nothing would answer requests",
            hint='Set app_function, as in "app.app", or lambda_handler for a handler of your own, or events.',
        )
    return True


def _retained_versions(settings: StageSettings) -> int | None:
    return min(settings.number("num_retained_versions", 0), MOST_RELEASES) or None


def _check_app(settings: StageSettings, zappa: Path) -> None:
    if settings.text("app_type") == "asgi" and not (zappa / "asgi.py").is_file():
        raise unsupported(
            "app_type", "the zappa that the app requires is too old for ASGI apps",
            hint=f"Require zappa=={ZAPPA_VERSION}.",
        )  # fmt: skip


def _write_code(
    package: Path, code: Path, packaged: Packaged, settings: StageSettings, zappa: Path, *, balanced: bool
) -> tuple[str, ...]:
    """Write the code folder: the app's files, the handler of the layer's zappa, and its settings module."""
    try:
        with open_plain(package) as file:
            unpack_file(file, code)
    except ValueError:
        hint = "Let zappa make it."
        raise AppError(Code.COMPILE_FAILED, "the app as packaged: the package is not a plain file", hint=hint) from None
    except AppError as error:
        raise AppError(Code.COMPILE_FAILED, f"the app as packaged: {error.message}", hint=error.hint) from error
    (code / "package_info.json").unlink()  # a random id and the time: another zip each time
    warnings = ("the app's own handler.py is replaced by zappa's, as zappa itself does",)
    replaced = (code / "handler.py").exists() and not settings.own_handler
    if replaced or not (code / "handler.py").exists():
        shutil.copyfile(zappa / "handler.py", code / "handler.py", follow_symlinks=False)
    if settings.text("django_settings"):
        shutil.copyfile(zappa / "ext" / "django_zappa.py", code / "django_zappa_app.py", follow_symlinks=False)
    tasks = "" if tasks_use_topic(settings) else CALL_LIVE_ALIAS
    asgi = DISCONNECT_AFTER_ANSWER + STAGE_IN_QUARTS_PATH if (zappa / "asgi.py").is_file() else ""
    settings_py = packaged.settings_py + UNWRAP_SINGLE_FUNCTIONS + LOG_FAILED_REQUESTS + tasks + asgi
    if balanced:
        settings_py += LOAD_BALANCER_EVENTS
    (code / "zappa_settings.py").write_text(settings_py, encoding="utf-8")
    return warnings if replaced else ()


def _first_event(built: Built, url: Any, resources: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event that makes zappa's handler load the app: one GET, or an event that nothing handles."""
    if url is None:
        return {}
    shape: EventShape = "rest-api" if "Api" in resources else "http-api" if "ApiV2" in resources else "function-url"
    return get_event(shape, built.source.options.asked_path, built.source.app.stage)


def _domain(settings: StageSettings) -> tuple[DomainMessage | None, str | None]:
    name, values = settings.values.get("domain"), settings.values
    return read_domain("domain", name, values.get("certificate_arn"), values.get("base_path")) if name else (None, None)


def _serves(settings: StageSettings) -> Serves:
    """Return how zappa's own handler calls the app; another one takes events, as its author alone knows."""
    if settings.own_handler:
        return "lambda"
    return "asgi" if settings.text("app_type") == "asgi" else "wsgi"


def _imports_flask(root: Path, app_function: object) -> bool:
    """Return whether the app's module imports Flask without the zip bringing Flask along."""
    if not isinstance(app_function, str) or not re.fullmatch(r"[\w.]+", app_function) or (root / "flask").exists():
        return False
    path = root.joinpath(*app_function.split(".")[:-1])
    modules = [one for one in (path.with_name(f"{path.name}.py"), path / "__init__.py") if _is_plain_file(one)]
    return any(_FLASK.search(one.read_bytes()) for one in modules if one.is_relative_to(root))


def _rights_warning(settings: StageSettings, code: Path) -> tuple[str, ...]:
    """Warn if the app seems to call AWS but asks for no rights: zappa's default role would allow much."""
    if settings.values.get("extra_permissions") or settings.values.get("attach_policy"):
        return ()
    calls = any(
        _CALLS_AWS.search(path.read_bytes()) for path in sorted(code.rglob("*.py")) if path.name not in _GENERATED_FILES
    )
    return (_ROLE_WARNING,) if calls else ()


def _project_name_warning(settings: StageSettings, source: Source) -> tuple[str, ...]:
    given, name = settings.text("project_name"), source.app.name
    if not given or re.sub(r"[^a-z0-9]+", "-", given.lower()) == name:
        return ()
    return (
        f"project_name is {given!r}, but the key in the bucket names the app: with {name!r} there, zappa's own tail, "
        "invoke and status would find it",
    )


def _is_plain_file(path: Path) -> bool:
    """Return whether a path is a regular file, not a link."""
    try:
        info = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(info.st_mode)


def _make_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder
