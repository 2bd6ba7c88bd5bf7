from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from building import make_source

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import BuildLog
from auto_lambda.tools import ToolEnvironments
from builder.dependencies.zips import write_zip
from builder.frameworks.zappa.front_end import Zappa
from builder.frameworks.zappa.settings import ZAPPA_VERSION
from builder.model import Built, Draft, Layer
from builder.proof.cold_start import Prover
from builder.protocol.flex import FlexMessage
from builder.protocol.template_shape import check_shape
from builder.sandbox.sandbox import PlainSandbox

APP = """
import os

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
SETTINGS = {"dev": {"app_function": "shop.app"}}
Compile = Callable[..., Draft]


def write(folder: Path, files: Mapping[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


@pytest.fixture(scope="session")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Layer:
    """What stands for a built layer: the tool environment's packages, zappa among them."""
    tree = tmp_path_factory.mktemp("layer")
    python = ToolEnvironments().python("compiler", "3.12")
    (site,) = python.parent.parent.glob("lib/python*/site-packages")
    (tree / "python").symlink_to(site)
    (tree / "layer.zip").touch()
    return Layer(tree, tree / "layer.zip", "layers/x.zip", 0, 0)


@pytest.fixture
def compile_zappa(layer: Layer, tmp_path: Path) -> Compile:
    def compiled(files: Mapping[str, Any], folder: str = "one", **more: Any) -> Draft:
        here = tmp_path / folder
        root = write(here / "tree", {"shop.py": APP, "zappa_settings.json": SETTINGS, **files})
        source = make_source(
            root, "zappa", app=App(more.get("stage", "dev"), "shop"), config_stage=more.get("config_stage", "dev"),
            environment=more.get("environment"),
        )  # fmt: skip
        source = replace(source, options=replace(source.options, flex=more.get("flex")))
        work = here / "work"
        work.mkdir()
        say = more.get("said", []).append
        built = Built(source, "", more.get("layer", layer))
        draft = Zappa(PlainSandbox(), ToolEnvironments()).compile(built, work, say)
        if more.get("prove"):
            prove(draft, built, here, say)
        return draft

    return compiled


def prove(draft: Draft, built: Built, folder: Path, say: BuildLog) -> None:
    work = folder / "proof"
    work.mkdir()
    check_shape(draft.template, draft.main, [one.function for one in draft.notifications])
    write_zip(draft.code, folder / "code.zip")
    Prover(PlainSandbox(), ToolEnvironments()).prove(draft, built, folder / "code.zip", work, say)


def settings(**values: Any) -> dict[str, Any]:
    return {"zappa_settings.json": {"dev": {"app_function": "shop.app", **values}}}


def function(draft: Draft) -> dict[str, Any]:
    found: dict[str, Any] = draft.template["Resources"][draft.main]["Properties"]
    return found


def refused(compile_zappa: Compile, files: Mapping[str, Any], **more: Any) -> AppError:
    with pytest.raises(AppError) as caught:
        compile_zappa(files, **more)
    assert "/one/" not in caught.value.message, "a path of this machine"
    return caught.value


def test_an_app_becomes_a_function_with_its_files_and_the_handler_of_its_own_zappa(
    compile_zappa: Compile, layer: Layer
) -> None:
    draft = compile_zappa({"templates/page.html": "<p>", "zappa_settings.yml": "dev: {}"})
    files = {path.relative_to(draft.code).as_posix() for path in draft.code.rglob("*") if path.is_file()}
    assert files == {"__init__.py", "handler.py", "shop.py", "templates/page.html", "zappa_settings.py"}
    assert (draft.code / "handler.py").read_bytes() == (layer.tree / "python/zappa/handler.py").read_bytes()
    assert function(draft)["FunctionName"] == "shop-dev"
    assert draft.url is not None


def test_a_load_balancer_is_carried_as_the_standing_one_of_flex(compile_zappa: Compile) -> None:
    flex = FlexMessage(measure="requests_per_second", above=20.0, below=10.0)
    draft = compile_zappa(settings(alb_enabled=True), flex=flex)
    assert draft.load_balancer
    assert "_load_balancer_events()" in (draft.code / "zappa_settings.py").read_text()
    said = compile_zappa(settings(), "two", flex=flex.model_copy(update={"variant": "standing-load-balancer"}))
    assert not said.load_balancer, "[flex] has said so itself"
    assert "_load_balancer_events()" in (said.code / "zappa_settings.py").read_text()
    assert "_load_balancer_events()" not in (compile_zappa({}, "three").code / "zappa_settings.py").read_text()


def test_the_same_source_gives_the_same_bytes(compile_zappa: Compile, tmp_path: Path) -> None:
    rich = settings(endpoint_configuration=["REGIONAL"], environment_variables={"B": "1", "A": "2"}, keep_warm=True)
    first, second = compile_zappa(rich), compile_zappa(rich, "two")
    assert json.dumps(first.template) == json.dumps(second.template)
    assert write_zip(first.code, tmp_path / "1.zip") == write_zip(second.code, tmp_path / "2.zip")


def test_the_bucket_names_stage_and_project_and_extends_is_followed(compile_zappa: Compile) -> None:
    draft = compile_zappa(
        {
            "zappa_settings.json": {
                "base": {"memory_size": 256, "app_function": "shop.app"},
                "production": {"extends": "base", "timeout_seconds": 20, "project_name": "other"},
            }
        },
        stage="eu",
        config_stage="production",
    )
    module = runpy.run_path(str(draft.code / "zappa_settings.py"))
    assert (module["API_STAGE"], module["PROJECT_NAME"]) == ("eu", "shop")
    assert (function(draft)["FunctionName"], function(draft)["MemorySize"], function(draft)["Timeout"]) == (
        "shop-eu", 256, 20,
    )  # fmt: skip


def test_both_kinds_of_variables_arrive_and_are_there_at_import(compile_zappa: Compile) -> None:
    app = APP + 'assert [os.environ[n] for n in ("BAKED", "NATIVE", "TOLD")] == ["1", "2", "3"]\n'
    draft = compile_zappa(
        {
            "shop.py": app,
            **settings(environment_variables={"BAKED": "1"}, aws_environment_variables={"NATIVE": "2"}),
        },
        environment={"TOLD": "3"},
    )
    assert function(draft)["Environment"]["Variables"] == {"NATIVE": "2"}
    assert runpy.run_path(str(draft.code / "zappa_settings.py"))["ENVIRONMENT_VARIABLES"] == {"BAKED": "1"}


def test_region_and_slim_handler_of_the_settings_leave_no_trace(compile_zappa: Compile) -> None:
    draft = compile_zappa(settings(aws_region="eu-west-9", slim_handler=True, include=["x.so"]))
    text = (draft.code / "zappa_settings.py").read_text() + json.dumps(draft.template)
    assert "eu-west-9" not in text
    assert "ARCHIVE_PATH" not in text
    assert "@@" not in text


def test_tasks_run_on_what_is_live(compile_zappa: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    draft = compile_zappa({})
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "shop-dev")
    for _ in range(2):
        runpy.run_path(str(draft.code / "zappa_settings.py"))
    assert os.environ["AWS_LAMBDA_FUNCTION_NAME"] == "shop-dev:live"


def test_hooks_run_on_a_copy_and_what_they_make_is_packaged(compile_zappa: Compile, tmp_path: Path) -> None:
    hooks = """
from pathlib import Path

def adjust(cli):
    cli.zappa_settings["dev"]["timeout_seconds"] = 7
    cli.memory_size = 1024
    cli.environment_variables["SEEN"] = "yes"

def build():
    Path("made.txt").write_text("made")
"""
    draft = compile_zappa(
        {"hooks.py": hooks, **settings(callbacks={"settings": "hooks.adjust"}, prebuild_script="hooks.build")}
    )
    assert (function(draft)["Timeout"], function(draft)["MemorySize"]) == (7, 1024)
    assert runpy.run_path(str(draft.code / "zappa_settings.py"))["ENVIRONMENT_VARIABLES"] == {"SEEN": "yes"}
    assert not [warning for warning in draft.warnings if "no such settings" in warning]
    assert (draft.code / "made.txt").read_text() == "made"
    assert not (tmp_path / "one" / "tree" / "made.txt").exists()


@pytest.mark.parametrize(
    "environment", [{"LD_LIBRARY_PATH": "."}, {"LD_PRELOAD": "./libc.so.6"}, {"PYTHONHASHSEED": "none", "PATH": "."}]
)
def test_an_apps_variables_do_not_keep_the_tools_from_starting(
    compile_zappa: Compile, environment: Mapping[str, str]
) -> None:
    draft = compile_zappa({"libc.so.6": "no library"}, environment=environment)
    assert draft.url is not None


def test_hooks_see_the_apps_variables(compile_zappa: Compile) -> None:
    hooks = "import os\n\n\ndef seen(cli):\n    cli.environment_variables['SEEN'] = os.environ['COLOUR']\n"
    files = {"hooks.py": hooks, **settings(callbacks={"settings": "hooks.seen"}, environment_variables={})}
    draft = compile_zappa(files, environment={"COLOUR": "blue"})
    assert "'SEEN': 'blue'" in (draft.code / "zappa_settings.py").read_text().replace('"', "'")


def test_the_environment_of_auto_lambda_toml_wins(compile_zappa: Compile) -> None:
    files = settings(environment_variables={"COLOUR": "red", "SIZE": "small"})
    draft = compile_zappa(files, environment={"COLOUR": "blue"})
    assert runpy.run_path(str(draft.code / "zappa_settings.py"))["ENVIRONMENT_VARIABLES"] == {"SIZE": "small"}


def test_a_usual_app_is_warned_of_nothing(compile_zappa: Compile) -> None:
    assert compile_zappa(settings(project_name="Shop")).warnings == ()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"store.py": "import boto3\n"}, "extra_permissions"),
        (settings(project_name="bazaar"), "with 'shop' there"),
    ],
)
def test_who_should_change_something_is_warned(compile_zappa: Compile, files: Mapping[str, Any], words: str) -> None:
    (warning,) = compile_zappa(files).warnings
    assert words in warning


def test_an_app_that_says_what_it_may_do_is_not_warned(compile_zappa: Compile) -> None:
    extra = [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"}]
    assert compile_zappa({"store.py": "import boto3\n", **settings(extra_permissions=extra)}).warnings == ()


def test_excluded_files_stay_behind(compile_zappa: Compile) -> None:
    draft = compile_zappa(
        {"data.csv": "", "tests/test_shop.py": "", "tests/deep/x.txt": "", "venv/pyvenv.cfg": "", "venv/lib/a.py": "(",
         **settings(exclude=["*.csv"], exclude_glob=["tests/**/*"])}
    )  # fmt: skip
    names = {path.name for path in draft.code.rglob("*") if path.is_file()}
    assert names == {"__init__.py", "handler.py", "shop.py", "zappa_settings.py"}


def test_an_own_handler_is_replaced_as_zappa_does_with_a_warning(compile_zappa: Compile) -> None:
    draft = compile_zappa({"handler.py": "own = 1"})
    assert any("handler.py" in warning for warning in draft.warnings)
    assert "own = 1" not in (draft.code / "handler.py").read_text()


def test_a_failing_hook_is_told_with_its_own_last_lines(compile_zappa: Compile) -> None:
    error = refused(
        compile_zappa,
        {"hooks.py": "import helpers\n", "helpers.py": "def deep():\n    return {}['missing']\ndeep()\n",
         **settings(callbacks={"settings": "hooks.adjust"})},
    )  # fmt: skip
    assert error.code == Code.COMPILE_FAILED
    assert "callbacks.settings" in error.message
    assert 'File "helpers.py", line 2' in error.message
    assert error.message.endswith("KeyError: 'missing'")


def test_a_hook_that_ends_the_process_is_told(compile_zappa: Compile) -> None:
    files = {"hooks.py": "import os\ndef build(): os._exit(3)\n", **settings(prebuild_script="hooks.build")}
    error = refused(compile_zappa, files)
    assert error.code == Code.COMPILE_FAILED
    assert "exit status 3" in error.message


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        ({"shop.py": f"import old\n{APP}", "old.py": "print 'hello'\n"}, Code.SYNTAX_ERROR,
         "old.py, line 1 is written in Python 2"),
        ({"shop.py": f"import bad\n{APP}", "bad.py": "x = 1\ndef f(:\n"}, Code.SYNTAX_ERROR, "bad.py, line 2"),
        (settings(app_function="store.app"), Code.COMPILE_FAILED, "no module 'store'"),
        ({"store.py/x": "", **settings(app_function="store.app")}, Code.COMPILE_FAILED, "no module 'store'"),
        (settings(app_function="app"), Code.COMPILE_FAILED, "module.object"),
        (settings(app_function=None), Code.COMPILE_FAILED, "neither app_function nor django_settings"),
        (settings(django_settings="project.settings"), Code.COMPILE_FAILED, "no module 'project'"),
        (settings(attach_policy="policy.json"), Code.MISSING_POLICY_FILE, "policy.json"),
        ({"p.json": "{", **settings(attach_policy="p.json")}, Code.BAD_CONFIG, "p.json"),
        (settings(ephemeral_storage={"Size": 1}), Code.BAD_CONFIG, "ephemeral_storage"),
        (settings(environment_variables={"A": 1}), Code.BAD_CONFIG, "not strings: A"),
        (settings(alb_enabled=True), Code.UNSUPPORTED_SETTING, "alb_enabled"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_own_code(
    compile_zappa: Compile, files: Mapping[str, Any], code: Code, said: str
) -> None:
    error = refused(compile_zappa, files)
    assert (error.code, said in error.message) == (code, True), error.message


def test_what_the_app_does_not_load_is_packaged_as_it_is(compile_zappa: Compile) -> None:
    draft = compile_zappa({"scripts/old.py": "print 'hello'\n", "templates/{{x}}.py": "def f(:\n"})
    assert (draft.code / "scripts" / "old.py").is_file()
    assert any("scripts/old.py, line 1 is written in Python 2" in one for one in draft.warnings)


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        (settings(app_function="shop.store"), Code.APP_DOES_NOT_IMPORT, "'store'"),
        ({"shop.py": "import nothing_like_it\n"}, Code.APP_DOES_NOT_IMPORT, 'File "shop.py", line 1'),
        ({"shop.py": "raise SystemExit(4)\n"}, Code.APP_DOES_NOT_IMPORT, "SystemExit: 4"),
        ({"shop.py": "import os\nos._exit(5)\n"}, Code.ENDED_AT_START, "status 5"),
        ({"shop.py": "import os\nos.environ['TOKEN_URL']\n"}, Code.MISSING_ENVIRONMENT, "TOKEN_URL"),
        (
            {"shop.py": APP + "import boto3\nboto3.Session(profile_name='mine').client('s3')\n"},
            Code.NEEDS_AWS, 'File "shop.py"',
        ),
        (
            settings(events=[{"function": "shop.gone", "expression": "rate(1 day)"}]),
            Code.HANDLER_MISSING, "events[0].function",
        ),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_zappa_loads_at_its_first_request_is_proven_to_load(
    compile_zappa: Compile, files: Mapping[str, Any], code: Code, said: str
) -> None:
    error = refused(compile_zappa, files, prove=True)
    assert (error.code, said in error.message) == (code, True), error.message


@pytest.mark.parametrize(
    "more",
    [{}, {"apigateway_version": "v2"}, {"apigateway_enabled": False, "function_url_enabled": True},
     {"apigateway_enabled": False}],
    ids=str,
)  # fmt: skip
def test_the_app_answers_whoever_its_requests_come_from(compile_zappa: Compile, more: dict[str, Any]) -> None:
    said: list[str] = []
    greeting = APP.replace("start_response(", "print('asked for', environ['PATH_INFO'])\n    start_response(")
    draft = compile_zappa({"shop.py": greeting, **settings(**more)}, prove=True, said=said)
    assert ("asked for /" in said) == (draft.url is not None)
    assert any("App starts" in line for line in said)


def test_a_python_path_of_the_apps_own_counts(compile_zappa: Compile) -> None:
    more = {"aws_environment_variables": {"PYTHONPATH": "/var/task/src:/opt/python"}, "app_function": "store.app"}
    draft = compile_zappa({"src/store.py": APP, **settings(**more)}, prove=True)
    assert (draft.code / "src" / "store.py").exists()


@pytest.mark.parametrize("app", ["store.app", "shop.app"])
def test_a_python_path_that_zappa_would_set_too_late_counts_too(compile_zappa: Compile, app: str) -> None:
    more = {"environment_variables": {"PYTHONPATH": "src:/opt/python", "COLOUR": "green"}, "app_function": app}
    draft = compile_zappa({"src/store.py": APP, "shop.py": "from store import app\n", **settings(**more)}, prove=True)
    assert "PYTHONPATH" not in (draft.code / "zappa_settings.py").read_text()
    assert "COLOUR" in (draft.code / "zappa_settings.py").read_text()
    assert function(draft)["Environment"]["Variables"]["PYTHONPATH"].startswith("src")
    assert any("PYTHONPATH" in one and "aws_environment_variables" in one for one in draft.warnings)


EVENT = {"function": "shop.tick", "expression": "rate(1 day)"}


def test_a_handler_of_the_apps_own_answers_the_api_and_gets_no_made_up_request(compile_zappa: Compile) -> None:
    own = "def tick(event, context):\n    return event['Records']\n"
    draft = compile_zappa({"shop.py": own, **settings(app_function=None, lambda_handler="shop.tick")}, prove=True)
    assert draft.url is not None
    assert function(draft)["Handler"] == "shop.tick"


def test_a_handler_of_the_apps_own_must_import(compile_zappa: Compile) -> None:
    error = refused(compile_zappa, settings(app_function=None, lambda_handler="shop.gone"), prove=True)
    assert error.code == Code.HANDLER_MISSING


def test_a_handler_module_of_the_apps_own_is_not_replaced(compile_zappa: Compile) -> None:
    own = {"handler.py": "def mine(event, context): pass\n", **settings(lambda_handler="handler.mine")}
    draft = compile_zappa(own, prove=True)
    assert (draft.code / "handler.py").read_text() == own["handler.py"]


def test_an_app_of_events_only_gets_no_api(compile_zappa: Compile) -> None:
    files = {"shop.py": "def tick(event, context):\n    pass\n", **settings(app_function=None, events=[EVENT])}
    draft = compile_zappa(files, prove=True)
    assert draft.url is None
    assert not [one for one in draft.template["Resources"].values() if "ApiGateway" in one["Type"]]
    assert any("no API is created" in warning for warning in draft.warnings)


def test_a_namespace_spans_the_app_and_its_layer(compile_zappa: Compile, layer: Layer, tmp_path: Path) -> None:
    packages = write(tmp_path / "layer" / "python", {"acme/common/__init__.py": "greeting = b'hello'\n"})
    for path in (layer.tree / "python").iterdir():
        (packages / path.name).symlink_to(path)
    own = {"acme/web/__init__.py": "", "acme/web/app.py": APP + "from acme.common import greeting\n"}
    own_layer = Layer(packages.parent, tmp_path / "layer.zip", "layers/y.zip", 0, 0)

    draft = compile_zappa({**own, **settings(app_function="acme.web.app.app")}, prove=True, layer=own_layer)

    assert not (draft.code / "acme" / "__init__.py").exists()


def test_an_app_without_zappa_in_its_layer_is_told(tmp_path: Path) -> None:
    root = write(tmp_path / "tree", {"shop.py": APP, "zappa_settings.json": SETTINGS})
    source = make_source(root, "zappa")
    with pytest.raises(AppError, match="zappa is not among"):
        Zappa(PlainSandbox(), ToolEnvironments()).compile(Built(source, "", None), tmp_path / "work", print)


def test_zappa_and_django_are_required_when_the_manifests_forget_them(tmp_path: Path) -> None:
    zappa = Zappa(PlainSandbox(), ToolEnvironments())
    flask = write(tmp_path / "flask", {"zappa_settings.json": SETTINGS})
    django = write(tmp_path / "django", {"zappa_settings.toml": '[dev]\ndjango_settings = "site.settings"\n'})
    assert zappa.requirements(flask) == (f"zappa=={ZAPPA_VERSION}",)
    write(flask, {"shop.py": "from flask import Flask\napp = Flask(__name__)\n"})
    assert zappa.requirements(flask) == (f"zappa=={ZAPPA_VERSION}", "flask")
    write(flask, {"flask/__init__.py": ""})
    assert zappa.requirements(flask) == (f"zappa=={ZAPPA_VERSION}",)
    assert zappa.requirements(django) == (f"zappa=={ZAPPA_VERSION}", "django")


@pytest.mark.parametrize(
    ("asked", "kept"), [({}, None), ({"num_retained_versions": 4}, 4), ({"num_retained_versions": 500}, 100)]
)
def test_the_number_of_retained_versions_is_that_of_releases(
    compile_zappa: Compile, asked: dict[str, int], kept: int | None
) -> None:
    assert compile_zappa(settings(**asked)).retain == kept


def test_no_retained_version_at_all_is_refused(compile_zappa: Compile) -> None:
    error = refused(compile_zappa, settings(num_retained_versions=0))
    assert (error.code, "num_retained_versions" in error.message) == (Code.BAD_CONFIG, True), "zappa's own words"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("'x' * 9_000_000", Code.TOO_MANY_RESOURCES), ("10 ** 5000", Code.BAD_CONFIG),
        ("nested(900)", Code.BAD_CONFIG), ("nested(40_000)", Code.BAD_CONFIG), ("{(1, 2): 3}", Code.BAD_CONFIG),
    ],
)  # fmt: skip
def test_settings_that_no_answer_can_hold_are_the_uploaders(compile_zappa: Compile, value: str, code: Code) -> None:
    hooks = f"""
def nested(levels):
    value = {{}}
    for _ in range(levels):
        value = {{"x": value}}
    return value


def adjust(cli):
    cli.zappa_settings["dev"]["tags"] = {{"a": {value}}}
"""
    files = {"hooks.py": hooks, **settings(callbacks={"settings": "hooks.adjust"})}
    assert refused(compile_zappa, files).code == code
