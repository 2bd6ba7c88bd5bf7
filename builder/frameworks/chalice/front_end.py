"""The chalice front end: an app folder and its layer in, a `Draft` out.

Everything that runs code of the app is in ``inside/chalice_package.py``, in the sandbox. Here its request is written,
and its answer is checked as untrusted data, then expanded to CloudFormation where no code of the app is.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from auto_lambda.errors import AppError
from auto_lambda.keys import App
from auto_lambda.model import BuildLog, FrameworkName
from auto_lambda.tools import Tools
from builder.actions import Actions
from builder.frameworks.base import INSIDE, Ahead, nobody
from builder.frameworks.chalice import answer
from builder.frameworks.chalice.code import copy_code
from builder.frameworks.chalice.early import file_problems
from builder.frameworks.chalice.foresee import foreseen
from builder.frameworks.chalice.sam import expand_action, read_expanded
from builder.frameworks.chalice.sam_shape import check_sam
from builder.frameworks.chalice.settings import DROPPED, SETTING_NAMES, check_settings, domains
from builder.frameworks.one_folder import join_packages
from builder.model import Built, Draft, Options
from builder.proof.audit import audit
from builder.sandbox.result_file import ResultFile
from builder.sandbox.sandbox import Command, Limits, Sandbox
from builder.source.settings import read_chalice

CHALICE_VERSION = "1.34.0"
"""The release in the compiler's environment."""

_SCRIPT = Path(__file__).with_name("inside") / "chalice_package.py"
_LIMITS = Limits(wall=90, cpu=60)


class Chalice:
    """Front end for chalice.

    Args:
        sandbox: runs what imports the app.
        tools: hands out the environment with chalice and the SAM translator.
        region: that the app finds in its environment while it is imported. The template names it nowhere.
        actions: expand the template.
    """

    name: FrameworkName = "chalice"
    setting_names = SETTING_NAMES

    def __init__(
        self,
        sandbox: Sandbox,
        tools: Tools,
        actions: Actions,
        region: str = "us-east-1",
    ) -> None:
        self._sandbox = sandbox
        self._tools = tools
        self._region = region
        self._actions = actions

    def requirements(self, built_from: Path) -> tuple[str, ...]:  # noqa: ARG002  (part of the protocol)
        """Require chalice, which its own deployment adds by itself, so that few manifests name it."""
        return ("chalice",)

    def problems(self, root: Path, stage: str | None, app: App, options: Options) -> Iterator[AppError]:  # noqa: ARG002
        """Yield what settings, policy files and code show to be wrong; see `Framework.problems`."""
        return file_problems(root, stage, options.environment)

    def compile(self, built: Built, work: Path, log: BuildLog, ahead: Ahead = nobody) -> Draft:
        """Import the app in the sandbox and turn it into plain CloudFormation.

        Raises:
            AppError: it cannot be imported or compiled, or asks for what is refused.
        """
        source = built.source
        config = read_chalice(source.root).data
        warnings = check_settings(config, source.config_stage)
        named, not_named = domains(config, source.config_stage)
        code = copy_code(source.root, work / "code")
        join_packages(code, built.site)
        audit(built, code)  # it says better what is wrong with native code than its import
        ahead(code, foreseen(source))
        (work / "out").mkdir()
        result = ResultFile(work / "out" / "result.json")
        request = work / "request.json"
        request.write_text(json.dumps(self._request(built, code)))
        log(
            f"importing app.py with Python {source.python} and compiling stage {source.config_stage}, "
            f"chalice {CHALICE_VERSION}"
        )
        outcome = self._sandbox.run(self._command(built, code, request, result.path), log)
        compiled = answer.read(outcome, result, source, built.site)
        check_sam(compiled.sam)
        expansion = self._actions.run(expand_action(compiled.sam, compiled.tracing, source.python), log)
        expanded = read_expanded(expansion.folder)
        draft = answer.make_draft(compiled, expanded, code)
        told = (*warnings, *not_named, *_version_warning(built), *draft.warnings)
        return dataclasses.replace(draft, warnings=told, domains=named)

    def _request(self, built: Built, code: Path) -> dict[str, Any]:
        return {
            "code": str(code),
            "root": str(built.source.root),
            "site": str(built.site) if built.site else None,
            "stage": built.source.config_stage,
            "app_name": built.source.app.name,
            "environment": dict(built.source.options.environment),
            "region": self._region,
            "dropped": list(DROPPED),
        }

    def _command(self, built: Built, code: Path, request: Path, result: Path) -> Command:
        python = self._tools.python("compiler", built.source.python)
        readable = [python.parent.parent, _SCRIPT.parent, INSIDE, built.source.root, code, request]
        if built.site:
            readable.append(built.site)
        return Command(
            # -B: nothing is written into the app's folders.
            argv=(str(python), "-s", "-B", "-u", str(_SCRIPT), str(request), str(result)),
            cwd=code,
            env=self._environment(),
            readable=tuple(readable),
            writable=(result.parent,),
            limits=_LIMITS,
        )

    def _environment(self) -> dict[str, str]:
        return {
            "AWS_DEFAULT_REGION": self._region,
            "AWS_REGION": self._region,
            # Without credentials, the AWS library would look for a metadata service and wait for it.
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONHASHSEED": "0",
        }


def _version_warning(built: Built) -> tuple[str, ...]:
    """Warn if the app runs with another chalice than the one that compiles it."""
    found = next(built.site.glob("chalice-*.dist-info"), None) if built.site else None
    version = found.name.removeprefix("chalice-").removesuffix(".dist-info") if found else CHALICE_VERSION
    if version == CHALICE_VERSION:
        return ()
    return (f"the app runs with chalice {version}, but is compiled with chalice {CHALICE_VERSION}",)
