"""A fresh instance has an empty ``/tmp``: bring the database into being before it serves."""

from django.core.management import call_command


def migrated(get_response):
    """Django calls this once per process, when everything is set up and no request has come yet."""
    call_command("migrate", verbosity=0, interactive=False)
    return get_response
