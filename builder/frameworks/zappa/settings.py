"""Treatment of each setting of zappa 0.63.0: carried, ignored with a warning, or refused with a reason.

docs/reference/settings-zappa.md shows this table to users; a test keeps the two equal, and complete against zappa.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from auto_lambda.errors import AppError, Code
from builder.protocol.flex import FlexMessage
from builder.source.options import why_refused
from builder.source.problems import Problems
from builder.source.python_path import VARIABLE as PYTHON_PATH

ZAPPA_VERSION = "0.63.0"
BALANCER = "alb_enabled"
ZAPPA_HANDLER = "handler.lambda_handler"
SETTINGS_PAGE = "docs/reference/settings-zappa.md"

_T = TypeVar("_T")

Verdict = Literal["carried", "ignored", "refused"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Treatment of a setting, and in ``note`` how or why (Markdown, one line)."""

    verdict: Verdict
    note: str = ""


def _carried(note: str = "") -> Rule:
    return Rule("carried", note)


def _ignored(note: str) -> Rule:
    return Rule("ignored", note)


def _refused(note: str) -> Rule:
    return Rule("refused", note)


_CERTIFY = "only `zappa certify` reads it"
_ALIAS = "every trigger uses the alias `live`"
_OWN_ROLE = (
    "each app gets a role of its own within the pipeline's boundary: say in `extra_permissions` or `attach_policy` "
    "what it may do"
)
_LATE_PATH = (
    f"{PYTHON_PATH} in the zappa setting environment_variables is set on the function, as if it stood in "
    "aws_environment_variables: zappa would set it when Python already runs, which then does not look at it"
)
_UPLOAD = "only zappa's own upload uses it; packages go to the pipeline's bucket"

RULES: Mapping[str, Rule] = {
    "additional_text_mimetypes": _carried(),
    "alb_enabled": _carried(
        "with [`[flex]`](flex.md), as its variant `standing-load-balancer`, in front of the API; refused without"
    ),
    "alb_vpc_config": _ignored("`network` of [`[flex]`](flex.md) says where a load balancer is"),
    "api_key": _carried("the existing key is added to the API's usage plan"),
    "api_key_required": _carried("creates a usage plan and, unless `api_key` names one, a key; refused with `v2`"),
    "apigateway_description": _carried(),
    "apigateway_enabled": _carried(),
    "apigateway_lambda_qualifier": _ignored(_ALIAS),
    "apigateway_policy": _carried("refused with `v2`, whose APIs have no resource policy"),
    "apigateway_version": _carried("`v1` or `v2`"),
    "app_function": _carried("imported once before the deployment"),
    "app_type": _carried(
        "`asgi` needs zappa 0.61 or newer among the app's requirements. The app is told that the client has left once "
        "it has answered, not before as by zappa itself: Django would answer nothing. Quart is told the path with the "
        "stage, which it takes off itself: it would answer 404"
    ),
    "architecture": _carried("read when the dependencies are built"),
    "assume_policy": _refused("the trust policy is fixed: only Lambda may assume the role"),
    "async_resources": _carried(),
    "async_response_table": _carried(
        "the stack creates the table unless `async_resources` is false; its name then is `<name>-<stage>` or begins "
        "with `<name>-<stage>-`, unless another one is [granted](templates.md#names)"
    ),
    "async_response_table_read_capacity": _carried(),
    "async_response_table_write_capacity": _carried(),
    "async_source": _carried("with `sns` the stack creates the topic unless `async_resources` is false"),
    "attach_policy": _carried("its statements are granted in addition to what the triggers need, within the boundary"),
    "authorizer": _carried("a function of the app (`TOKEN`), an `arn`, or `COGNITO_USER_POOLS`; refused with `v2`"),
    "aws_endpoint_urls": _ignored("only zappa's own calls to AWS use it"),
    "aws_environment_variables": _carried("set on the function; overridden by `[environment]` of auto-lambda.toml"),
    "aws_kms_key_arn": _carried("with the permission to decrypt with it"),
    "aws_region": _ignored("apps run in the pipeline's own region, which `AWS_REGION` names"),
    "base_path": _carried("the handler strips it, and the mapping of `domain` has it"),
    "binary_support": _carried(),
    "bot_events": _carried("in the handler; point the bot itself at the alias `live`"),
    "cache_cluster_enabled": _carried("REST APIs (`v1`) only"),
    "cache_cluster_encrypted": _carried("REST APIs (`v1`) only"),
    "cache_cluster_size": _carried("REST APIs (`v1`) only"),
    "cache_cluster_ttl": _carried("REST APIs (`v1`) only"),
    "callbacks": _carried("`settings` runs in the sandbox; `zip` and `post` are refused: they would run later"),
    "certificate": _ignored(_CERTIFY),
    "certificate_arn": _carried("the certificate of `domain`"),
    "certificate_chain": _ignored(_CERTIFY),
    "certificate_key": _ignored(_CERTIFY),
    "cloudwatch_data_trace": _carried("REST APIs (`v1`) only"),
    "cloudwatch_log_level": _carried("REST APIs (`v1`) only"),
    "cloudwatch_metrics_enabled": _carried(),
    "cognito": _carried("in the handler, with the permission; point the pool's triggers at the alias `live` yourself"),
    "context_header_mappings": _carried(),
    "cors": _carried(),
    "dead_letter_arn": _carried("with the permission to send to it"),
    "debug": _carried("zappa's default is true: answers to failed requests include tracebacks"),
    "delete_local_zip": _ignored(_UPLOAD),
    "delete_s3_zip": _ignored(_UPLOAD),
    "delete_zip": _ignored(_UPLOAD),
    "django_settings": _carried("the project is started once before the deployment"),
    "domain": _carried("the app's stack has it, if the app may have it"),
    "efs_config": _carried("with `Arn`; refused without it, because data must outlive deployments"),
    "endpoint_configuration": _carried(
        "REST APIs (`v1`) only; `REGIONAL` by default, unlike zappa: AWS makes an `EDGE` API only every 30 s, and 120 "
        "per region"
    ),
    "environment_variables": _carried(
        "written into `zappa_settings.py`, not shown in the console; overridden by `[environment]` of "
        "auto-lambda.toml. A PYTHONPATH is set on the function, with a warning"
    ),
    "ephemeral_storage": _carried(),
    "events": _carried("schedules, sqs, dynamodb, kinesis, sns, s3 and event patterns on any bus"),
    "exception_handler": _carried(),
    "exclude": _carried("applies to the app's own files, not to the dependencies in the layer"),
    "exclude_glob": _carried("applies to the app's own files, not to the dependencies in the layer"),
    "extends": _carried(),
    "extra_permissions": _carried("within the boundary"),
    "function_url_cloudfront_config": _ignored("has no effect without `function_url_domains`"),
    "function_url_config": _carried(),
    "function_url_domains": _ignored("no CloudFront distribution is created: map the domain to the function's URL"),
    "function_url_enabled": _carried("a public function can be called by its URL only, not through the Lambda API"),
    "iam_authorization": _carried("overrides `authorizer`, as in zappa"),
    "include": _ignored("has no effect without `slim_handler`"),
    "keep_warm": _carried("zappa's default is true"),
    "keep_warm_expression": _carried(),
    "lambda_concurrency": _carried("reserved concurrency"),
    "lambda_description": _carried(),
    "lambda_handler": _carried("a handler of the app's own is imported before the deployment, and sent no request"),
    "layers": _carried("in addition to the layer of the app's dependencies, which comes first"),
    "lets_encrypt_key": _ignored(_CERTIFY),
    "log_level": _carried(),
    "manage_roles": _ignored(_OWN_ROLE),
    "memory_size": _carried(),
    "num_retained_versions": _carried(
        "the number of releases that stay, at most 100; [`[retention]`](app-zip.md#auto-lambdatoml) overrides it"
    ),
    "payload_compression": _carried("REST APIs (`v1`) only"),
    "payload_minimum_compression_size": _carried("REST APIs (`v1`) only"),
    "prebuild_script": _carried("runs in the sandbox, without credentials or network, in a copy of the app's folder"),
    "profile_name": _ignored("the pipeline deploys with its own credentials"),
    "project_name": _ignored("the app is named after its key in the bucket; a warning if this name differs"),
    "provisioned_concurrency": _carried("on the alias `live`"),
    "remote_env": _carried("with the permission to read that object"),
    "remote_env_bucket": _carried("with the permission to read that object"),
    "remote_env_file": _carried("with the permission to read that object"),
    "role_arn": _ignored(_OWN_ROLE),
    "role_name": _ignored("each app gets a role of its own, named by CloudFormation"),
    "route53_enabled": _ignored("a name below the pipeline's domain always has its record"),
    "runtime": _carried("read when the dependencies are built"),
    "s3_bucket": _ignored(_UPLOAD),
    "settings_file": _carried(),
    "slim_handler": _ignored("dependencies are in a layer, which keeps the code small"),
    "snap_start": _carried(),
    "tags": _carried("on the function and the API"),
    "timeout_seconds": _carried(),
    "touch": _ignored("each deployment is verified"),
    "touch_path": _ignored("each deployment is verified; set `health_path` in `auto-lambda.toml`"),
    "use_apigateway": _carried("the old name of `apigateway_enabled`"),
    "use_precompiled_packages": _ignored("dependencies are built for Lambda from the app's manifests"),
    "vpc_config": _carried("with the permissions for network interfaces"),
    "websocket_handler_module": _carried("also detected if a module imports `zappa.websocket`"),
    "xray_tracing": _carried("with the permission to write traces"),
}  # fmt: skip

_HARMLESS = {"delete_local_zip", "delete_s3_zip", "delete_zip", "profile_name", "s3_bucket", "touch", "include",
          "use_precompiled_packages", "function_url_cloudfront_config"}  # fmt: skip
"""Ignored settings without any effect on what runs: one warning names them all."""


class StageSettings:
    """One stage's settings as typed values. They come from an upload, so every access checks the type.

    Args:
        values: as written.
        prefix: of their names, for messages.
        found: takes the errors, in place of raising them: each method then returns its default.

    Raises:
        AppError: ``bad-config``, from each method, where the value has another type.
    """

    def __init__(self, values: Mapping[str, Any], prefix: str = "", found: list[AppError] | None = None) -> None:
        self.values = values
        self._prefix = prefix
        self._found = found

    @property
    def own_handler(self) -> bool:
        """Whether a handler of the app itself is called, not zappa's."""
        return self.text("lambda_handler", ZAPPA_HANDLER) != ZAPPA_HANDLER

    @property
    def answers_requests(self) -> bool:
        """Whether there is something that an API could call."""
        return bool(self.text("app_function") or self.text("django_settings") or self.own_handler)

    def text(self, name: str, default: str = "") -> str:
        """Return a string."""
        return cast("str", self._typed(name, default, str, "text"))

    def number(self, name: str, default: int) -> int:
        """Return a whole number; a string of digits counts as one, as for AWS."""
        value = self.values.get(name)
        if isinstance(value, str) and value.isdecimal():
            return int(value)
        if isinstance(value, bool):
            return self._wrong(name, "a whole number", default)
        return cast("int", self._typed(name, default, int, "a whole number"))

    def flag(self, name: str, default: bool) -> bool:
        """Return true or false."""
        return cast("bool", self._typed(name, default, bool, "true or false"))

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a mapping, empty if the setting is absent."""
        return cast("dict[str, Any]", self._typed(name, {}, dict, "a mapping"))

    def section(self, name: str) -> StageSettings:
        """Return a mapping as settings."""
        return StageSettings(self.mapping(name), f"{self._prefix}{name}.", self._found)

    def sections(self, name: str) -> list[StageSettings]:
        """Return a list of mappings, each as settings."""
        found = self._typed(name, [], list, "a list")
        if not all(isinstance(one, dict) for one in found):
            found = self._wrong(name, "a list of mappings", [])
        return [StageSettings(one, f"{self._prefix}{name}[{index}].", self._found) for index, one in enumerate(found)]

    def texts(self, name: str, default: tuple[str, ...] = ()) -> list[str]:
        """Return a list of strings."""
        found = self._typed(name, list(default), list, "a list")
        if not all(isinstance(one, str) for one in found):
            return self._wrong(name, "a list of texts", list(default))
        return cast("list[str]", found)

    def text_mapping(self, name: str) -> dict[str, str]:
        """Return a mapping of strings to strings."""
        found = self.mapping(name)
        for key, value in found.items():
            if not isinstance(value, str):
                self.section(name)._wrong(key, "text (put quotes around it)", None)
        return found

    def invalid(self, name: str, wanted: str) -> AppError:
        """Return the error for a value of the wrong type."""
        value = repr(self.values.get(name))
        shown = value if len(value) <= 80 else f"{value[:77]}..."
        return AppError(
            Code.BAD_CONFIG,
            f"the zappa setting {self._prefix}{name!s} is {shown}, but has to be {wanted}",
            hint="Correct it in the zappa settings file.",
        )

    def _typed(self, name: str, default: Any, kind: type, wanted: str) -> Any:
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            return self._wrong(name, wanted, default)
        return value

    def _wrong(self, name: str, wanted: str, default: _T) -> _T:
        """Raise the error for a value of the wrong type, or note it and return the default."""
        error = self.invalid(name, wanted)
        if self._found is None:
            raise error
        self._found.append(error)
        return default


def check_settings(settings: StageSettings) -> tuple[str, ...]:
    """Refuse what cannot be carried; return warnings about what is ignored.

    Raises:
        AppError: ``unsupported-setting``, naming the setting and the reason; ``bad-config`` for a variable's name.
    """
    problems = Problems()
    problems.note(settings_problems(settings))
    problems.raise_all()
    return _warnings(settings)


def settings_problems(settings: StageSettings) -> Iterator[AppError]:
    """Yield an error for each setting that cannot be carried."""
    for name, value in settings.values.items():
        if value and _verdict(name) == "refused":
            yield unsupported(name, RULES[name].note)
    problems = Problems()
    problems.note(_callbacks_problems(settings))
    problems.note(_api_problems(settings))
    problems.note(_variables_problems(settings))
    yield from problems.found


def balancer_problems(settings: StageSettings, flex: FlexMessage | None) -> Iterator[AppError]:
    """Yield an error if the settings ask for a load balancer that nothing brings."""
    if not settings.flag(BALANCER, default=False):
        return
    if flex is None:
        hint = "Add a section [flex] with above and below to auto-lambda.toml, or remove alb_enabled."
        yield unsupported(BALANCER, "a load balancer is part of [flex], which auto-lambda.toml does not have", hint)
    elif flex.variant == "dns" and "variant" in flex.model_fields_set:
        hint = "Remove one of them: alb_enabled alone makes the variant standing-load-balancer."
        yield unsupported(BALANCER, "[flex] says variant = 'dns', which has no load balancer in front of Lambda", hint)


def unsupported(name: str, reason: str, hint: str = "") -> AppError:
    """Return the error for a setting that is not carried."""
    return AppError(
        Code.UNSUPPORTED_SETTING,
        f"the zappa setting {name!r} is not supported: {reason}",
        hint=hint or f"Remove it from the zappa settings. {SETTINGS_PAGE} lists what happens to each setting.",
    )


def _verdict(name: str) -> Verdict | None:
    rule = RULES.get(name)
    return rule.verdict if rule else None


def _counts(name: str, value: Any) -> bool:
    """Return whether an ignored setting asks for anything."""
    return value is False if name == "manage_roles" else value not in (None, False, "", [], {})


def _callbacks_problems(settings: StageSettings) -> Iterator[AppError]:
    for name in ("zip", "post"):
        if settings.section("callbacks").values.get(name):
            yield unsupported(
                f"callbacks.{name}",
                "nothing of an app runs on the machine that deploys it after it is packaged",
                hint="Use `prebuild_script` to make files before packaging, and remove the callback.",
            )


def _api_problems(settings: StageSettings) -> Iterator[AppError]:
    version = settings.text("apigateway_version", "v1")
    if version not in ("v1", "v2"):
        yield settings.invalid("apigateway_version", "'v1' or 'v2'")
    if version == "v2":
        for name in ("authorizer", "api_key_required", "apigateway_policy"):
            if settings.values.get(name) and not (name == "authorizer" and settings.flag("iam_authorization", False)):
                yield unsupported(
                    name, "an HTTP API (apigateway_version 'v2') would serve without it, open to all",
                    hint="Use apigateway_version 'v1', or remove the setting.",
                )  # fmt: skip


def _variables_problems(settings: StageSettings) -> Iterator[AppError]:
    """Yield an error for each name that no function may set, also where zappa's handler would do so."""
    for setting in ("environment_variables", "aws_environment_variables"):
        for name in settings.mapping(setting):
            if why := why_refused(name):
                yield AppError(
                    Code.BAD_CONFIG, f"the zappa setting {setting}: {why}",
                    hint="Leave the variable out, or choose another name.",
                )  # fmt: skip


def _warnings(settings: StageSettings) -> tuple[str, ...]:
    given = [name for name, value in settings.values.items() if _counts(name, value)]
    found = [
        f"the zappa setting {name!r} is ignored: {RULES[name].note}"
        for name in given
        if name in RULES
        and RULES[name].verdict == "ignored"
        and name not in _HARMLESS
        and name != "project_name"  # the front end has a better warning for it
    ]
    if quiet := sorted(_HARMLESS.intersection(given)):
        found.append(f"these zappa settings have no effect here and are ignored: {', '.join(quiet)}")
    if unknown := sorted(set(settings.values) - set(RULES)):
        found.append(f"zappa {ZAPPA_VERSION} has no such settings, they are ignored: {', '.join(unknown)}")
    if PYTHON_PATH in settings.mapping("environment_variables"):
        found.append(_LATE_PATH)
    return tuple(found)
