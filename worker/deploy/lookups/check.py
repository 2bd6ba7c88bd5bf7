"""Refuses an app whose queues, topics, streams, buckets or networks do not exist, before anything is changed.

A schema cannot know this. Only what has passed the gate is looked up: the app's own, what it is granted, and in an open
pipeline what is in the account. A look-up that is denied or fails is told as a warning, and refuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from auto_lambda.aws.existence import Existing, QueueFacts
from auto_lambda.errors import AppError, Code, first_lines
from auto_lambda.namespace import Place
from worker.deploy.lookups.domains import check_domains
from worker.deploy.lookups.uses import TRIGGER, Use, uses
from worker.model import Bundle

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
TIMES_VISIBLE = 6
LEAST_RECEIVES = 5
_SHOWN = 10
_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "chalice": {
        "queue": "@app.on_sqs_message", "topic": "@app.on_sns_message", "stream": "@app.on_kinesis_record",
        "table stream": "@app.on_dynamodb_record", "bucket": "@app.on_s3_event", "subnet": "subnet_ids",
        "security group": "security_group_ids", "timeout": "lambda_timeout",
        "DeadLetterConfig.TargetArn": "functions.NAME.dead_letter_queue",
    },
    "zappa": {
        "queue": "event_source.arn", "topic": "event_source.arn", "stream": "event_source.arn",
        "table stream": "event_source.arn", "bucket": "event_source.arn", "subnet": "vpc_config.SubnetIds",
        "security group": "vpc_config.SecurityGroupIds", "timeout": "timeout_seconds",
        "DeadLetterConfig.TargetArn": "dead_letter_arn",
    },
    "plain": {
        "queue": "functions.NAME.queue", "topic": "functions.NAME.topic", "bucket": "functions.NAME.bucket",
        "timeout": "functions.NAME.timeout", "DeadLetterConfig.TargetArn": "functions.NAME.dead_letter_queue",
    },
}  # fmt: skip
"""An app's author names a kind of thing by these; a path of its own comes first."""


@dataclass(frozen=True, slots=True)
class _Problem:
    use: Use
    text: str


class LookUps:
    """Looks up what bundles refer to.

    Args:
        existing: asks AWS.
        place: where the pipeline is.
    """

    def __init__(self, existing: Existing, place: Place) -> None:
        self._existing = existing
        self._place = place

    def check(self, bundle: Bundle, warn: Callable[[str], None]) -> None:
        """Return if everything is there.

        Args:
            bundle: which has passed the gate.
            warn: takes what does not keep the app from being deployed.

        Raises:
            AppError: ``domain-taken``, ``bad-config``, or ``bucket-notification-failed`` if only buckets are missing.
        """
        check_domains(self._existing, bundle, warn)
        wanted = list(dict.fromkeys(uses(bundle, self._place)))
        problems = [*self._networks(wanted, warn)]
        for use in wanted:
            problems += self._one(use, bundle.framework, warn)
        if problems:
            raise _refused(problems, bundle.framework)

    def _one(self, use: Use, framework: str, warn: Callable[[str], None]) -> Iterator[_Problem]:
        if use.region and use.region != self._place.region:
            if use.path == TRIGGER:
                text = f"{use.kind} {use.id} is in another region: triggers are of the app's own, {self._place.region}"
                yield _Problem(use, text)
            return
        try:
            match use.kind:
                case "queue":
                    yield from self._queue(use, framework, warn)
                case "topic":
                    yield from self._missing(use, self._existing.topic(use.id))
                case "stream":
                    yield from self._missing(use, self._existing.stream(use.name))
                case "table stream":
                    found = self._existing.table_stream(use.name)
                    yield from self._missing(use, found is not None)
                    if found is not None and found != use.id:
                        warn(f"table {use.name} has another stream now than {use.id}: {found or 'none'}")
                case "bucket":
                    yield from self._missing(use, self._existing.bucket(use.id))
        except Exception as error:  # noqa: BLE001 - whatever it is, the deployment shows whether it matters
            warn(_unknown(use.kind, use.id, error))

    def _networks(self, wanted: Iterable[Use], warn: Callable[[str], None]) -> Iterator[_Problem]:
        for kind, look in (("subnet", self._existing.subnets), ("security group", self._existing.security_groups)):
            named = [use for use in wanted if use.kind == kind]
            if not named:
                continue
            ids = sorted({use.id for use in named})
            try:
                found = look(ids)
            except Exception as error:  # noqa: BLE001 - as above
                warn(_unknown(kind, ", ".join(ids), error))
                continue
            for use in named:
                yield from self._missing(use, use.id in found)

    def _missing(self, use: Use, exists: bool) -> Iterator[_Problem]:
        if exists:
            return
        if use.account not in ("", self._place.account):
            raise LookupError("it is in another account")  # which does not tell what we may not see from what is not
        yield _Problem(use, f"{use.kind} {use.id} does not exist")

    def _queue(self, use: Use, framework: str, warn: Callable[[str], None]) -> Iterator[_Problem]:
        facts = self._existing.queue(use.name, use.account)
        if facts is None:
            yield from self._missing(use, exists=False)
        elif use.timeout is not None:
            if facts.visibility < use.timeout:
                setting = _SETTINGS.get(framework, {}).get("timeout", "Timeout")
                yield _Problem(
                    use,
                    f"queue {use.name} hides messages for {facts.visibility} s (its visibility timeout), and the "
                    f"function may run for {use.timeout} s ({setting}): AWS refuses such a trigger",
                )
            else:
                _advise(use, use.timeout, facts, warn)


def _advise(use: Use, timeout: int, facts: QueueFacts, warn: Callable[[str], None]) -> None:
    if facts.visibility < TIMES_VISIBLE * timeout:
        warn(
            f"queue {use.name} hides messages for {facts.visibility} s (its visibility timeout). AWS advises six times "
            f"the function's timeout, {TIMES_VISIBLE * timeout} s: with less, messages are handled twice under load"
        )
    if facts.max_receives is not None and facts.max_receives < LEAST_RECEIVES:
        warn(
            f"queue {use.name} gives messages up after {facts.max_receives} receives (maxReceiveCount). AWS advises at "
            f"least {LEAST_RECEIVES}: with less, it gives up messages that the function had no room for"
        )


def _unknown(kind: str, what: str, error: Exception) -> str:
    return f"{kind} {what} could not be looked up, so it may be missing: {error}"


def _refused(problems: list[_Problem], framework: str) -> AppError:
    names = _SETTINGS.get(framework, {})

    def line(one: _Problem) -> str:
        place, setting = f"{one.use.path} of {one.use.resource}", _setting(one.use, names)
        return f"{setting} ({place}): {one.text}" if setting else f"{place}: {one.text}"

    only_buckets = all(one.use.kind == "bucket" for one in problems)
    return AppError(
        Code.BUCKET_NOTIFICATION_FAILED if only_buckets else Code.BAD_CONFIG,
        "The app needs what is not there:\n" + "\n".join(first_lines(list(dict.fromkeys(map(line, problems))), _SHOWN)),
        hint="Make what the lines name, in this account and region, or change it or the settings that name it; then "
        "drop the app again. Nothing was changed.",
    )


def _setting(use: Use, names: Mapping[str, str]) -> str | None:
    """Return where the app's author names it. Targets of failures have a setting of their own, or none."""
    target = use.path.startswith(("DeadLetterConfig.", "DestinationConfig."))
    return names.get(use.path if target else use.kind)
