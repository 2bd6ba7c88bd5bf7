"""Settings: what differs between machines comes from the environment."""

import os
import tempfile
from pathlib import Path

from django.core.management.utils import get_random_secret_key

# Nobody signs in here, so a forged form has nothing to misuse. When you add sign-in: add sessions, authentication and
# CsrfViewMiddleware, and set SECRET_KEY, or instances won't accept each other's sessions.
SECRET_KEY = os.environ.get("SECRET_KEY") or get_random_secret_key()
DEBUG = False
ALLOWED_HOSTS = [".amazonaws.com", ".on.aws", "localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = ["entries"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "entries.middleware.migrated",
]
ROOT_URLCONF = "guestbook.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(tempfile.gettempdir()) / "guestbook.sqlite3",
    }
}
USE_TZ = True
