"""A stored template tells by itself what it releases, so that its key alone is enough to deploy it again."""

from __future__ import annotations

import hashlib
from typing import Any

from auto_lambda.keys import App
from auto_lambda.model import BucketNotification, Template
from builder.model import Built, Draft
from worker.model import Bundle

SECTION = "AutoLambda"


def describe(draft: Draft, built: Built) -> dict[str, Any]:
    """What goes into the template's ``Metadata``: everything about a release that its resources don't say."""
    source = built.source
    return {
        **({"Lock": key} if (key := lock_key(built)) else {}),
        "Framework": source.framework,
        "Python": source.python,
        "Architecture": source.architecture,
        "Main": draft.main,
        "HasUrl": draft.url is not None,
        "HealthPath": health_path(built),
        "Notifications": [
            {
                "Bucket": notification.bucket,
                "Function": notification.function,
                "Events": list(notification.events),
                "Prefix": notification.prefix,
                "Suffix": notification.suffix,
            }
            for notification in draft.notifications
        ],
    }


def lock_key(built: Built) -> str | None:
    """Where the lock is stored, named after its content; None for an app without dependencies."""
    return f"bundles/{hashlib.sha256(built.lock.encode()).hexdigest()}.lock.txt" if built.lock else None


def health_path(built: Built) -> str:
    """The path that is asked for after a deploy, always with a leading slash."""
    return "/" + (built.source.options.health_path or "").lstrip("/")


def bundle(app: App, template_key: str, template: Template) -> Bundle:
    """What was released under a key, as it was deployed; everything that it needs is stored."""
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
    )


def notifications(template: Template) -> tuple[BucketNotification, ...]:
    """The bucket events that a released template asks for."""
    return tuple(
        BucketNotification(item["Bucket"], item["Function"], tuple(item["Events"]), item["Prefix"], item["Suffix"])
        for item in template["Metadata"][SECTION]["Notifications"]
    )
