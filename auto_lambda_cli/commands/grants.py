"""``auto-lambda grants``: what apps may reach beyond their own, for the platform team."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auto_lambda_cli.exits import Exit, leave, plain_errors, say, tell
from auto_lambda_cli.extras import needs
from auto_lambda_cli.options import AsJson, Bucket, Local
from auto_lambda_cli.target import app_named, choose, setting

if TYPE_CHECKING:
    from auto_lambda.aws.s3 import ObjectStore
    from auto_lambda.grants import Grants
    from auto_lambda.keys import App

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]}
)

Name = Annotated[str | None, typer.Argument(help="The app's name.", show_default=False)]
Stage = Annotated[str, typer.Option("--stage", "-s", help="The stage it is deployed to.", metavar="STAGE")]

MEANINGS = {
    "statements": "IAM statements that its roles may hold",
    "subnets": "subnets that its functions may be in",
    "security_groups": "security groups that its functions may have",
    "file_systems": "EFS access points that its functions may mount",
    "layers": "layer versions of others",
    "keys": "KMS keys",
    "buckets": "buckets whose events it may receive",
    "queues": "SQS queues to read, or to send to",
    "topics": "SNS topics to subscribe to, or to publish to",
    "streams": "Kinesis and DynamoDB streams to read",
    "tables": "DynamoDB tables of others",
    "buses": "event buses for its rules and events",
    "functions": "functions of others to call, or to have as authorizers",
    "user_pools": "Cognito user pools for its authorizers",
    "roles": "roles of others that its functions may have",
    "vpc_endpoints": "VPC endpoints by which its private APIs are reached",
    "domains": "host names that its APIs may have beside its own",
    "alarms": "alarms that may send its traffic back",
    "api_keys": "API keys of others that its usage plans accept",
    "managed_policies": "managed policies that its roles may have",
    "boundary": "the permissions boundary of its roles",
    "quotas": "limits that differ from the pipeline's",
    "approve": "whether releases whose roles may do more wait for an approval",
    "traffic": "whether its releases have to take the traffic over gradually",
}


@app.command()
@needs("worker")
def show(
    name: Name = None, stage: Stage = "dev", as_json: AsJson = False, local: Local = False, bucket: Bucket = None
) -> None:
    """Show what is granted to an app, with what its whole stage has; without a name, what the stage has.

    Example: `auto-lambda grants show shop --stage prod`
    """
    from auto_lambda.grants import default_key, grants_key

    keys = [default_key(stage), *([grants_key(app_named(name, stage))] if name else [])]
    choose(local=local, bucket=bucket)
    with plain_errors():
        store = _store()
        files = {key: _described(store, key) for key in dict.fromkeys(keys)}
    if as_json:
        say(json.dumps(files, indent=2))
        return
    for key, file in files.items():
        if file is None:
            say(f"{key}: does not exist, so it grants nothing")
            continue
        say(f"{key}, since {file['modified']}, version {file['version']}:")
        for field, value in file["grants"].items():
            say(f"  {field}: {MEANINGS[field]}")
            for one in value if isinstance(value, list) else [value]:
                say(f"    {one if isinstance(one, str) else json.dumps(one)}")


@app.command(name="set")
@needs("worker")
def set_(
    name: Name = None,
    default: Annotated[bool, typer.Option("--default", help="For every app of the stage.")] = False,
    stage: Stage = "dev",
    whole: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="Replace the grants by a JSON file; - is standard input."),
    ] = None,
    merge: Annotated[
        str | None, typer.Option("--merge", metavar="FILE", help="Add those of a JSON file; - is standard input.")
    ] = None,
    add: Annotated[
        list[str] | None, typer.Option("--add", metavar="LIST=VALUE", help="Add one, such as queues=ARN.")
    ] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", metavar="LIST=VALUE", help="Remove one.")] = None,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Change the grants of an app, or with `--default` those of every app of a stage. They count from the next drop on.

    Examples:
    - `auto-lambda grants set shop --stage prod --add queues=arn:aws:sqs:eu-central-1:123456789012:jobs`
    - `auto-lambda grants set shop --stage prod --merge grants.json`
    - `auto-lambda grants set --default --stage prod --add approve=widenings`
    """
    from auto_lambda.grants import Grants

    key = _key(name, stage, default=default)
    if not (whole or merge or add or remove):
        raise leave(Exit.USAGE, "nothing to set: use --from, --merge, --add or --remove")
    replaced = _read(whole) if whole else None
    added = [_read(merge)] if merge else []
    added += [_one(text) for text in add or ()]
    removed = [_one(text) for text in remove or ()]
    choose(local=local, bucket=bucket)
    with plain_errors():
        store = _store()
        before = Grants() if (file := _described(store, key)) is None else _grants(json.dumps(file["grants"]), key)
        after = before if replaced is None else replaced
        for one in added:
            after = after.merged(one)
        for one in removed:
            after = after.without(one)
        if after != before:
            store.put(_bucket(), key, after.text().encode(), "application/json")
    if as_json:
        say(after.text(), nl=False)
    changes = _changes(before, after)
    tell("\n".join((f"{key}:", *changes)) if changes else f"{key}: has it already")


@app.command()
@needs("worker")
def check(
    name: Annotated[str, typer.Argument(help="The app's name.", show_default=False)],
    stage: Stage = "dev",
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Compare the live release of an app with its grants: what it uses, what is unused, what would be refused today.

    Exit codes: 0 nothing would be refused, 1 something would.
    """
    checked = app_named(name, stage)
    choose(local=local, bucket=bucket)
    with plain_errors():
        found = _check(checked)
    if as_json:
        say(json.dumps(found, indent=2))
    else:
        for title, lines in (("its roles may", "has"), ("granted, but not used", "unused"), ("not granted", "refused")):
            say(f"{title}:")
            say("\n".join(f"  {line}" for line in found[lines]) or "  nothing")
        if found["suggested"]:
            say(f"grants that would allow it:\n{json.dumps(found['suggested'], indent=2)}")
    if found["refused"]:
        raise typer.Exit(Exit.FAILED)


def _check(checked: App) -> dict[str, Any]:
    from auto_lambda.aws import sts
    from auto_lambda.aws.dynamodb import Table
    from auto_lambda.aws.session import client, make_session
    from auto_lambda.grants import default_key, grants_key
    from auto_lambda_cli.queries.operations import place_of
    from worker.deploy.rights.permissions import permissions_of
    from worker.deploy.rights.review import refused_lines, review
    from worker.deploy.rights.suggest import suggested, unused
    from worker.records.ledger import Ledger

    session, store = make_session(), _store()
    live = Ledger(Table(client(session, "dynamodb"), setting("AUTO_LAMBDA_TABLE"))).record(checked).live
    if live is None:
        raise leave(Exit.FAILED, f"{checked} is not live: there is nothing to compare with its grants")
    template = json.loads(store.get(_bucket(), live.template_key))
    own, shared = (_stored(store, key) for key in (grants_key(checked), default_key(checked.stage)))
    grants, place = own.with_default(shared), place_of(sts.whoami(client(session, "sts")), session.region_name)
    pipelines = (_bucket(), setting("AUTO_LAMBDA_TABLE"))
    found = review(checked, template, None, grants, place, pipelines)
    return {
        "has": found.diff.has,
        "unused": unused(template, permissions_of(template, place), grants, place),
        "refused": refused_lines(found),
        "suggested": suggested(found.grantable),
    }


def _key(name: str | None, stage: str, *, default: bool) -> str:
    from auto_lambda.grants import DEFAULT_NAME, default_key, grants_key

    if default == (name is not None):
        raise leave(Exit.USAGE, "whose grants? Give the name of one app, or --default for every app of the stage")
    if name == DEFAULT_NAME:
        raise leave(Exit.USAGE, "an app that is called default has the grants of its stage: use --default")
    return grants_key(app_named(name, stage)) if name else default_key(app_named(DEFAULT_NAME, stage).stage)


def _bucket() -> str:
    return setting("AUTO_LAMBDA_ARTIFACTS_BUCKET")


def _store() -> ObjectStore:
    from auto_lambda.aws.s3 import ObjectStore
    from auto_lambda.aws.session import client, make_session

    return ObjectStore(client(make_session(), "s3"))


def _described(store: ObjectStore, key: str) -> dict[str, Any] | None:
    from auto_lambda.aws.s3 import ObjectMissing

    try:
        head = store.head(_bucket(), key)
        text = store.get(_bucket(), key)
    except ObjectMissing:
        return None
    grants = _grants(text, key).model_dump(mode="json", exclude_defaults=True)
    return {"modified": head.modified.isoformat(timespec="seconds"), "version": head.version, "grants": grants}


def _stored(store: ObjectStore, key: str) -> Grants:
    from auto_lambda.grants import Grants

    file = _described(store, key)
    return Grants.model_validate(file["grants"]) if file else Grants()


def _grants(text: str | bytes, source: str) -> Grants:
    from auto_lambda.grants import BadGrants, Grants
    from worker.deploy.rights.access import check_quotas

    try:
        return check_quotas(Grants.read(text))
    except BadGrants as error:
        raise leave(Exit.USAGE, f"{source} cannot be read:\n{error}") from None


def _read(file: str) -> Grants:
    try:
        text = typer.get_text_stream("stdin").read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise leave(Exit.USAGE, f"{file} cannot be read: {error}") from None
    return _grants(text, "standard input" if file == "-" else file)


def _one(text: str) -> Grants:
    """Read ``LIST=VALUE``; a statement is JSON, a quota is ``quotas=NAME=NUMBER``."""
    field, _, value = text.partition("=")
    if field not in MEANINGS or not value:
        raise leave(Exit.USAGE, f"{text!r} is not LIST=VALUE; the lists are {', '.join(MEANINGS)}")
    name, _, number = value.partition("=")
    made: Any = {"quotas": {name: number}, "boundary": value, "approve": value, "traffic": value}.get(field, [value])
    if field == "statements":
        return _grants(f'{{"statements": [{value}]}}', text)
    return _grants(json.dumps({field: made}), text)


def _changes(before: Grants, after: Grants) -> tuple[str, ...]:
    from auto_lambda.receipts import signed

    old, new = (set(_lines(grants)) for grants in (before, after))
    return signed(sorted(new - old), sorted(old - new))


def _lines(grants: Grants) -> list[str]:
    said = grants.model_dump(mode="json", exclude_defaults=True)
    return [
        f"{field}: {one if isinstance(one, str) else json.dumps(one)}"
        for field, value in said.items()
        for one in (value if isinstance(value, list) else [value])
    ]
