"""A fleet's settings come from Parameter Store, and every problem with them is told at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.aws.parameters import ParametersRefused, SecretUnusable
from auto_lambda.fleet_settings import PATH_VARIABLE, adopt, names, read
from auto_lambda.settings import CheckerSettings, SettingsError, WorkerSettings

PATH = "/auto-lambda-fleet/drops/worker"
PEM = trustme.CA().cert_pem.bytes().decode()


class Stored:
    """Parameters and secrets in memory."""

    def __init__(self, parameters: Mapping[str, str], secrets: Mapping[str, str] | None = None) -> None:
        self.parameters = parameters
        self.secrets = secrets or {}

    def below(self, path: str) -> Mapping[str, str]:
        assert path == PATH
        return self.parameters

    def secret(self, name: str) -> str:
        if name not in self.secrets:
            raise SecretUnusable(f"the secret {name} cannot be read")
        return self.secrets[name]


def problems(parameters: Mapping[str, str], secrets: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read(WorkerSettings, PATH, Stored(parameters, secrets))
    return caught.value.problems


def test_without_a_path_nothing_is_asked_and_nothing_changes(tmp_path: Path) -> None:
    environ = {"AUTO_LAMBDA_PYTHON": "3.12"}
    assert adopt(WorkerSettings, environ, Stored({"AUTO_LAMBDA_PYTHON": "3.13"}), tmp_path) == frozenset()
    assert environ == {"AUTO_LAMBDA_PYTHON": "3.12"}


def test_a_parameter_wins_over_the_machines_own_file(tmp_path: Path) -> None:
    environ = {PATH_VARIABLE: PATH, "AUTO_LAMBDA_IDLE_SECONDS": "5", "AUTO_LAMBDA_SLOTS": "1"}
    found = adopt(WorkerSettings, environ, Stored({"AUTO_LAMBDA_IDLE_SECONDS": "600"}), tmp_path)
    assert found == {"AUTO_LAMBDA_IDLE_SECONDS"}
    assert (environ["AUTO_LAMBDA_IDLE_SECONDS"], environ["AUTO_LAMBDA_SLOTS"]) == ("600", "1")


def test_credentials_of_an_index_come_from_a_secret() -> None:
    secrets = {"packages": json.dumps({"user": "reader", "token": "s3cret"}), "plain": "all of it"}
    parameters = {
        "UV_DEFAULT_INDEX": "team=https://packages.example/simple",
        "UV_INDEX_TEAM_USERNAME": "secretsmanager:packages#user",
        "UV_INDEX_TEAM_PASSWORD": "secretsmanager:packages#token",
        "UV_INDEX_OTHER_PASSWORD": "secretsmanager:plain",
    }
    assert read(WorkerSettings, PATH, Stored(parameters, secrets)) == {
        "UV_DEFAULT_INDEX": "team=https://packages.example/simple",
        "UV_INDEX_TEAM_USERNAME": "reader",
        "UV_INDEX_TEAM_PASSWORD": "s3cret",
        "UV_INDEX_OTHER_PASSWORD": "all of it",
    }


def test_certificates_are_trusted_beside_the_systems(tmp_path: Path) -> None:
    environ = {PATH_VARIABLE: PATH}
    adopt(WorkerSettings, environ, Stored({"CA_CERTIFICATES": PEM}), tmp_path)
    bundle = Path(environ["SSL_CERT_FILE"])
    assert environ["AWS_CA_BUNDLE"] == str(bundle)
    assert bundle.read_text().endswith(PEM.strip() + "\n")
    assert bundle.read_text().count("BEGIN CERTIFICATE") > 1
    assert bundle.stat().st_mode & 0o777 == 0o644
    assert "CA_CERTIFICATES" not in environ


def test_the_metadata_service_is_never_asked_for_through_the_proxy(tmp_path: Path) -> None:
    environ = {PATH_VARIABLE: PATH}
    parameters = {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": ".internal.example"}
    adopt(WorkerSettings, environ, Stored(parameters), tmp_path)
    assert environ["NO_PROXY"] == ".internal.example,169.254.169.254"


def test_every_problem_is_told() -> None:
    told = problems(
        {
            "AUTO_LAMBDA_PYTHN": "3.12",
            "AUTO_LAMBDA_TABLE": "another",
            "CA_CERTIFICATES": "no certificate",
            "HTTPS_PROXY": "proxy.example:3128",
            "LD_PRELOAD": "/tmp/x.so",
            "UV_DEFAULT_INDEX": "packages.example/simple",
            "UV_INDEX_TEAM_PASSWORD": "secretsmanager:packages#token",
        }
    )
    assert [line.split(" ")[0].removeprefix(f"{PATH}/") for line in told] == [
        "AUTO_LAMBDA_PYTHN", "AUTO_LAMBDA_TABLE", "CA_CERTIFICATES", "HTTPS_PROXY", "LD_PRELOAD", "UV_DEFAULT_INDEX",
        "UV_INDEX_TEAM_PASSWORD",
    ]  # fmt: skip
    assert told[0].endswith("did you mean AUTO_LAMBDA_PYTHON?")
    assert told[1].endswith("is set by the pipeline's template and cannot be changed here")


@pytest.mark.parametrize("secret", ["no JSON", "[1]", '{"other": "x"}', "3"])
def test_a_secret_without_the_key_is_told_and_not_shown(secret: str) -> None:
    (told,) = problems({"UV_INDEX_TEAM_PASSWORD": "secretsmanager:packages#token"}, {"packages": secret})
    assert told.endswith("the secret packages is no JSON object with the key 'token'")


def test_what_may_not_be_read_is_told() -> None:
    class Refusing(Stored):
        def below(self, path: str) -> Mapping[str, str]:
            raise ParametersRefused(f"the parameters below {path} cannot be read: AccessDeniedException")

    with pytest.raises(SettingsError, match="AccessDeniedException"):
        read(WorkerSettings, PATH, Refusing({}))


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_no_other_variable_can_be_set(parameters: dict[str, str]) -> None:
    try:
        values = read(CheckerSettings, PATH, Stored(parameters))
    except SettingsError:
        return
    assert values.keys() <= names(CheckerSettings)


def test_each_setting_is_either_the_templates_or_the_fleets() -> None:
    documented = (Path(__file__).parents[3] / "docs/reference/fleet-settings.md").read_text()
    for kind in (WorkerSettings, CheckerSettings):
        assert [name for name in names(kind) if f"`{name}`" not in documented] == []
