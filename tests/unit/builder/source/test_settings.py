from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.errors import AppError, Code
from builder.source.settings import (
    ZAPPA_FILES,
    ChaliceConfig,
    ZappaSettings,
    is_chalice_project,
    read_chalice,
    read_zappa,
    zappa_settings_files,
)


def chalice(tmp_path: Path, data: Any) -> ChaliceConfig:
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps(data))
    return read_chalice(tmp_path)


def zappa(tmp_path: Path, data: Any) -> ZappaSettings:
    (tmp_path / "zappa_settings.json").write_text(json.dumps(data))
    return read_zappa(tmp_path)


def refused(call: Any, *arguments: Any) -> AppError:
    with pytest.raises(AppError) as caught:
        call(*arguments)
    return caught.value


def test_chalice_looks_in_the_stage_first_then_at_the_top(tmp_path: Path) -> None:
    config = chalice(
        tmp_path, {"lambda_timeout": 10, "stages": {"dev": {"lambda_timeout": 20}, "prod": {"lambda_timeout": None}}}
    )

    assert [config.get(stage, "lambda_timeout") for stage in ("dev", "prod", "other")] == [20, 10, 10]
    assert config.get("dev", "iam_role_arn") is None
    assert config.stage_names == ("dev", "prod")


@pytest.mark.parametrize("data", [{}, {"app_name": "shop"}, {"stages": {}}])
def test_a_chalice_config_without_stages_has_chalices_default_stage(tmp_path: Path, data: Any) -> None:
    assert chalice(tmp_path, data).stage_names == ("dev",)


@pytest.mark.parametrize("data", [{"stages": []}, {"stages": None}, {"stages": {"dev": {}, "": {}}}, []])
def test_a_chalice_config_of_the_wrong_shape_is_refused(tmp_path: Path, data: Any) -> None:
    assert refused(chalice, tmp_path, data).code == Code.BAD_CONFIG


def test_zappa_stages_extend_each_other_the_nearer_winning(tmp_path: Path) -> None:
    settings = zappa(
        tmp_path,
        {
            "base": {"a": 1, "b": 1, "c": 1},
            "dev": {"extends": "base", "b": 2, "c": 2},
            "me": {"extends": "dev", "c": 3},
        },
    )

    assert settings.stage("me") == {"a": 1, "b": 2, "c": 3, "extends": "dev"}
    assert (settings.get("me", "a"), settings.get("base", "c"), settings.get("me", "none")) == (1, 1, None)
    assert settings.stage_names == ("base", "dev", "me")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"a": {"extends": "b"}, "b": {"extends": "a"}}, "a -> b -> a"),
        ({"a": {"extends": "a"}}, "a -> a"),
        ({"a": {"extends": "gone"}}, "'gone', which does not exist"),
        ({"a": {"extends": ["b"]}}, "['b'], which does not exist"),
    ],
)
def test_an_extends_that_leads_nowhere_or_round_is_refused(tmp_path: Path, data: Any, said: str) -> None:
    error = refused(zappa(tmp_path, data).stage, "a")

    assert error.code == Code.BAD_CONFIG
    assert said in error.message


@pytest.mark.parametrize("data", [{}, [], {"dev": None}, {"$schema": "x"}, {"": {}}])
def test_zappa_settings_of_the_wrong_shape_are_refused(tmp_path: Path, data: Any) -> None:
    assert refused(zappa, tmp_path, data).code == Code.BAD_CONFIG


def test_yaml_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "zappa_settings.yml").write_text("on: {debug: true}\n")

    assert "True" in refused(read_zappa, tmp_path).message


def test_of_several_settings_files_zappas_own_choice_is_read(tmp_path: Path) -> None:
    for name, content in zip(ZAPPA_FILES, ['{"j": {}}', "[t]\n", "y: {}\n", "z: {}\n"], strict=True):
        (tmp_path / name).write_text(content)

    for name, stage in zip(ZAPPA_FILES, "jtyz", strict=True):
        settings = read_zappa(tmp_path, "api/")
        assert (settings.file, settings.stage_names) == (f"api/{name}", (stage,))
        (tmp_path / name).unlink()
    assert zappa_settings_files(tmp_path) == ()
    assert refused(read_zappa, tmp_path).code == Code.NO_FRAMEWORK


def test_folders_named_like_settings_are_none(tmp_path: Path) -> None:
    (tmp_path / ".chalice" / "config.json").mkdir(parents=True)
    (tmp_path / "zappa_settings.json").mkdir()

    assert not is_chalice_project(tmp_path)
    assert zappa_settings_files(tmp_path) == ()


def test_what_stands_among_the_stages_but_is_none_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    config = chalice(tmp_path, {"stages": {"dev": {"lambda_timeout": 9}, "version": "2.0", "app_name": "x"}})
    settings = zappa(tmp_path, {"$schema": "x", "dev": {}})

    assert (config.stage_names, settings.stage_names) == (("dev",), ("dev",))
    assert config.warnings == (
        "'version', 'app_name' in .chalice/config.json is ignored, as it is no stage with settings",
    )
    assert "'$schema'" in settings.warnings[0]
    assert chalice_without_stray(tmp_path / "plain").warnings == ()


def chalice_without_stray(folder: Path) -> ChaliceConfig:
    folder.mkdir()
    return chalice(folder, {"stages": {"dev": {}}})


def test_zappas_json_may_have_comments_and_trailing_commas(tmp_path: Path) -> None:
    (tmp_path / "zappa_settings.json").write_text(
        """{
  // the stage
  "dev": {
    app_function: app.app  # where it is
    "memory_size": 256,
  },
}"""
    )

    assert read_zappa(tmp_path).stage("dev") == {"app_function": "app.app  # where it is", "memory_size": 256}


def test_what_is_no_hjson_either_is_told_in_jsons_words(tmp_path: Path) -> None:
    (tmp_path / "zappa_settings.json").write_text('{"dev": {"a": 1}')

    assert "line 1 column 17" in refused(read_zappa, tmp_path).message
