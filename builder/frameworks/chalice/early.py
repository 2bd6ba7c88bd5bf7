"""Find what is wrong with a chalice app by its files alone, before anything is built."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from auto_lambda.errors import AppError, Code
from builder.diagnosis.old_code import python2_error
from builder.diagnosis.syntax import clean
from builder.frameworks.chalice.settings import settings_problems
from builder.frameworks.chalice.values import refused_decorators, refused_settings
from builder.source.modules import binds, module_of, modules, reachable
from builder.source.problems import Problems
from builder.source.settings import ChaliceConfig, read_chalice

_CORRECT = "Correct that file: `chalice package out` fails in the same way on your own machine."
_POLICY_HINT = "Add {}, or set autogen_policy to true (iam_policy_file and api_gateway_policy_file name the file)."


def file_problems(
    root: Path, stage: str | None, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[AppError]:
    """Yield the problems of a chalice app.

    Args:
        root: the app's folder.
        stage: of its configuration; None if it has none by the name that is asked for.
        environment: variables that every function has besides those of its configuration.
    """
    config = read_chalice(root)
    problems = Problems()
    problems.note(settings_problems(config.data, stage, environment))
    if stage is not None:
        problems.note(refused_settings(config.data, stage))
    yield from {one.message: one for one in problems.found}.values()
    if stage is not None:
        yield from _policy_problems(root, config, stage)
    yield from _code_problems(root)


def _code_problems(root: Path) -> Iterator[AppError]:
    entry = module_of(root, "app")
    if entry is None:
        return
    found = dict(reachable(root, entry))
    failed = [(path, one) for path, one in found.items() if isinstance(one, SyntaxError)]
    if error := python2_error(root, failed, "Port it to Python 3; Lambda runs no Python 2."):
        yield error
    for path, module in found.items():
        if isinstance(module, ast.Module):
            yield from refused_decorators(path, module, root)
    tree = found.get(entry)
    if isinstance(tree, ast.Module) and not binds(tree, "app"):
        what = "app.py defines no name `app`: chalice needs `app = Chalice(app_name=...)` there"
        yield _compile_failed(what, "Name the Chalice object `app`.")


def _policy_problems(root: Path, config: ChaliceConfig, stage: str) -> Iterator[AppError]:
    """Yield an error for each policy file that the whole stage takes; those of single functions are checked later."""
    functions = [one.get("lambda_functions") for one in (config.data, config.stages.get(stage, {}))]
    files = [config.get(stage, "api_gateway_policy_file") if has_routes(root) else None]
    if config.get(stage, "autogen_policy") is False and not any(functions):
        files.append(config.get(stage, "iam_policy_file") or f"policy-{stage}.json")
    for file in files:
        if isinstance(file, str) and (error := _policy_problem(root, file, stage)):
            yield error


def has_routes(root: Path) -> bool:
    """Tell whether an app seems to have any route."""
    return any(b"route(" in path.read_bytes() for path in modules(root))


def _policy_problem(root: Path, file: str, stage: str) -> AppError | None:
    path, name = root / ".chalice" / file, clean(f".chalice/{file}")
    if not path.is_file():
        return missing_policy_file(name, stage)
    if not path.resolve().is_relative_to(root.resolve()):
        return None
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return _compile_failed(f"{name} is not JSON", _CORRECT)
    if not isinstance(document, Mapping) or not isinstance(document.get("Statement"), (list, dict)):
        return _compile_failed(f"{name} is not an IAM policy: it has no Statement", _CORRECT)
    return None


def missing_policy_file(name: str, stage: str) -> AppError:
    """Return the error for a policy file that is not there."""
    return AppError(
        Code.MISSING_POLICY_FILE,
        f"stage {stage!r} takes a policy from {name}, which is not in the zip",
        hint=_POLICY_HINT.format(name),
    )


def _compile_failed(what: str, hint: str) -> AppError:
    return AppError(Code.COMPILE_FAILED, f"chalice cannot compile the app:\n{what}", hint=hint)
