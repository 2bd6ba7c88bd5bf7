"""Put a draft and its dependencies together into the bundle that the back end deploys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from auto_lambda.errors import AppError, Code
from auto_lambda.keys import App
from auto_lambda.model import Template
from builder.protocol.messages import AppBuilt
from builder.protocol.template_shape import check_shape
from worker.builds.client import BuiltApp
from worker.bundle import release
from worker.bundle.configuration import Configuration, configured, loader
from worker.bundle.domains import choose, with_domain
from worker.bundle.log_groups import with_log_groups
from worker.bundle.narrow import narrowed
from worker.bundle.publish import Publication, bounded, publish, serialize, template_key
from worker.model import Artifact, Bundle, DeployTarget

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MAX_TEMPLATE_BYTES = 1_000_000
MAX_RESOURCES = 500
MAX_OUTPUTS = 200
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html: all variables of a function together
MAX_ENVIRONMENT_BYTES = 4096


def assemble(
    app: App,
    built: BuiltApp,
    work: Path,
    target: DeployTarget,
    *,
    narrow: bool = False,
    granted_domains: tuple[str, ...] = (),
    revision: str | None = None,
) -> Bundle:
    """Publish what a builder has made, and name everything after its content.

    Args:
        app: which one it is.
        built: the template, and the files that it needs.
        work: an empty writable folder that outlives the bundle.
        target: the artifacts bucket and the boundary that the template will name.
        narrow: whether to narrow what frameworks ask for on every resource, see `narrowed`.
        granted_domains: names that the app's APIs may have beside its own.
        revision: of the app's configuration, None without one.

    Raises:
        AppError: it is not a template, or it passes a limit of CloudFormation.
    """
    result = built.result
    check_shape(result.template, result.main, (one.function for one in result.notifications))
    code = Artifact(built.code.path, f"bundles/{built.code.sha256}.zip")
    layer = Artifact(built.layer.path, f"layers/{built.layer.sha256}.zip") if built.layer else None
    template = publish(result, _publication(app, result, code, layer, target))
    chosen = choose(app, result, target.domain, granted_domains)
    for domain in chosen.domains:
        template = with_domain(template, domain)
    template = configured(template, app, _configuration(target, revision))
    if narrow:
        template = narrowed(template, app, target.place)
    stored = _stored(template, work)
    _check_template(template, stored.path.stat().st_size)
    return Bundle(
        app=app,
        framework=result.framework,
        python=result.python,
        architecture=result.architecture,
        template=template,
        template_key=stored.key,
        artifacts=(*((layer,) if layer else ()), *_loader(revision, work), *_locked(result, work), code, stored),
        main=result.main,
        has_url=result.url is not None,
        health_path=release.health_path(result),
        notifications=release.notifications(template),
        asked=result.asked,
        release_command=dict(result.release) if result.release else None,
        flex=result.flex,
        traffic=release.traffic(app, template),
        serves=result.serves,
        warnings=chosen.warnings,
    )


def renew(bundle: Bundle, work: Path, target: DeployTarget, *, narrow: bool, revision: str | None = None) -> Bundle:
    """Return a stored release with the boundary, rights, log groups and configuration that one made today would have.

    Args:
        bundle: the release.
        work: an empty writable folder that outlives the bundle.
        target: names the boundary.
        narrow: as for `assemble`.
        revision: as for `assemble`.
    """
    template = with_log_groups(bounded(bundle.template, target.boundary_arn), bundle.app, target.log_days)
    template = configured(template, bundle.app, _configuration(target, revision))
    if narrow:
        template = narrowed(template, bundle.app, target.place)
    if template == bundle.template:
        return bundle
    stored = _stored(template, work)
    artifacts = (*_loader(revision, work), stored)
    return replace(bundle, template=template, template_key=stored.key, artifacts=artifacts)


def _configuration(target: DeployTarget, revision: str | None) -> Configuration | None:
    return Configuration(revision, target.artifacts_bucket, target.place) if revision else None


def _loader(revision: str | None, work: Path) -> tuple[Artifact, ...]:
    return (loader(work),) if revision else ()


def _publication(
    app: App, result: AppBuilt, code: Artifact, layer: Artifact | None, target: DeployTarget
) -> Publication:
    return Publication(
        app=app,
        bucket=target.artifacts_bucket,
        code_key=code.key,
        layer_key=layer.key if layer else None,
        python=result.python,
        architecture=result.architecture,
        boundary_arn=target.boundary_arn,
        environment=result.environment,
        metadata={release.SECTION: release.describe(result)},
        log_days=target.log_days if result.log_days is None else result.log_days,
    )


def _locked(result: AppBuilt, work: Path) -> tuple[Artifact, ...]:
    key = release.lock_key(result)
    if key is None:
        return ()
    target = work / "lock.txt"
    target.write_text(result.lock)
    return (Artifact(target, key),)


def _stored(template: Template, work: Path) -> Artifact:
    data = serialize(template)
    target = work / "template.json"
    target.write_bytes(data)
    return Artifact(target, template_key(data))


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
