"""What people may read, and what not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.redact import HIDDEN, LineRedactor, Redactor, confidential, one_line, printable, secrets_of

KEY = "AKIA" + "IOSFODNN7EXAMPLE"


@pytest.mark.parametrize(
    ("text", "secret", "kept"),
    [
        (f"using {KEY} now", KEY, "using"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalr", "aws_secret_access_key"),
        ('{"DB_PASSWORD": "correct-horse"}', "correct-horse", "DB_PASSWORD"),
        ("GET https://user:pa55word@index.example/simple/", "pa55word", "index.example/simple/"),
        ("https://tok3n@index.example/", "tok3n", "index.example"),
        ("x?X-Amz-Signature=abcdef012345&X-Amz-Date=1", "abcdef012345", "X-Amz-Date=1"),
        ("Authorization: Bearer eyJhbGciOi.abc.def", "eyJhbGciOi", "Authorization"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter", "MIIE", "after"),
    ],
)
def test_credentials_are_known_by_their_shape(text: str, secret: str, kept: str) -> None:
    clean = Redactor()(text)
    assert secret not in clean
    assert HIDDEN in clean
    assert kept in clean


@pytest.mark.parametrize(
    ("prefix", "length"),
    [
        ("ghp_", 36), ("ghs_", 36), ("github_pat_", 82), ("glpat-", 20), ("glcbt-64_", 20), ("xoxb-", 50),
        ("sk_live_", 24), ("npm_", 36), ("pypi-AgE", 170), ("SG." + "b" * 22 + ".", 43),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.", 43),
    ],
)  # fmt: skip
def test_tokens_of_known_services_need_no_name_before_them(prefix: str, length: int) -> None:
    token = prefix + "a1" * (length // 2) + "a" * (length % 2)
    assert Redactor()(f"cloning with {token} failed") == f"cloning with {HIDDEN} failed"


@pytest.mark.parametrize(
    "text",
    [
        "the package npm_run and the key sk_live_ are too short, as is eyJhbGci.eyJ",
        "error: requirement flask==99 was not found in the registry",
        "File \"app.py\", line 3, in index: token = parse()",
        "password: ***",
        "    SECRET_KEY = os.environ['SECRET_KEY']",
        "API_KEY=os.getenv('API_KEY')",
        "see https://docs.example/page#anchor and me@home.example",
        "sha256 " + "ab" * 32,
    ],
)  # fmt: skip
def test_ordinary_lines_are_left_alone(text: str) -> None:
    assert Redactor()(text) == text


def test_given_secrets_are_hidden_wherever_they_turn_up_the_longest_first() -> None:
    redact = Redactor(["swordfish", "swordfish-and-more", "short"])
    assert redact("a swordfish-and-more b swordfish c short") == f"a {HIDDEN} b {HIDDEN} c short"


def test_secrets_of_an_environment() -> None:
    environ = {
        "AWS_SECRET_ACCESS_KEY": "abc/def+ghi",
        "AWS_SESSION_TOKEN": "a-session-token",
        "UV_INDEX_URL": "https://reader:s%40cret-word@index.example/simple",
        "PATH": "/usr/bin",
        "HOME": "/home/me",
    }
    assert secrets_of(environ) == {"abc/def+ghi", "a-session-token", "s%40cret-word", "s@cret-word"}


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("10%\r50%\r100%\n", "100%\n"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("a\tb\x00\x08\x7f\x9bc", "a\tb"),
        ("abc\u202edef\u2066", "abcdef"),
        ("naïve ünïcode 🎉", "naïve ünïcode 🎉"),
        ("\udcff", "?"),
    ],
)
def test_printable_is_what_a_terminal_would_leave(raw: str, plain: str) -> None:
    assert printable(raw) == plain


@given(st.text())
def test_printable_always_encodes_and_has_no_control_characters(text: str) -> None:
    clean = printable(text)
    clean.encode()
    assert all(c in "\n\t" or c.isprintable() or ord(c) > 0x9F for c in clean)
    assert printable(clean) == clean


@pytest.mark.parametrize("unit", ["a-", "secret ", "://", "\x1bP", "-----BEGIN PRIVATE KEY-----", "token=", "AKIA"])
def test_hostile_output_is_cleaned_in_a_bounded_time(unit: str) -> None:
    """A quadratic pattern would take hours; the test's own time-out is the bound."""
    Redactor(["swordfish"])(printable(unit * 200_000))


BODY = "MIIEpAIBAAKCAQEA" + "x1y2" * 12
PEM = [
    "-----BEGIN RSA PRIVATE KEY-----",
    "Proc-Type: 4,ENCRYPTED",
    "",
    *[BODY] * 25,
    "Qx==",
    "-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("prefix", ["", "  ", "INFO:root:", "2026-11-28 10:00:00 key "])
def test_a_private_key_is_hidden_whole_though_it_comes_line_by_line(prefix: str) -> None:
    redact = LineRedactor(Redactor())
    text = "\n".join(redact(prefix + line) for line in [*PEM, "after: all is well"])
    assert "MIIE" not in text
    assert "x1y2" not in text
    assert prefix.strip() or "Qx==" not in text
    assert text.endswith("after: all is well")


def test_keys_without_an_end_do_not_hide_the_rest_of_a_log() -> None:
    redact = LineRedactor(Redactor())
    redact(PEM[0])
    assert redact("an ordinary sentence") == "an ordinary sentence"
    lines = [redact("ordinary") for _ in range(500)]
    assert lines[0] == HIDDEN
    assert lines[-1] == "ordinary"


def test_a_key_on_one_line_hides_nothing_after_it() -> None:
    redact = LineRedactor(Redactor())
    redact(" ".join(PEM))
    assert redact("word") == "word"


def test_lines_told_at_once_are_redacted_like_single_ones() -> None:
    redact = LineRedactor(Redactor(["first-half\nsecond-half"]))
    assert redact("a first-half\nsecond-half b") == f"a {HIDDEN} b"
    assert redact("second-half") == HIDDEN


@pytest.mark.parametrize("shown", ["{}", "x={!r}", "<{}>"])
def test_a_value_of_several_lines_is_hidden_in_each_form(shown: str) -> None:
    value = 'line-one-secret\nline-two-"secret"'
    assert "secret" not in Redactor([value])(shown.format(value))
    assert "secret" not in Redactor([value])(json.dumps({"v": value}))


def test_of_an_apps_variables_plain_words_stay() -> None:
    variables = {
        "STAGE": "production", "DJANGO_SETTINGS_MODULE": "shop.settings", "TASK": "/var/task", "SIZE": "123456789",
        "LEVEL": "CRITICAL", "REGION": "us-east-1", "CITY": "Amsterdam",
        "GREETING": "correct-horse-battery", "API_TOKEN": "production", "URL": "https://hooks.example/T0/B0/abc",
    }  # fmt: skip
    assert confidential(variables) == {"correct-horse-battery", "production", "https://hooks.example/T0/B0/abc"}


def test_rights_on_secrets_are_no_secrets() -> None:
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:/auto-lambda/dev/shop/*"
    line = f"Allow secretsmanager:GetSecretValue on {arn}"
    assert Redactor()(line) == line
    assert Redactor()("secretsmanager_token: abcdefgh12345678") == "secretsmanager_token: ***"


@pytest.mark.parametrize(
    ("text", "most", "line"),
    [
        ("a\x1b[31m b\nc\u202e\x07\td", None, "a b c d"),
        ("a" * 10 + "b" * 10, 20, "a" * 10 + "b" * 10),
        ("a" * 10 + "b" * 10 + "c", 20, "a" * 9 + "..." + "b" * 7 + "c"),
        ("abcdef", 5, "a...f"),
        ("", 5, ""),
    ],
)
def test_one_line_is_clean_and_shortened_in_its_middle(text: str, most: int | None, line: str) -> None:
    assert one_line(text, most) == line


@pytest.mark.parametrize(
    "name",
    ["AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "DB_PASSWORD_FILE", "token_path", "AWS_CONFIG_FILE"],
)
def test_where_a_secret_lies_is_none(name: str) -> None:
    assert secrets_of({name: "/dev/null"}) == frozenset()
    assert Redactor(secrets_of({name: "/dev/null"}))("opens /dev/null") == "opens /dev/null"


@pytest.mark.parametrize(
    "name", ["FILE_TOKEN", "CREDENTIALS_FILE_KEY_SECRET", "PATH_PASSWORD", "AWS_SECRET_ACCESS_KEY"]
)
def test_what_is_called_after_files_may_be_a_secret(name: str) -> None:
    assert secrets_of({name: "correct-horse"}) == {"correct-horse"}
