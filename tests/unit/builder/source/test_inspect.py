from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from builder.model import Source
from builder.source.inspect import SUBFOLDERS, Defaults, inspect

DEFAULTS = Defaults(python="3.12", pythons=("3.11", "3.12", "3.13"))


def chalice(folder: Path, config: Any = None) -> None:
    (folder / ".chalice").mkdir(parents=True)
    (folder / ".chalice" / "config.json").write_text(
        json.dumps(config if config is not None else {"stages": {"dev": {}}})
    )
    (folder / "app.py").touch()


def zappa(folder: Path, settings: Any = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zappa_settings.json").write_text(json.dumps(settings or {"dev": {"app_function": "app.app"}}))


def options(folder: Path, text: str) -> None:
    (folder / "auto-lambda.toml").write_text(text)


def look(tree: Path, stage: str = "dev") -> Source:
    return inspect(App(stage, "shop"), tree, DEFAULTS)


def refused(tree: Path, stage: str = "dev") -> AppError:
    with pytest.raises(AppError) as caught:
        look(tree, stage)
    return caught.value


def plain(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lambda_function.py").write_text("def lambda_handler(event, context): ...")


# Where the app lies


def test_a_chalice_app_at_the_root(tmp_path: Path) -> None:
    chalice(tmp_path)
    source = look(tmp_path)

    assert (source.framework, source.root, source.tree) == ("chalice", tmp_path, tmp_path)
    assert (source.config_stage, source.python, source.architecture) == ("dev", "3.12", "x86_64")
    assert (source.app, source.warnings) == (App("dev", "shop"), ())


@pytest.mark.parametrize(
    "name", ["zappa_settings.json", "zappa_settings.toml", "zappa_settings.yml", "zappa_settings.yaml"]
)
def test_a_zappa_app_in_each_format(tmp_path: Path, name: str) -> None:
    text = {"json": '{"dev": {}}', "toml": "[dev]"}.get(name.split(".")[1], "dev: {}")
    (tmp_path / name).write_text(text)

    assert look(tmp_path).framework == "zappa"


@pytest.mark.parametrize("folder", [".", "src", "lambda"])
def test_lambdas_own_default_handler_is_a_plain_app(tmp_path: Path, folder: str) -> None:
    plain(tmp_path / folder)
    (tmp_path / "README.md").touch()
    source = look(tmp_path, "prod")

    assert (source.framework, source.root) == ("plain", tmp_path / folder)
    assert (source.config_stage, source.python, source.architecture) == ("prod", "3.12", "x86_64")
    assert source.warnings == ()


def test_a_named_handler_is_a_plain_app(tmp_path: Path) -> None:
    (tmp_path / "orders.py").touch()
    options(tmp_path, '[functions.orders]\nhandler = "orders.handler"')

    assert look(tmp_path).framework == "plain"
    assert look(tmp_path).options.functions["orders"].handler == "orders.handler"


def test_a_named_handler_is_where_the_root_is(tmp_path: Path) -> None:
    (tmp_path / "services" / "orders").mkdir(parents=True)
    options(tmp_path, 'root = "services/orders"\n[functions.orders]\nhandler = "orders.handler"')

    assert look(tmp_path).root == tmp_path / "services" / "orders"
    options(tmp_path, 'root = "services/shop"\n[functions.orders]\nhandler = "orders.handler"')
    assert refused(tmp_path).code == Code.NO_FRAMEWORK


def test_settings_of_a_framework_count_before_plain_handlers(tmp_path: Path) -> None:
    plain(tmp_path)
    zappa(tmp_path / "api")

    assert look(tmp_path).framework == "zappa"
    options(tmp_path, 'framework = "plain"')
    assert look(tmp_path).framework == "plain"


def test_two_places_of_plain_handlers_are_refused(tmp_path: Path) -> None:
    plain(tmp_path / "api")
    plain(tmp_path / "web")
    error = refused(tmp_path)

    assert error.code == Code.AMBIGUOUS_FRAMEWORK
    assert "plain in api/; plain in web/" in error.message


def test_a_plain_function_without_a_handler_is_that_of_the_default_module(tmp_path: Path) -> None:
    plain(tmp_path)
    options(tmp_path, "[functions.web]\nurl = true")
    assert look(tmp_path).options.functions["web"].url == "public"

    (tmp_path / "lambda_function.py").unlink()
    options(tmp_path, '[functions.web]\nurl = true\n[functions.work]\nhandler = "work.run"')
    error = refused(tmp_path)
    assert error.code == Code.BAD_CONFIG
    assert "functions.web has no handler" in error.message
    assert "functions.work" not in error.message


def test_a_plain_app_has_no_stages_of_its_own(tmp_path: Path) -> None:
    plain(tmp_path)
    options(tmp_path, '[stages]\nprod = "production"')

    assert look(tmp_path, "prod").config_stage == "prod"
    assert look(tmp_path).warnings == (
        "[stages] in auto-lambda.toml is ignored, as a plain app has no stages of its own",
    )


def test_what_a_framework_has_itself_is_not_set_twice(tmp_path: Path) -> None:
    zappa(tmp_path)
    options(tmp_path, "[functions.app]\nretries = 0\nmax_age = 60\npartial_batches = true")
    assert look(tmp_path).options.functions["app"].retries == 0

    options(tmp_path, "[functions.app]\nmemory = 512\nsnap_start = true")
    error = refused(tmp_path)
    assert error.code == Code.BAD_CONFIG
    assert "functions.app.memory is memory_size in the zappa settings" in error.message
    assert "functions.app.snap_start is snap_start in the zappa settings" in error.message

    options(tmp_path, "[functions.web]\nretries = 0")
    assert refused(tmp_path).hint == "Call it [functions.app]."


def test_chalice_takes_what_it_lacks(tmp_path: Path) -> None:
    chalice(tmp_path)
    options(tmp_path, "[functions.resize]\nurl = 'signed'\nsnap_start = true\ndisk = 1024\n")
    error = refused(tmp_path)
    assert "snap_start can't be had with a disk of more than 512 MB" in error.message

    options(tmp_path, "[functions.resize]\nurl = 'signed'\ndisk = 1024\nprovisioned = 1\n")
    assert look(tmp_path).framework == "chalice"
    options(tmp_path, '[functions.resize]\nhandler = "app.resize"\nqueue = "jobs"\n')
    assert "queue is @app.on_sqs_message in app.py" in refused(tmp_path).message
    assert 'For handlers without chalice, set framework = "plain".' in refused(tmp_path).hint


def test_the_one_top_folder_is_the_top(tmp_path: Path) -> None:
    top = tmp_path / "shop-main"
    zappa(top / "backend")
    options(top, 'health_path = "/up"')
    source = look(tmp_path)

    assert source.root == top / "backend"
    assert source.options.health_path == "/up"


@pytest.mark.parametrize("folder", SUBFOLDERS)
def test_named_sub_folders_are_looked_into(tmp_path: Path, folder: str) -> None:
    chalice(tmp_path / folder)
    (tmp_path / "README.md").touch()

    assert look(tmp_path).root == tmp_path / folder


def test_any_folder_can_be_named(tmp_path: Path) -> None:
    zappa(tmp_path / "services" / "orders")
    zappa(tmp_path)
    options(tmp_path, 'root = "services/orders"')

    assert look(tmp_path).root == tmp_path / "services" / "orders"


@pytest.mark.parametrize("root", [".", "./"])
def test_the_top_itself_can_be_named(tmp_path: Path, root: str) -> None:
    zappa(tmp_path)
    chalice(tmp_path / "api")
    options(tmp_path, f'root = "{root}"')

    assert look(tmp_path).framework == "zappa"


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ((".", "api"), ("chalice in the root of the zip", "zappa in api/")),
        (("api", "src"), ("chalice in api/", "zappa in src/")),
        ((".", "."), ("chalice in the root of the zip", "zappa in the root of the zip")),
    ],
)
def test_two_apps_are_refused_with_both_places(tmp_path: Path, places: tuple[str, str], said: tuple[str, str]) -> None:
    chalice(tmp_path / places[0])
    zappa(tmp_path / places[1])
    (tmp_path / "README.md").touch()
    error = refused(tmp_path)

    assert error.code == Code.AMBIGUOUS_FRAMEWORK
    assert all(part in error.message for part in said)
    assert "auto-lambda.toml" in error.hint
    options(tmp_path, 'framework = "zappa"')
    assert look(tmp_path).root == tmp_path / places[1]


def test_places_are_named_as_they_are_in_the_zip(tmp_path: Path) -> None:
    chalice(tmp_path / "top" / "api")
    zappa(tmp_path / "top" / "src")

    assert "chalice in top/api/; zappa in top/src/" in refused(tmp_path).message


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        (["readme.txt"], "Zip the folder that holds"),
        (["app.py", "requirements.txt"], "zip -r app.zip ."),
        (["readme.txt", "shop/zappa_settings.toml"], "root = 'shop'"),
        (["readme.txt", "work/me/shop/zappa_settings.yml"], "root = 'work/me/shop' in auto-lambda.toml"),
        (["work/me/shop/zappa_settings.json"], "root = 'me/shop' in work/auto-lambda.toml"),
        (["readme.txt", "services/shop/.chalice/config.json"], "root = 'services/shop'"),
        (["notes.txt", ".chalice/deployed/dev.json"], "Zip the folder that holds"),
    ],
)
def test_no_app_is_refused_with_the_likeliest_reason(tmp_path: Path, files: list[str], hint: str) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    error = refused(tmp_path)

    assert error.code == Code.NO_FRAMEWORK
    assert hint in error.hint


def test_handlers_of_no_framework_are_named_as_they_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "simple.py").write_text("def handler(event, context): ...")
    error = refused(tmp_path)

    assert error.code == Code.NO_FRAMEWORK
    assert error.hint.endswith('\n[functions.simple]\nhandler = "simple.handler"')
    options(tmp_path, error.hint.partition("\n")[2])
    assert look(tmp_path).framework == "plain"


@pytest.mark.parametrize("folder", ["shop", "code/shop", "users/me/code/shop"])
@pytest.mark.parametrize("beside", ["readme.txt", "users/readme.txt"])
def test_settings_at_any_depth_are_never_replaced_by_guessed_ones(tmp_path: Path, folder: str, beside: str) -> None:
    zappa(tmp_path / folder, {"dev": {"app_function": "main.app", "iam_authorization": True}})
    (tmp_path / folder / "main.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    (tmp_path / beside).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / beside).touch()
    before = (tmp_path / folder / "zappa_settings.json").read_text()
    error = refused(tmp_path)

    assert error.code == Code.NO_FRAMEWORK
    assert f"{folder.rpartition('/')[2]}'" in error.hint
    assert (tmp_path / folder / "zappa_settings.json").read_text() == before


def test_who_names_the_root_has_its_settings_guessed_whatever_else_is_in_the_zip(tmp_path: Path) -> None:
    zappa(tmp_path / "examples" / "other")
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "main.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    options(tmp_path, 'root = "web"')

    assert look(tmp_path).root == tmp_path / "web"


@pytest.mark.parametrize("text", ['root = "gone"', 'framework = "zappa"', 'root = "app.py"'])
def test_a_wrong_direction_is_told_as_such(tmp_path: Path, text: str) -> None:
    chalice(tmp_path)
    options(tmp_path, text)
    error = refused(tmp_path)

    assert error.code == Code.NO_FRAMEWORK
    assert "auto-lambda.toml asks for" in error.message


def test_chalice_without_app_py_is_refused(tmp_path: Path) -> None:
    chalice(tmp_path)
    (tmp_path / "app.py").unlink()
    assert "no app.py" in refused(tmp_path).message
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    assert look(tmp_path).framework == "chalice"


def test_an_options_file_where_it_would_not_be_read_is_refused(tmp_path: Path) -> None:
    chalice(tmp_path / "api")
    (tmp_path / "README.md").touch()
    options(tmp_path / "api", 'python = "3.11"')

    assert refused(tmp_path).code == Code.BAD_CONFIG


def test_a_second_zappa_settings_file_is_warned_of(tmp_path: Path) -> None:
    zappa(tmp_path)
    (tmp_path / "zappa_settings.yml").write_text("other: {}")

    assert look(tmp_path).warnings == (
        "zappa_settings.yml is ignored, as zappa reads only zappa_settings.json if both exist",
    )


# Which stage


def chalice_stage(folder: Path, stage: str) -> None:
    chalice(folder, {"stages": {stage: {}}})


def zappa_stage(folder: Path, stage: str) -> None:
    zappa(folder, {stage: {}})


@pytest.mark.parametrize(
    ("stages", "bucket", "toml", "picked"),
    [
        (["dev", "prod"], "prod", "", "prod"),
        (["production"], "prod", "", "production"),
        (["dev", "production"], "prod", '[stages]\nprod = "production"', "production"),
        (["dev", "prod"], "prod", '[stages]\nprod = "dev"', "dev"),
        (["dev", "prod"], "prod", '[stages]\nqa = "dev"', "prod"),
    ],
)
def test_how_the_buckets_stage_picks_the_apps(
    tmp_path: Path, stages: list[str], bucket: str, toml: str, picked: str
) -> None:
    zappa(tmp_path, {stage: {} for stage in stages})
    options(tmp_path, toml)

    assert look(tmp_path, bucket).config_stage == picked


@pytest.mark.parametrize("write", [chalice_stage, zappa_stage])
def test_a_stage_that_gets_the_only_other_ones_settings_is_warned_of(
    tmp_path: Path, write: Callable[[Path, str], None]
) -> None:
    write(tmp_path, "dev")
    (warning,) = [one for one in look(tmp_path, "prod").warnings if "[stages]" in one]
    assert warning.startswith("stage prod gets the settings of stage dev")
    assert not [one for one in look(tmp_path, "dev").warnings if "[stages]" in one]
    options(tmp_path, '[stages]\nprod = "dev"')
    assert not [one for one in look(tmp_path, "prod").warnings if "[stages]" in one]


def test_settings_that_belong_to_no_stage_are_for_all(tmp_path: Path) -> None:
    chalice(tmp_path, {"app_name": "shop"})
    assert not [one for one in look(tmp_path, "prod").warnings if "[stages]" in one]


@pytest.mark.parametrize(("stages", "toml"), [(["dev", "production"], ""), (["dev"], '[stages]\nprod = "production"')])
def test_an_unknown_stage_is_refused_with_the_list(tmp_path: Path, stages: list[str], toml: str) -> None:
    chalice(tmp_path, {"stages": {stage: {} for stage in stages}})
    options(tmp_path, toml)
    error = refused(tmp_path, "prod")

    assert error.code == Code.UNKNOWN_STAGE
    assert ", ".join(stages) in error.message
    assert "[stages]" in error.hint


@pytest.mark.parametrize("bucket", ["dev", "prod"])
def test_a_chalice_config_without_stages_and_name_is_stage_dev(tmp_path: Path, bucket: str) -> None:
    chalice(tmp_path, {})

    assert look(tmp_path, bucket).config_stage == "dev"


# Which Python and architecture


def test_the_options_win_over_the_frameworks_own_settings(tmp_path: Path) -> None:
    zappa(tmp_path, {"base": {"runtime": "python3.11", "architecture": "arm64"}, "dev": {"extends": "base"}})
    source = look(tmp_path)
    assert (source.python, source.architecture) == ("3.11", "arm64")

    options(tmp_path, 'python = "3.13"\narchitecture = "x86_64"')
    source = look(tmp_path)
    assert (source.python, source.architecture) == ("3.13", "x86_64")


def test_chalices_architecture_is_taken_from_its_stage(tmp_path: Path) -> None:
    chalice(
        tmp_path, {"lambda_architecture": "x86_64", "stages": {"dev": {"lambda_architecture": "arm64"}, "prod": {}}}
    )

    assert look(tmp_path).architecture == "arm64"
    assert look(tmp_path, "prod").architecture == "x86_64"


def test_files_above_a_sub_folder_count_too(tmp_path: Path) -> None:
    chalice(tmp_path / "api")
    (tmp_path / ".python-version").write_text("3.13")

    assert look(tmp_path).python == "3.13"


def test_nothing_outside_the_tree_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / ".python-version").write_text("3.13")
    chalice(tmp_path / "tree")

    assert look(tmp_path / "tree").python == "3.12"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"runtime": "python3.5"}, Code.UNKNOWN_PYTHON),
        ({"runtime": "nodejs22.x"}, Code.UNKNOWN_PYTHON),
        ({"runtime": ["python3.12"]}, Code.UNKNOWN_PYTHON),
        ({"architecture": "x64"}, Code.UNKNOWN_ARCHITECTURE),
        ({"extends": "gone"}, Code.BAD_CONFIG),
    ],
)
def test_what_the_settings_ask_for_and_cannot_have(tmp_path: Path, settings: Any, code: Code) -> None:
    zappa(tmp_path, {"dev": settings})

    assert refused(tmp_path).code == code


def test_a_zip_in_a_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "shop-1.2.zip").touch()

    assert "holds only another one, shop-1.2.zip" in refused(tmp_path).hint


def test_a_settings_module_is_no_settings_file_of_zappas(tmp_path: Path) -> None:
    (tmp_path / "zappa_settings.py").touch()
    (tmp_path / "app.py").touch()

    error = refused(tmp_path)

    assert "zappa_settings.py" in error.message
    assert "zappa init" in error.hint


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (("dev_api", "live_api"), 'Map it under [stages] in auto-lambda.toml: qa = "dev_api".'),
        (
            ("dev_api", "live"),
            'Drop it under stage live, or map it under [stages] in auto-lambda.toml: qa = "dev_api".',
        ),
    ],
)
def test_only_stages_that_a_key_may_name_are_offered(tmp_path: Path, names: tuple[str, ...], hint: str) -> None:
    zappa(tmp_path, {name: {} for name in names})

    assert refused(tmp_path, stage="qa").hint == hint
