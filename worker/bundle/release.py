"""A stored template tells by itself what it releases, so that its key alone is enough to deploy it again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from auto_lambda.keys import App
from auto_lambda.model import BucketNotification, Template
from builder.protocol.flex import FlexMessage
from builder.protocol.messages import AppBuilt
from builder.protocol.traffic import TrafficMessage
from worker.model import Bundle

SECTION = "AutoLambda"


def describe(built: AppBuilt) -> dict[str, Any]:
    """Return what goes into the template's ``Metadata``: everything about a release that its resources don't say."""
    return {
        **({"Lock": key} if (key := lock_key(built)) else {}),
        **({"Retain": built.retain} if built.retain else {}),
        **({} if built.asked else {"Asked": False}),
        **({"Release": dict(built.release)} if built.release else {}),
        **({"Flex": built.flex.model_dump(), "Serves": built.serves} if built.flex else {}),
        **({"Traffic": built.traffic.model_dump()} if built.traffic else {}),
        "Framework": built.framework,
        "Python": built.python,
        "Architecture": built.architecture,
        "Main": built.main,
        "HasUrl": built.url is not None,
        "HealthPath": health_path(built),
        "Notifications": [
            {
                "Bucket": notification.bucket,
                "Function": notification.function,
                "Events": notification.events,
                "Prefix": notification.prefix,
                "Suffix": notification.suffix,
                **({"Called": notification.called} if notification.called else {}),
            }
            for notification in built.notifications
        ],
    }


def lock_key(built: AppBuilt) -> str | None:
    """Return where the lock is stored, named after its content; None for an app without dependencies."""
    return f"bundles/{hashlib.sha256(built.lock.encode()).hexdigest()}.lock.txt" if built.lock else None


def health_path(built: AppBuilt) -> str:
    """Return the path that is asked for after a deployment, always with a leading slash."""
    return "/" + built.health_path.lstrip("/")


def bundle(app: App, template_key: str, template: Template) -> Bundle:
    """Return the release stored under a key; everything that it needs is stored, too."""
    about = template["Metadata"][SECTION]
    return Bundle(
        app=app,
        framework=about["Framework"],
        python=about["Python"],
        architecture=about["Architecture"],
        template=template,
        template_key=template_key,
        artifacts=(),
        main=about["Main"],
        has_url=about["HasUrl"],
        health_path=about["HealthPath"],
        notifications=notifications(template),
        asked=about.get("Asked", True),
        release_command=about.get("Release"),
        flex=flex(template),
        traffic=traffic(app, template),
        serves=about.get("Serves", "lambda"),
    )


def flex(template: Template) -> FlexMessage | None:
    """Return when the app of a released template moves to Fargate and back; None if it stays on Lambda."""
    said = template["Metadata"][SECTION].get("Flex")
    return FlexMessage.model_validate(said) if said else None


def traffic(app: App, template: Template) -> TrafficMessage | None:
    """Return how a released template takes the traffic over; None if at once, as in stages that it does not name."""
    said = template["Metadata"][SECTION].get("Traffic")
    plan = TrafficMessage.model_validate(said) if said else None
    return plan if plan and (not plan.stages or app.stage in plan.stages) else None


def notifications(template: Template) -> tuple[BucketNotification, ...]:
    """Return the bucket events that a released template asks for."""
    return tuple(
        BucketNotification(
            item["Bucket"],
            item["Function"],
            tuple(item["Events"]),
            item["Prefix"],
            item["Suffix"],
            tuple(item.get("Called", ())),
        )
        for item in template["Metadata"][SECTION]["Notifications"]
    )


def stored_lock(template: Template) -> str | None:
    """Return where a released template's lock is stored; None without dependencies."""
    key = template["Metadata"][SECTION].get("Lock")
    return key if isinstance(key, str) else None


def retained(template: Template) -> int | None:
    """Return how many releases the app of a released template keeps; None if it does not say."""
    count = template["Metadata"][SECTION].get("Retain")
    return int(count) if count else None


def artifacts(template: Template) -> Iterator[str]:
    """Yield the keys of what a released template needs beside itself: code, layers, the lock."""
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for name in ("Code", "Content"):
            place = properties.get(name)
            if isinstance(place, dict) and isinstance(key := place.get("S3Key"), str):
                yield key
    if lock := stored_lock(template):
        yield lock
