"""``auto-lambda pipeline``: the cloud side in an account, launched, shown, moved to a newer version, taken down."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auto_lambda_cli.exits import Exit, leave, plain_errors, say, tell
from auto_lambda_cli.extras import needs
from auto_lambda_cli.options import AsJson, pairs

if TYPE_CHECKING:
    from auto_lambda_cli.pipeline.checks import Check
    from auto_lambda_cli.pipeline.review import StackReview
    from auto_lambda_cli.pipeline.site import Site

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]}
)
Name = Annotated[str, typer.Option("--name", "-n", metavar="PIPELINE", help="The pipeline's name.")]
Region = Annotated[str | None, typer.Option("--region", help="The AWS region; by default the environment's.")]
Given = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter: docs/reference/pipeline-template.md; repeatable."),
]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="NAME=VALUE", help="A tag for its stacks; repeatable.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be changed.")]
DEFAULT = "auto-lambda"
_SIGNS = {"Add": "+", "Modify": "~", "Remove": "-"}
_GOES_ON = (
    "interrupted: AWS finishes the stack that it is at. Run the same command again: it waits for that and continues"
)


@app.command()
@needs("pipeline")
def up(
    name: Name = DEFAULT,
    region: Region = None,
    given: Given = None,
    tags: Tags = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Launch a pipeline, or change its parameters.

    Checks the account first, shows what would be changed, and asks. Parameters and tags that are not given stay as
    they are.
    Whatever interrupts it, the same command continues.

    Exit codes: 0 it is there, 1 failed, 2 nothing was changed, 130 interrupted.

    For example:

    - `auto-lambda pipeline up --set AlarmEmail=you@example.com`
    - `auto-lambda pipeline up --name staging --set WorkersMax=3 --yes --json`
    """
    site = partial(_site, name, region, pairs("--tag", tags))
    _launch(site, given, yes=yes, dry_run=dry_run, as_json=as_json, upgrade=False)


@app.command()
@needs("pipeline")
def upgrade(
    name: Name = DEFAULT,
    region: Region = None,
    given: Given = None,
    tags: Tags = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Move a pipeline to this version: its templates, the running instances, the items of its ledger.

    Build this version's image first: `auto-lambda ami build`. Uploads wait in the queue while instances are replaced.

    Exit codes: 0 it is of this version, 1 failed, 2 nothing was changed, 130 interrupted.
    """
    site = partial(_site, name, region, pairs("--tag", tags))
    _launch(site, given, yes=yes, dry_run=dry_run, as_json=as_json, upgrade=True)


@app.command()
@needs("pipeline")
def status(name: Name = DEFAULT, region: Region = None, as_json: AsJson = False) -> None:
    """Show a pipeline: its stacks, its version, what differs from this version's templates, its outputs.

    Exit codes: 0 it is there and complete, 1 it is not complete, 2 there is none.
    """
    from auto_lambda_cli.pipeline.status import examine

    with _told():
        site = _site(name, region)
        found = examine(site)
    if found is None:
        raise leave(
            Exit.USAGE, f"there is no pipeline {name} in {site.account}, {site.region}: auto-lambda pipeline up"
        )
    if as_json:
        say(json.dumps(found.as_json(), indent=2))
    else:
        say("\n".join(found.lines()))
    raise typer.Exit(Exit.OK if found.complete else Exit.FAILED)


@app.command()
@needs("pipeline")
def down(
    name: Name = DEFAULT, region: Region = None, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Remove a pipeline's fleet, roles, network, alarms and dashboard, but none of its data; list what is left.

    Uploads wait in the queue for up to 14 days; `auto-lambda pipeline up` brings everything back. Apps are not touched.

    Exit codes: 0 done, 1 failed, 2 nothing was changed, 130 interrupted.
    """
    from auto_lambda_cli.pipeline.launch import left, take_down
    from auto_lambda_cli.pipeline.parts import CORE, ORDER, stack_name

    with _told():
        site = _site(name, region)
        if site.stacks.describe(name) is None:
            raise leave(Exit.USAGE, f"there is no pipeline {name} in {site.account}, {site.region}")
        stacks = [stack_name(name, part) for part in reversed(ORDER) if part != CORE]
        tell(f"to be removed: {', '.join(stacks)} in {site.account}, {site.region}")
        if dry_run:
            rest = left(site)
        else:
            _confirm("Remove them?", yes=yes)
            with _begun():
                rest = take_down(site, _progress)
    if as_json:
        say(json.dumps({"pipeline": name, "removed": [] if dry_run else stacks, "left": rest}, indent=2))
        return
    tell("left:" if not dry_run else "would be left:")
    say("\n".join(rest))


@app.command()
@needs("pipeline")
def ledger(
    schema: Annotated[int, typer.Option("--schema", help="The version of the ledger's items to write.", min=1)],
    name: Name = DEFAULT,
    region: Region = None,
    yes: Yes = False,
) -> None:
    """Write the ledger's items in another schema, before you go back one version. Take the pipeline down first.

    Exit codes: 0 done, 1 failed, 2 nothing was changed, 130 interrupted.
    """
    from auto_lambda.aws.dynamodb import Table
    from auto_lambda_cli.pipeline.ledger import migrate
    from auto_lambda_cli.pipeline.ledger_schema import UnknownSchema

    with _told():
        site = _site(name, region)
        core = site.stacks.describe(name)
        if core is None:
            raise leave(Exit.USAGE, f"there is no pipeline {name} in {site.account}, {site.region}")
        _confirm(f"Write the items of {core.outputs['LedgerTable']} in schema {schema}?", yes=yes)
        try:
            count = migrate(Table(site.clients("dynamodb"), core.outputs["LedgerTable"]), schema)
        except UnknownSchema as error:
            raise leave(Exit.FAILED, str(error)) from None
    tell(f"{count} items written in schema {schema}")


def _launch(
    place: Callable[[], Site], given: list[str] | None, *, yes: bool, dry_run: bool, as_json: bool, upgrade: bool
) -> None:
    from auto_lambda_cli.pipeline.checks import check
    from auto_lambda_cli.pipeline.launch import choose, launch

    with _told():
        site = place()
        _right_command(site, upgrade=upgrade)
        chosen = choose(site, pairs("--set", given))
        checks = check(site, chosen)
        _show_checks(checks)
        steps = _reviewed(site, chosen)
        _show_steps(steps)
        if dry_run:
            _finish(site, checks, steps, None, as_json=as_json)
            return
        if any(step.changes for step in steps):
            _confirm(f"Make these changes in {site.account}, {site.region}?", yes=yes)
        with _begun():
            result = launch(site, chosen, steps, _progress)
    _finish(site, checks, steps, dict(result.outputs), as_json=as_json)
    if chosen["ImageExists"] == "false":
        tell(f"No instance is launched yet. Build the image, then run this command again:\n  {_build(chosen)}")


def _reviewed(site: Site, chosen: Mapping[str, str]) -> list[StackReview]:
    from auto_lambda.aws.cloudformation import StackFailed
    from auto_lambda_cli.pipeline.review import review

    try:
        return review(site, chosen, _progress)
    except StackFailed as error:
        raise leave(Exit.USAGE, f"nothing was changed: {error}") from None


def _progress(line: str) -> None:
    """Print what has ended, and what has failed and why; not what has only begun."""
    if "_IN_PROGRESS " not in line or ": " in line:
        tell(line)


def _right_command(site: Site, *, upgrade: bool) -> None:
    from auto_lambda import __version__

    there, version = site.stacks.describe(site.pipeline) is not None, site.memory().version
    old = site.single_stack() or version not in (None, __version__)
    if upgrade and not there:
        raise leave(
            Exit.USAGE, f"there is no pipeline {site.pipeline} in {site.account}, {site.region}: use pipeline up"
        )
    if not upgrade and old:
        told = f"of version {version}" if version else "of version 0.2.0 or before"
        raise leave(Exit.USAGE, f"the pipeline {site.pipeline} is {told}: use auto-lambda pipeline upgrade")


def _site(name: str, region: str | None, tags: Mapping[str, str] = MappingProxyType({})) -> Site:
    from auto_lambda.aws.session import client, make_session
    from auto_lambda_cli.pipeline.checks import find_site

    return find_site(name, region, cache(partial(client, make_session(region))), tags)


def _show_checks(checks: Sequence[Check]) -> None:
    for one in checks:
        tell(f"{one.state:<8} {one.what}: {one.text}")
    if any(one.state == "wrong" for one in checks):
        raise leave(Exit.USAGE, "nothing was changed")


def _show_steps(steps: Sequence[StackReview]) -> None:
    for step in steps:
        what = "is created" if step.new else "is updated" if step.changes else "stays as it is"
        tell(f"\nstack {step.stack} {what}")
        width = max((len(change.resource) for change in step.changes), default=0)
        for change in step.changes:
            sign = "!" if change.replacement == "True" else _SIGNS.get(change.action, "?")
            replaced = {"True": "  (replaced)", "Conditional": "  (perhaps replaced)"}.get(change.replacement, "")
            tell(f"  {sign} {change.resource:<{width}}  {change.kind}{replaced}")
    tell("")


def _finish(
    site: Site,
    checks: Sequence[Check],
    steps: Sequence[StackReview],
    outputs: dict[str, str] | None,
    *,
    as_json: bool,
) -> None:
    if as_json:
        say(json.dumps(_told_as_json(site, checks, steps, outputs), indent=2))
        return
    if outputs is None:
        tell("nothing was changed")
        return
    tell(f"the pipeline {site.pipeline} is there. Next:")
    say(f"export AUTO_LAMBDA_UPLOADS_BUCKET={outputs['UploadsBucket']}")
    tell("auto-lambda deploy FOLDER --name shop")


def _build(chosen: Mapping[str, str]) -> str:
    from auto_lambda_cli.pipeline.checks import image_parameter

    parameter = image_parameter(chosen)
    architecture = parameter.rpartition("/")[2]
    options = "" if architecture == "x86_64" else f" --architecture {architecture}"
    default = parameter == f"/auto-lambda/image/{architecture}"
    return f"auto-lambda ami build{options}" + ("" if default else f" --parameter {parameter}")


def _told_as_json(
    site: Site, checks: Sequence[Check], steps: Sequence[StackReview], outputs: dict[str, str] | None
) -> dict[str, Any]:
    return {
        "pipeline": site.pipeline,
        "account": site.account,
        "region": site.region,
        "changed": outputs is not None,
        "checks": [{"what": it.what, "state": it.state, "text": it.text} for it in checks],
        "stacks": [
            {
                "stack": step.stack,
                "new": step.new,
                "changes": [
                    {"action": it.action, "resource": it.resource, "type": it.kind, "replacement": it.replacement}
                    for it in step.changes
                ],
            }
            for step in steps
        ],
        "outputs": outputs,
    }


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise leave(
            Exit.USAGE, "nothing was changed: standard input is not a terminal, so there is no way to ask: use --yes"
        )
    if not typer.confirm(question, err=True):
        raise leave(Exit.USAGE, "nothing was changed")


@contextmanager
def _told() -> Iterator[None]:
    """End with one line about each kind of failure."""
    from auto_lambda_cli.pipeline.checks import LaunchRefused

    try:
        with plain_errors():
            yield
    except LaunchRefused as error:
        raise leave(Exit.USAGE, str(error)) from None
    except TimeoutError as error:
        raise leave(Exit.TIMED_OUT, f"{error}. Run the same command again: it waits for that and continues") from None
    except KeyboardInterrupt:
        raise leave(Exit.INTERRUPTED, _GOES_ON) from None


@contextmanager
def _begun() -> Iterator[None]:
    """End with what failed after changes were begun, and how to go on."""
    from botocore.exceptions import BotoCoreError, ClientError

    from auto_lambda.aws.cloudformation import StackFailed
    from auto_lambda_cli.pipeline.checks import LaunchRefused

    try:
        yield
    except (BotoCoreError, ClientError, LaunchRefused, StackFailed) as error:
        told = str(error) if isinstance(error, (LaunchRefused, StackFailed)) else f"AWS says: {error}"
        text = f"{told}\nWhat was made before that stays. Mend the cause and run the same command again"
        raise leave(Exit.FAILED, text) from None
