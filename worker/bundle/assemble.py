"""Put a draft and its dependencies together into the bundle that the back end deploys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from auto_lambda.errors import AppError, Code
from auto_lambda.model import Template
from builder.dependencies.zips import UnsafeTree, write_zip
from builder.model import Built, Draft
from worker.bundle import release
from worker.bundle.publish import Publication, publish, serialize
from worker.bundle.shape import check_shape
from worker.model import Artifact, Bundle, DeployTarget

MEGABYTE = 1024 * 1024
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: function and layers together, unzipped
MAX_UNZIPPED = 250 * MEGABYTE
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MAX_TEMPLATE_BYTES = 1_000_000
MAX_RESOURCES = 500
MAX_OUTPUTS = 200
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html: all variables of a function together
MAX_ENVIRONMENT_BYTES = 4096


def assemble(draft: Draft, built: Built, work: Path, surroundings: DeployTarget) -> Bundle:
    """Publish the draft, zip its code, and name everything after its content.

    Args:
        draft: what the framework made.
        built: its source and dependency layer.
        work: an empty writable folder that outlives the bundle.
        surroundings: the artifacts bucket and the boundary that the template will name.

    Raises:
        AppError: it is not a template, or it passes a limit of Lambda or CloudFormation.
    """
    check_shape(draft)
    _check_size(draft.code, built)
    code = _code(draft.code, work)
    template = publish(draft, _publication(draft, built, code.key, surroundings))
    stored = _stored(template, work)
    _check_template(template, stored.path.stat().st_size)
    layer = (Artifact(built.layer.zip, built.layer.key),) if built.layer else ()
    locked = _locked(built, work)
    source = built.source
    return Bundle(
        app=source.upload.app,
        framework=source.framework,
        python=source.python,
        architecture=source.architecture,
        template=template,
        template_key=stored.key,
        artifacts=(*layer, *locked, code, stored),
        main=draft.main,
        has_url=draft.url is not None,
        health_path=release.health_path(built),
        notifications=draft.notifications,
    )


def _publication(draft: Draft, built: Built, code_key: str, surroundings: DeployTarget) -> Publication:
    source = built.source
    return Publication(
        app=source.upload.app,
        bucket=surroundings.artifacts_bucket,
        code_key=code_key,
        layer_key=built.layer.key if built.layer else None,
        python=source.python,
        architecture=source.architecture,
        boundary_arn=surroundings.boundary_arn,
        environment=source.options.environment,
        metadata={release.SECTION: release.describe(draft, built)},
    )


def _code(folder: Path, work: Path) -> Artifact:
    target = work / "code.zip"
    try:
        digest = write_zip(folder, target)
    except UnsafeTree as error:
        raise AppError(
            Code.COMPILE_FAILED,
            f"The compiled code cannot be zipped: {error}.",
            hint="Package plain files only: replace links by what they point at.",
        ) from error
    return Artifact(target, f"bundles/{digest}.zip")


def _locked(built: Built, work: Path) -> tuple[Artifact, ...]:
    key = release.lock_key(built)
    if key is None:
        return ()
    target = work / "lock.txt"
    target.write_text(built.lock)
    return (Artifact(target, key),)


def _stored(template: Template, work: Path) -> Artifact:
    data = serialize(template)
    target = work / "template.json"
    target.write_bytes(data)
    return Artifact(target, f"bundles/{hashlib.sha256(data).hexdigest()}.template.json")


def _check_size(code: Path, built: Built) -> None:
    code_bytes = sum(_file_sizes(code))
    layer_bytes = built.layer.tree_bytes if built.layer else 0
    if code_bytes + layer_bytes <= MAX_UNZIPPED:
        return
    largest = ", ".join(f"{name} {_mb(size)}" for name, size in _largest(code, built.site))
    raise AppError(
        Code.PACKAGE_TOO_LARGE,
        f"The function would unzip to {_mb(code_bytes + layer_bytes)}: {_mb(code_bytes)} of code and "
        f"{_mb(layer_bytes)} of dependencies. Lambda takes 250 MB. Largest: {largest}.",
        hint="Drop what the app does not need at run time, or fetch large data from a bucket at start.",
    )


def _mb(size: int) -> str:
    return f"{size / MEGABYTE:.0f} MB"


def _largest(code: Path, site: Path | None, count: int = 5) -> list[tuple[str, int]]:
    entries = [entry for folder in (code, site) if folder for entry in folder.iterdir()]
    sizes = [(entry.name, sum(_file_sizes(entry))) for entry in entries]
    return sorted(sizes, key=lambda item: (-item[1], item[0]))[:count]


def _file_sizes(path: Path) -> Iterator[int]:
    paths = path.rglob("*") if path.is_dir() and not path.is_symlink() else (path,)
    return (file.lstat().st_size for file in paths if file.is_symlink() or file.is_file())


def _check_template(template: Template, size: int) -> None:
    resources, outputs = len(template["Resources"]), len(template["Outputs"])
    if resources > MAX_RESOURCES or outputs > MAX_OUTPUTS or size > MAX_TEMPLATE_BYTES:
        raise AppError(
            Code.TOO_MANY_RESOURCES,
            f"The app compiles to {resources} resources and {outputs} outputs in {size:,} bytes; CloudFormation takes "
            f"{MAX_RESOURCES} resources and {MAX_OUTPUTS} outputs in {MAX_TEMPLATE_BYTES:,} bytes a stack.",
            hint="Split the app into several, each with its own zip.",
        )
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Function":
            _check_environment(name, resource["Properties"]["Environment"]["Variables"])


def _check_environment(function: str, variables: dict[str, object]) -> None:
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items() if isinstance(value, str))
    if size > MAX_ENVIRONMENT_BYTES:
        raise AppError(
            Code.BAD_CONFIG,
            f"The environment of {function} takes {size:,} bytes; Lambda takes {MAX_ENVIRONMENT_BYTES:,}.",
            hint="Keep long values in a parameter store, a secret or a bucket, and read them at start.",
        )
