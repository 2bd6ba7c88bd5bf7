from __future__ import annotations

import pytest
import typer

from auto_lambda_cli.running_stacks import RunningStack
from auto_lambda_cli.target import BUCKET, LOCAL_PORT, Target, choose

HERE = RunningStack("http://127.0.0.1:1", "local-uploads", "a", "q", "d", "t", "b", "AutoLambda", "/f", 1)
OTHER = RunningStack("http://127.0.0.1:2", "other-uploads", "a", "q", "d", "t", "b", "AutoLambda", "/f", 2)


def test_a_named_bucket_on_aws_goes_before_a_local_stack() -> None:
    environ = {"AWS_PROFILE": "mine"}
    assert choose(local=False, bucket="shop", environ=environ, stacks=[HERE]) == Target("shop", None)
    assert environ == {"AWS_PROFILE": "mine"}


def test_a_named_bucket_at_an_endpoint_is_there() -> None:
    environ = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    assert choose(local=False, bucket="shop", environ=environ, stacks=[HERE]).endpoint == "http://127.0.0.1:9"


def test_without_a_bucket_the_local_stack_is_meant_and_no_other_aws_can_be_reached() -> None:
    environ = {"AWS_PROFILE": "mine", "PATH": "/bin"}
    target = choose(local=False, bucket=None, environ=environ, stacks=[HERE])
    assert target == Target("local-uploads", "http://127.0.0.1:1")
    assert "AWS_PROFILE" not in environ
    assert (environ["AWS_ENDPOINT_URL"], environ["PATH"]) == ("http://127.0.0.1:1", "/bin")


@pytest.mark.parametrize("local", [True, False])
def test_of_several_local_stacks_none_is_guessed(capsys: pytest.CaptureFixture[str], local: bool) -> None:
    environ: dict[str, str] = {}
    with pytest.raises(typer.Exit) as caught:
        choose(local=local, bucket=None, environ=environ, stacks=[HERE, OTHER])
    assert (caught.value.exit_code, environ) == (2, {})
    told = capsys.readouterr().err
    assert f"{LOCAL_PORT}=1 " in told
    assert f"{LOCAL_PORT}=2 " in told


@pytest.mark.parametrize(("port", "bucket"), [("1", "local-uploads"), ("2", "other-uploads")])
def test_a_port_selects_one_of_several_local_stacks(port: str, bucket: str) -> None:
    environ = {LOCAL_PORT: port}
    assert choose(local=True, bucket=None, environ=environ, stacks=[HERE, OTHER]).bucket == bucket
    assert environ["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"


def test_a_port_where_no_stack_is_up_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        choose(local=True, bucket=None, environ={LOCAL_PORT: "3"}, stacks=[HERE])
    assert caught.value.exit_code == 2
    assert f"{LOCAL_PORT}=1 " in capsys.readouterr().err


def test_local_means_local_whatever_the_environment_says() -> None:
    environ = {BUCKET: "shop", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    assert choose(local=True, bucket="shop", environ=environ, stacks=[HERE]).bucket == "local-uploads"
    assert environ[BUCKET] == "local-uploads"


@pytest.mark.parametrize(
    ("local", "environ", "told"),
    [
        (True, {}, "auto-lambda local up"),
        (False, {}, BUCKET),
        (False, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, BUCKET),
    ],
)
def test_what_is_missing_is_told(
    capsys: pytest.CaptureFixture[str], local: bool, environ: dict[str, str], told: str
) -> None:
    stacks = [HERE] if "AWS_ENDPOINT_URL" in environ else []
    with pytest.raises(typer.Exit) as caught:
        choose(local=local, bucket=None, environ=environ, stacks=stacks)
    assert caught.value.exit_code == 2
    assert told in capsys.readouterr().err
