"""Prove on an AWS account what only an account can show, and remove everything again: `make e2e-aws`.

It makes things that cost money: AUTO_LAMBDA_E2E_ACCOUNT, AWS_PROFILE (or keys) and AWS_REGION have to say where, and it
tells what it will take and asks. docs/how-to/try-it-on-aws.md has what it costs and which rights it needs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from e2e_aws.cleaning import clean, runs
from e2e_aws.consent import Refused, check_account, check_environ, estimate
from e2e_aws.model import Stage
from e2e_aws.perform import perform
from e2e_aws.place import Place
from e2e_aws.report import Report
from e2e_aws.run import NAME, Run, new_name
from e2e_aws.stages import STAGES, chosen

from auto_lambda import __version__
from auto_lambda_cli.local_stack.embedded import EmbeddedAws
from auto_lambda_cli.local_stack.stack import tasks_of

FOLDER = Path(__file__).parents[2] / "e2e-aws"


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.list:
            return _show(options.json)
        with _place(rehearse=options.rehearse) as place:
            return _cleaned(place, options) if options.clean else _performed(place, options)
    except Refused as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("interrupted; what may be left: make e2e-aws-clean")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make e2e-aws", description=__doc__)
    parser.add_argument("--list", action="store_true", help="show the stages and what they answer; needs no account")
    parser.add_argument("--only", action="append", default=[], metavar="STAGE", help="this stage and what it needs")
    parser.add_argument("--resume", metavar="RUN", help="go on with a run that was kept or cut off")
    parser.add_argument("--keep", action="store_true", help="if a stage fails, leave everything, for --resume")
    parser.add_argument("--clean", action="store_true", help="only remove what runs have left (make e2e-aws-clean)")
    parser.add_argument("--rehearse", action="store_true", help="on the embedded AWS: no account, no cost")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for reports and logs (%(default)s)")
    return parser


@contextmanager
def _place(*, rehearse: bool) -> Iterator[Place]:
    if rehearse:
        with (
            tempfile.TemporaryDirectory() as folder,
            EmbeddedAws.start(Path(folder)) as aws,
            tasks_of(aws, Path(folder)),
        ):
            yield Place.embedded(aws.environ)
        return
    check_environ(os.environ)
    place = Place.real()
    check_account(os.environ, place.account, place.caller())
    yield place


def _performed(place: Place, options: argparse.Namespace) -> int:
    if options.resume and not NAME.fullmatch(options.resume):
        raise Refused(f"not the name of a run: {options.resume}")
    name = options.resume or new_name()
    folder = options.folder / name
    stages = chosen(options.only, rehearsal=place.rehearsal)
    if options.resume:
        report = _continued(folder, place)
    else:
        report = Report(name, place.account, place.region, __version__, place.rehearsal, folder)
    _ask(place, name, stages, yes=options.yes)
    fine = perform(Run(place, name, folder, say), stages, report, keep=options.keep)
    say(f"{'all of it holds' if fine else 'NOT all of it holds'}: {folder}/report.md")
    if options.json:
        print(json.dumps(report.as_json(), indent=2))  # noqa: T201
    return 0 if fine else 1


def _continued(folder: Path, place: Place) -> Report:
    try:
        report = Report.read(folder)
    except FileNotFoundError:
        raise Refused(f"there is no report in {folder}") from None
    if (report.account, report.region) != (place.account, place.region):
        raise Refused(f"{report.run} is in {report.account}, {report.region}; these credentials are not")
    return report


def _ask(place: Place, name: str, stages: Sequence[Stage], *, yes: bool) -> None:
    where = "the embedded AWS" if place.rehearsal else f"account {place.account}, {place.region}"
    say("\n".join([f"{name} in {where}:", *estimate(stages), "Then all of it is removed."]))
    _confirm(f"Make all this in {where}?", yes=yes or place.rehearsal)


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("nothing was made: standard input is not a terminal, so there is no way to ask: use --yes")
    say(f"{question} [y/N] ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Refused("nothing was made")


def _cleaned(place: Place, options: argparse.Namespace) -> int:
    found = [options.resume] if options.resume else runs(place)
    say(f"runs in account {place.account}, {place.region}: {', '.join(found) or 'none'}")
    if not found:
        return 0
    _confirm("Delete all that they have made?", yes=options.yes)
    left = [line for name in found for line in clean(Run(place, name, options.folder / name, say))]
    say("\n".join(["left:", *left]) if left else "nothing is left")
    return 1 if left else 0


def _show(as_json: bool) -> int:
    if as_json:
        told = [
            {"stage": it.name, "title": it.title, "minutes": it.minutes, "cents": it.cents, "needs": it.needs,
             "questions": it.questions}
            for it in STAGES
        ]  # fmt: skip
        print(json.dumps(told, indent=2))  # noqa: T201
        return 0
    print("\n".join(estimate(STAGES)))  # noqa: T201
    print("\n".join(["", "They answer, of docs/reference/not-yet-on-aws.md:"]))  # noqa: T201
    print("\n".join(f"  {it.name}: {', '.join(it.questions)}" for it in STAGES))  # noqa: T201
    return 0


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
