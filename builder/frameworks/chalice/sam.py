"""From chalice's SAM template to CloudFormation: expanded in the sandbox, once for each template.

Most changes of an app leave its template as it is, and the translator takes longer to start than chalice does. No code
of the app runs where a template is expanded, so what comes out may be kept and used again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from auto_lambda.errors import AppError, Code
from auto_lambda.model import BuildLog
from auto_lambda.tools import LOCKS, Tools
from builder.diagnosis.syntax import clean
from builder.protocol.messages import Action
from builder.sandbox.limit_errors import stopped_error, tampered
from builder.sandbox.result_file import ResultFile
from builder.sandbox.sandbox import Command, Limits, Sandbox, read_json

EXPANDED = "expanded.json"
_SCRIPT = Path(__file__).with_name("inside") / "sam_expand.py"
_LIMITS = Limits(wall=90, cpu=60)
_HINT = "`chalice package out` writes the template to out/sam.json; `sam validate -t out/sam.json` says what is wrong."


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Resource(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", frozen=True)
    Type: str
    Properties: dict[str, Any] = {}


class _Template(_Shape):
    AWSTemplateFormatVersion: Literal["2010-09-09"]
    Resources: dict[str, _Resource]
    Outputs: dict[str, dict[str, Any]]


class Expanded(_Shape):
    """A plain template, the logical id of the function that stands for the app, and the app's address in it."""

    template: _Template
    main: str
    url: dict[str, Any] | None


class Expander:
    """Expands templates where no code of the app is.

    Args:
        sandbox: runs the translator.
        tools: hands out the environment with the translator.
        region: of the session that the translator wants. The template names it nowhere.
    """

    def __init__(self, sandbox: Sandbox, tools: Tools, region: str) -> None:
        self._sandbox = sandbox
        self._tools = tools
        self._region = region

    def expand(self, sam: Mapping[str, Any], tracing: bool, minor: str, work: Path, log: BuildLog) -> str:
        """Expand a SAM template; return an `Expanded` as JSON.

        Args:
            sam: as chalice made it; untrusted code may have had a hand in it.
            tracing: whether its REST API is traced.
            minor: the Python whose environment is used.
            work: an empty writable folder.
            log: takes what the translator prints.

        Raises:
            AppError: ``compile-failed``: the translator refuses it; ``result-tampered``: chalice made no such template;
                or a limit was passed.
        """
        request = json.dumps({"sam": sam, "tracing": tracing, "region": self._region}, sort_keys=True)
        return self._run(request, self._tools.python("compiler", minor), work, log)

    def _run(self, request: str, python: Path, work: Path, log: BuildLog) -> str:
        (work / "out").mkdir()
        result = ResultFile(work / "out" / "result.json")
        (work / "request.json").write_text(request)
        outcome = self._sandbox.run(self._command(python, work / "request.json", result.path), log)
        if outcome.stopped:
            raise stopped_error(outcome, "expanding the template", hint="Declare fewer routes, or split the app.")
        if not result.begun:
            raise RuntimeError(f"the translator failed (exit status {outcome.returncode}):\n{outcome.output[-2000:]}")
        try:
            answer = read_json(result.path)
            error = answer.get("error") if isinstance(answer, dict) else None
            if isinstance(error, str):
                told = f"chalice's template cannot be expanded:\n{clean(error)}"
                raise AppError(Code.COMPILE_FAILED, told, hint=_HINT)
            text = Expanded.model_validate(answer).model_dump_json()
            Expanded.model_validate_json(text)  # whatever cannot be said as text is no template
        except (ValueError, RecursionError) as shape:
            raise tampered("compiling app.py") from shape
        return text

    def _command(self, python: Path, request: Path, result: Path) -> Command:
        return Command(
            argv=(str(python), "-s", "-B", "-u", str(_SCRIPT), str(request), str(result)),
            cwd=result.parent,
            env={"AWS_DEFAULT_REGION": self._region, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONHASHSEED": "0"},
            readable=(python.parent.parent, _SCRIPT, request),
            writable=(result.parent,),
            limits=_LIMITS,
        )


def expand_action(sam: Mapping[str, Any], tracing: bool, minor: str) -> Action:
    """Return the action that expands a template; its inputs name everything that decides the result.

    Raises:
        AppError: ``result-tampered``: it is nested too deeply for a template.
    """
    environment = hashlib.sha256(_SCRIPT.read_bytes() + (LOCKS / "compiler.txt").read_bytes()).hexdigest()
    inputs = {"environment": environment, "sam": sam, "tracing": tracing, "python": minor}
    try:
        json.dumps(inputs)
    except RecursionError:
        raise tampered("compiling app.py") from None
    return Action(kind="expand", inputs=inputs)


def read_expanded(folder: Path) -> Expanded:
    """Return the template of an action's result.

    Raises:
        AppError: ``result-tampered``: it holds none.
    """
    try:
        return Expanded.model_validate_json((folder / EXPANDED).read_bytes())
    except ValueError:
        raise tampered("compiling app.py") from None
