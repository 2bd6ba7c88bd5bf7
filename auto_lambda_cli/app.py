"""Every command with its options and its help. Each command is implemented in a module of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from auto_lambda import __version__
from auto_lambda_cli.commands.ami import app as ami
from auto_lambda_cli.commands.approve import approve
from auto_lambda_cli.commands.apps.common import Name, Stage
from auto_lambda_cli.commands.apps.completion import app_names
from auto_lambda_cli.commands.apps.register import add_to as add_commands_of_apps
from auto_lambda_cli.commands.apps.traffic import app as traffic
from auto_lambda_cli.commands.console import console
from auto_lambda_cli.commands.daemons import checker, worker
from auto_lambda_cli.commands.ecs import app as ecs
from auto_lambda_cli.commands.flex import app as flex
from auto_lambda_cli.commands.grants import app as grants
from auto_lambda_cli.commands.logs import logs
from auto_lambda_cli.commands.pipeline import app as pipeline
from auto_lambda_cli.commands.simulate.group import app as simulations
from auto_lambda_cli.extras import needs
from auto_lambda_cli.options import AsJson, Bucket, Local, OpenBrowser, WorkFolder

MORE_HELP = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="auto-lambda",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings=MORE_HELP,
)
local = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", context_settings=MORE_HELP)
app.add_typer(local, name="local", help="The whole pipeline on this machine, without AWS and without docker.")
app.add_typer(grants, name="grants", help="What apps may reach beyond their own, for the platform team.")
app.add_typer(ecs, name="ecs", help="The ECS updater: what follows what, what runs, and why not.")
app.add_typer(
    flex, name="flex", help="Apps that move between Lambda and Fargate: where they are, and moving one by hand."
)
app.add_typer(
    traffic, name="traffic", help="While the traffic of an app shifts: give it all, or none, to the new release."
)
app.add_typer(pipeline, name="pipeline", help="The cloud side in an AWS account: launch, show, upgrade, take down.")
app.add_typer(simulations, name="simulate", help="What a fleet, or an app that flexes, would cost, and how fast.")
app.add_typer(ami, name="ami", help="The machine image that workers and the checker run on.")

Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is live or has failed.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait at most.", min=1)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"auto-lambda {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)] = False,
) -> None:
    """Upload the zip of a chalice, zappa or plain app to a bucket, and it becomes a live AWS Lambda function.

    To try it without AWS:

    - `auto-lambda demo`: watch four real apps go live
    - `auto-lambda local up`: the same stack, kept running for your own zips; then, in another terminal,
      `auto-lambda deploy FOLDER --name shop`

    With a pipeline on AWS, set AUTO_LAMBDA_UPLOADS_BUCKET to its bucket; `auto-lambda deploy` works the same.
    """


@local.command("up")
@needs("local")
def local_up(
    port: Annotated[
        int | None,
        typer.Option(help="The port of the embedded AWS on 127.0.0.1; a free one by default.", min=1, max=65535),
    ] = None,
    workers: Annotated[int, typer.Option(help="The number of workers.", min=1, max=16)] = 1,
    fleet: Annotated[
        bool, typer.Option("--fleet", help="Start and stop workers as Auto Scaling would, by the template's policies.")
    ] = False,
    largest: Annotated[
        int | None,
        typer.Option("--max", help="With --fleet: the maximum number of workers.", min=1, max=50, show_default="10"),
    ] = None,
    boot_seconds: Annotated[
        float | None,
        typer.Option(help="With --fleet: how long an instance takes to boot.", min=0, max=600, show_default="3"),
    ] = None,
    undeploy_on_delete: Annotated[
        bool, typer.Option("--undeploy-on-delete", help="Remove an app from AWS when its zip is deleted.")
    ] = False,
    app_rights: Annotated[
        Literal["account", "granted"],
        typer.Option(help="What apps may reach: all of the account, or their own namespace and what grants add."),
    ] = "account",
    domain: Annotated[
        str, typer.Option(help="Give each app a name below this domain, as flex needs it.", metavar="DOMAIN")
    ] = "",
    folder: WorkFolder = None,
) -> None:
    """Start an embedded AWS with the whole pipeline in it, and run until Ctrl-C.

    When everything is ready, this prints one line of JSON, unless standard output is a terminal: endpoint, bucket,
    queue, and the environment variables that point any AWS client there. Everything else goes to standard error.

    Then, in another terminal (in a folder of the examples, if you have no app yet):

    - `auto-lambda deploy . --name quotes`
    - `auto-lambda status`

    With `--fleet` there is no worker at first: an Auto Scaling emulator starts and stops workers by the policies and
    alarms of the template.
    """
    from auto_lambda_cli.commands.local import fleet_options, up

    options = fleet_options(fleet, workers, largest, boot_seconds)
    up(port, workers, folder, options, undeploys=undeploy_on_delete, app_rights=app_rights, domain=domain)


@app.command()
@needs("local")
def demo(
    folder: WorkFolder = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running at the end, until Ctrl-C.")] = False,
    browser: OpenBrowser = True,
) -> None:
    """Start a local stack, upload four real apps, and watch them go live, here and in the console.

    Exit code 0 if all four answer, else 1.
    """
    from auto_lambda_cli.commands.local import demo as run

    raise typer.Exit(run(folder, keep=keep, browser=browser))


@app.command()
def deploy(
    source: Annotated[
        Path, typer.Argument(metavar="APP.zip|FOLDER", help="A zip, or a folder to zip.", show_default=False)
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            "-n",
            metavar="NAME",
            help="The app's name; by default that of the zip or folder.",
            show_default=False,
        ),
    ] = None,
    stage: Stage = "dev",
    wait: Wait = True,
    timeout: Timeout = 900,
    as_json: AsJson = False,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Of a folder: pack what matches, even if it would be left out. As in .gitignore; may be repeated.",
            show_default=False,
        ),
    ] = None,
    commit: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="The commit that it was made from, for the receipt.", show_default=False),
    ] = None,
    repository: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="The repository of that commit.", show_default=False),
    ] = None,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Upload an app and follow it until it is live.

    A folder is zipped without files that may hold secrets (`.env`, private keys), files that `.gitignore` names, and
    files of version control, virtual environments and caches; what was left out is printed. Progress goes to standard
    error; standard output gets the URL, or the receipt with `--json`.

    Exit codes: 0 live, 1 failed, 2 wrong usage (nothing was uploaded), 3 not live in time.

    For example:

    - `auto-lambda deploy shop.zip`
    - `auto-lambda deploy . --name shop --stage prod`
    - `auto-lambda deploy shop/ --json | jq -r .url`
    """
    from auto_lambda_cli.commands.deploy import deploy as run
    from auto_lambda_cli.outcome import Following

    following = Following(wait, timeout, as_json)
    code = run(
        source, name, stage, following,
        local=local, bucket=bucket, include=include or (), commit=commit, repository=repository,
    )  # fmt: skip
    raise typer.Exit(code)


@app.command()
def rollback(
    name: Name,
    stage: Stage = "dev",
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="VERSION",
            help="The version of the zip in the bucket; by default the one that was live before.",
            show_default=False,
        ),
    ] = None,
    dry_run: DryRun = False,
    wait: Wait = True,
    timeout: Timeout = 900,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Make the previous release live again, unchanged: nothing is resolved or built again.

    The earlier zip becomes the newest version in the bucket, so the bucket still says what should be live. A second
    rollback goes back one further; `--to` selects any release. `auto-lambda status --history NAME` lists them.

    Exit codes: 0 live, 1 failed (what was live still is), 2 nothing was done, 3 not live in time.

    For example:

    - `auto-lambda rollback shop --stage prod`
    - `auto-lambda rollback shop --to 3HL4kqtJlcpXroDTDmJrmSpXd3dIbrHY`
    """
    from auto_lambda_cli.commands.rollback import rollback as run
    from auto_lambda_cli.outcome import Following

    following = Following(wait, timeout, as_json)
    raise typer.Exit(run(name, stage, to, following, dry_run=dry_run, local=local, bucket=bucket))


@app.command()
def undeploy(
    name: Name,
    stage: Stage = "dev",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: DryRun = False,
    wait: Wait = True,
    timeout: Timeout = 900,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Delete an app's zip, and wait until the app is removed from AWS, with its functions, routes and roles.

    Only for a pipeline with `UndeployOnDelete`; any other would keep the app, so nothing is done there. The versions of
    the zip stay in the bucket: `auto-lambda rollback NAME --to VERSION` restores one.

    Exit codes: 0 gone, 1 failed, 2 nothing was done, 3 not gone in time.

    Example: `auto-lambda undeploy shop --stage qa`
    """
    from auto_lambda_cli.commands.undeploy import undeploy as run
    from auto_lambda_cli.outcome import Following

    following = Following(wait, timeout, as_json)
    raise typer.Exit(run(name, stage, following, yes=yes, dry_run=dry_run, local=local, bucket=bucket))


@app.command()
def status(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="One app: what is live, what is under way, what failed.", autocompletion=app_names
        ),
    ] = None,
    history: Annotated[
        str | None,
        typer.Option("--history", metavar="APP", help="List the attempts to deploy one app in the last 90 days."),
    ] = None,
    stage: Stage = "dev",
    prefix: Annotated[
        str, typer.Option(metavar="STAGE/NAME", help="List the apps whose key, after apps/, begins with this.")
    ] = "",
    watch: Annotated[
        bool,
        typer.Option("--watch", "-w", help="Watch the queue, workers, running builds and latest receipts."),
    ] = False,
    interval: Annotated[
        float, typer.Option(help="With --watch: the seconds between two updates.", min=0.5, max=3600)
    ] = 2,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """List every app in the bucket with the status of its newest zip and its URL, or tell all about one.

    With a name: which release is live, since when and by whom, what is under way, and the last failures.

    With `--watch`: show what the whole pipeline is doing. On a terminal the view is redrawn in place, otherwise each
    change is printed as a block; with `--json` each update is one line.
    """
    if sum(map(bool, (watch, history, prefix, name))) > 1:
        from auto_lambda_cli.exits import Exit, leave

        told = "NAME and --history show one app, --watch the pipeline, --prefix some apps: use only one of them"
        raise leave(Exit.USAGE, told)
    if name:
        from auto_lambda_cli.commands.apps.state import state

        state(name, stage, as_json=as_json, local=local, bucket=bucket)
        return
    if watch:
        from auto_lambda_cli.progress.watch import watch as follow

        raise typer.Exit(follow(interval=interval, as_json=as_json, local=local, bucket=bucket))
    if history:
        from auto_lambda_cli.commands.history import history as show

        raise typer.Exit(show(history, stage, as_json=as_json, local=local, bucket=bucket))
    from auto_lambda_cli.commands.status import status as run

    run(prefix=prefix, as_json=as_json, local=local, bucket=bucket)


app.command()(logs)
add_commands_of_apps(app)


app.command()(approve)
app.command()(needs("console")(console))


@app.command()
def redrive(
    app_name: Annotated[
        str | None, typer.Option("--app", metavar="APP", help="Only messages about this app: NAME or STAGE/NAME.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """List the messages in the dead-letter queue, with the reason, and return them to the queue to be retried."""
    from auto_lambda_cli.commands.redrive import redrive as run

    raise typer.Exit(run(app_name, dry_run=dry_run, as_json=as_json, local=local, bucket=bucket))


@app.command()
@needs("worker")
def doctor(
    only_machine: Annotated[bool, typer.Option("--machine", help="Check only this machine, not the pipeline.")] = False,
    as_json: AsJson = False,
    local: Local = False,
) -> None:
    """Check what a worker needs from this machine and its pipeline, and say what is wrong and how to fix it.

    It uses a worker's settings, AUTO_LAMBDA_* in the environment, or a running local stack. It only reads.

    Exit codes: 0 nothing is broken, 1 something is broken.

    To run it as the worker's user on an instance of the fleet: docs/reference/command-line.md
    """
    from auto_lambda_cli.commands.doctor import doctor as run

    raise typer.Exit(run(as_json=as_json, local=local, only_machine=only_machine))


@app.command()
def reconcile(
    deleted: Annotated[
        bool,
        typer.Option(
            "--deleted",
            envvar="AUTO_LAMBDA_UNDEPLOY_ON_DELETE",
            help="Deleted zips too, in a pipeline with UndeployOnDelete.",
        ),
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    local: Local = False,
    bucket: Bucket = None,
) -> None:
    """Find uploads that no worker has received, and send a message for each. Workers do the same every few hours."""
    from auto_lambda_cli.commands.reconcile import reconcile as run

    raise typer.Exit(run(deleted=deleted, dry_run=dry_run, as_json=as_json, local=local, bucket=bucket))


app.command()(needs("worker")(worker))
app.command()(needs("checker")(checker))
