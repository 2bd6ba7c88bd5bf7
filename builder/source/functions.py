"""Read ``[functions.NAME]`` of ``auto-lambda.toml``: what one function is, and what calls it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from auto_lambda.errors import AppError
from auto_lambda.model import FrameworkName
from builder.function_options import FunctionOptions
from builder.schedule_expressions import refused
from builder.source import documents

ONLY_FUNCTION = "app"
"""The name of the only function of an app that names none: that of a zappa app, or of ``lambda_function.py``."""

MOST_FUNCTIONS = 50
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_LONGEST_PLACE = 100  # characters
_SNAP_START_DISK = 512  # MB
_ORDERED, _ORDERED_BATCH = ".fifo", 10

_IN_SETTINGS = "in the zappa settings"
_ELSEWHERE: Mapping[FrameworkName, Mapping[str, str]] = {
    "chalice": {
        "handler": "a decorator in app.py", "memory": "lambda_memory_size in .chalice/config.json",
        "timeout": "lambda_timeout in .chalice/config.json", "schedule": "@app.schedule in app.py",
        "queue": "@app.on_sqs_message in app.py", "topic": "@app.on_sns_message in app.py",
        "bucket": "@app.on_s3_event in app.py", "batch_size": "batch_size of @app.on_sqs_message in app.py",
        "policy": "iam_policy_file in .chalice/config.json",
    },
    "zappa": {
        "handler": f"lambda_handler {_IN_SETTINGS}", "memory": f"memory_size {_IN_SETTINGS}",
        "timeout": f"timeout_seconds {_IN_SETTINGS}", "disk": f"ephemeral_storage {_IN_SETTINGS}",
        "url": f"function_url_enabled {_IN_SETTINGS}", "schedule": f"events {_IN_SETTINGS}",
        "queue": f"events {_IN_SETTINGS}", "topic": f"events {_IN_SETTINGS}", "bucket": f"events {_IN_SETTINGS}",
        "batch_size": f"batch_size of an event_source {_IN_SETTINGS}",
        "dead_letter_queue": f"dead_letter_arn {_IN_SETTINGS}", "snap_start": f"snap_start {_IN_SETTINGS}",
        "provisioned": f"provisioned_concurrency {_IN_SETTINGS}", "policy": f"attach_policy {_IN_SETTINGS}",
    },
    "plain": {},
}  # fmt: skip
"""Where each framework has a setting of its own."""


_MEANINGS: Mapping[str, str] = {
    "handler": "module.function, as in 'orders.handler'",
    "memory": "a number of MB, 128 to 10240",
    "timeout": "a number of seconds, 1 to 900",
    "disk": "a number of MB, 512 to 10240",
    "url": "true for everybody, or 'signed' for calls signed as IAM demands",
    "schedule": "an expression, as in 'rate(5 minutes)', or a list of them",
    "queue": "the name or the ARN of a queue, or a list of them",
    "topic": "the name or the ARN of a topic, or a list of them",
    "bucket": "a bucket's name, or a table with name, prefix, suffix and events, or a list of them",
    "batch_size": "a number of messages, 1 to 10000",
    "partial_batches": "true or false",
    "dead_letter_queue": "the name or the ARN of a queue, or the ARN of a topic",
    "retries": "0, 1 or 2",
    "max_age": "a number of seconds, 60 to 21600",
    "snap_start": "true or false",
    "provisioned": "a number of environments, 1 to 1000",
    "policy": "the path of a JSON file in the app's folder",
}
SETTINGS = tuple(_MEANINGS)
"""What a function's table may hold."""


def read_functions(file: str, tables: Mapping[str, Any]) -> tuple[Mapping[str, FunctionOptions], AppError | None]:
    """Read the tables of all functions; return what of them is right, and one error for all that is not.

    Args:
        file: its path in the zip, for messages.
        tables: by name.
    """
    if len(tables) > MOST_FUNCTIONS:
        what = f"[functions] names more than {MOST_FUNCTIONS}"
        return {}, documents.bad_config(file, what, hint="Split the app.")
    read: dict[str, FunctionOptions] = {}
    wrong: list[str] = []
    for name, table in tables.items():
        if not _NAME.fullmatch(name):
            wrong.append(f"{documents.short_repr(name)} can't be the name of a function")
            continue
        found, mistakes = _read(table)
        wrong += [f"functions.{name}{one}" for one in mistakes]
        if found:
            read[name] = found
            wrong += [f"functions.{name}.{one}" for one in _conflicts(found)]
    wrong += _same_ids(read)
    if not wrong:
        return read, None
    hint = f"A function's settings are: {', '.join(SETTINGS)}. Names are letters, digits, - and _, a letter first."
    return read, documents.bad_config(file, "; ".join(wrong[:10]), hint=hint)


def _read(table: Any) -> tuple[FunctionOptions | None, list[str]]:
    """Return a function's settings without those that are wrong, and what is wrong with these."""
    try:
        return FunctionOptions.model_validate(table), []
    except ValidationError as error:
        mistakes = list(_mistakes(error))
        bad = {one["loc"][0] for one in error.errors(include_url=False) if one["loc"]}
    if not isinstance(table, dict) or "handler" in bad:
        return None, mistakes
    return FunctionOptions.model_validate({name: value for name, value in table.items() if name not in bad}), mistakes


def logical_id(name: str) -> str:
    """Return the logical id of a plain function: ``resize-images`` becomes ``ResizeImages``."""
    return "".join(part[:1].upper() + part[1:] for part in re.split("[-_]", name))


def check_for(framework: FrameworkName, functions: Mapping[str, FunctionOptions], file: str) -> None:
    """Raise if a function has a setting that the framework has itself: one place for each is enough.

    Raises:
        AppError: ``bad-config``, with where to write each of them.
    """
    given = [(name, one) for name, table in functions.items() for one in _given(table)]
    own = _ELSEWHERE[framework]
    doubled = [f"functions.{name}.{one} is {own[one]}" for name, one in given if one in own]
    if doubled:
        raise documents.bad_config(
            file,
            f"{framework} has settings of its own for this: {'; '.join(doubled[:10])}",
            hint="Write them there, and leave them out here; [functions.NAME] has what the framework lacks. "
            f'For handlers without {framework}, set framework = "plain".',
        )
    if framework == "zappa" and (others := sorted(set(functions) - {ONLY_FUNCTION})):
        raise documents.bad_config(
            file,
            f"a zappa app is one function, and [functions] names {documents.join_names(others)}",
            hint=f"Call it [functions.{ONLY_FUNCTION}].",
        )


def _given(table: FunctionOptions) -> Iterator[str]:
    return (name for name in SETTINGS if getattr(table, name) != FunctionOptions.model_fields[name].default)


def _mistakes(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False):
        place = ".".join(map(str, one["loc"]))[:_LONGEST_PLACE]
        if one["type"] == "extra_forbidden":
            yield f".{place} is no setting"
        elif not place:
            yield " is no table of settings"
        else:
            meaning = _MEANINGS[str(one["loc"][0])]
            yield f".{place} is {documents.short_repr(one['input'])}, but has to be {meaning}"


def _conflicts(table: FunctionOptions) -> Iterator[str]:
    for expression in table.schedule:
        if why := refused(expression):
            yield f"schedule: {why}"
    # https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
    if table.snap_start and table.provisioned:
        yield "snap_start can't be had together with provisioned"
    if table.snap_start and (table.disk or 0) > _SNAP_START_DISK:
        yield f"snap_start can't be had with a disk of more than {_SNAP_START_DISK} MB"
    # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    if table.batch_size and not table.queue:
        yield "batch_size is for messages of a queue, and no queue is named"
    if (table.batch_size or 0) > _ORDERED_BATCH and any(one.endswith(_ORDERED) for one in table.queue):
        yield f"batch_size can't be more than {_ORDERED_BATCH} for a queue that keeps the order ({_ORDERED})"
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    if (table.dead_letter_queue or "").endswith(_ORDERED):
        yield f"dead_letter_queue can't be one that keeps the order ({_ORDERED})"
    # https://docs.aws.amazon.com/sns/latest/dg/fifo-topic-message-delivery.html
    if any(one.endswith(_ORDERED) for one in table.topic):
        yield f"topic can't be one that keeps the order ({_ORDERED}): it calls no functions"


def _same_ids(functions: Mapping[str, FunctionOptions]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for name in functions:
        if (other := seen.setdefault(logical_id(name), name)) != name:
            yield f"functions.{other} and functions.{name} are too alike"
