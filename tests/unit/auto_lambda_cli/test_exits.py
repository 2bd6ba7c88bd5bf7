"""All that commands print goes through functions that leave out what commands a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from botocore.exceptions import ClientError, TokenRetrievalError

from auto_lambda_cli.exits import plain_errors, say, tell

CLI = Path(__file__).parents[3] / "auto_lambda_cli"
OUR_OWN_WORDS = {"exits.py", "app.py"}  # the functions themselves, and the version


def test_no_command_prints_by_itself() -> None:
    sources = [path for path in CLI.rglob("*.py") if path.name not in OUR_OWN_WORDS]
    assert len(sources) > 20
    assert [path.name for path in sources if "typer.echo" in path.read_text()] == []


def test_what_commands_a_terminal_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    for write in (say, tell):
        write("a\x1b]0;title\x07\x1b[31mb\u202ec\nd")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("abc\nd\n", "abc\nd\n")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ClientError({"Error": {"Code": "ExpiredToken", "Message": "x"}}, "GetObject"), "have expired: log in again"),
        (ClientError({"Error": {"Code": "InvalidClientTokenId"}}, "Query"), "does not know these credentials"),
        (ClientError({"Error": {"Code": "400", "Message": "Bad Request"}}, "HeadObject"), "If the credentials have"),
        (TokenRetrievalError(provider="sso", error_msg="Token has expired"), "have expired: log in again"),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "Query"), "AWS says: "),
    ],
)
def test_credentials_that_are_the_reason_are_told_with_what_to_do(
    error: Exception, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, plain_errors():
        raise error
    assert ended.value.exit_code == 2
    printed = capsys.readouterr().err
    assert told in printed
    assert str(error) in printed
    assert ("log in again" in printed) == (told != "AWS says: ")
