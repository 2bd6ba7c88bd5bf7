"""The environment in which Lambda would run the app."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from entrypoint.place import OURS, Folders
from entrypoint.task import TaskDescription


def environment(task: TaskDescription, given: Mapping[str, str], folders: Folders) -> dict[str, str]:
    """Return the variables that the function has: its own, which the container was given, and those that Lambda adds.

    What the app has set itself wins where it does on Lambda: the search paths, the time zone and the language.
    """
    region = given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION") or ""
    opt, code = str(folders.opt), str(folders.task)
    libraries = [f"{code}", f"{code}/lib", f"{opt}/lib"]
    theirs = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin:/bin",
        "LD_LIBRARY_PATH": ":".join(libraries),
        "PYTHONPATH": str(folders.runtime),
    }
    found = {**theirs, **{name: value for name, value in given.items() if name not in OURS}}
    found["PATH"] = _with(found["PATH"], f"{opt}/bin")
    return found | {
        "_HANDLER": task.handler,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(task.memory),
        "AWS_LAMBDA_FUNCTION_NAME": task.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": task.function_version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{task.function_name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "fargate",
        "AWS_REGION": region,
        "LAMBDA_RUNTIME_DIR": str(folders.runtime),
        "LAMBDA_TASK_ROOT": code,
    }


def search_path(environ: Mapping[str, str], folders: Folders, interpreters: list[str]) -> list[str]:
    """Return Python's search path in Lambda's order: the code, the layers, what PYTHONPATH names, the runtime.

    Args:
        environ: of the app.
        folders: where code, layers and runtime are.
        interpreters: the search path without ours.
    """
    named = [one for one in environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    wanted = [str(folders.task), *folders.python, *named, str(folders.runtime), *interpreters]
    return list(dict.fromkeys(wanted))


def _with(path: str, folder: str) -> str:
    return path if folder in path.split(os.pathsep) else f"{path}{os.pathsep}{folder}"
