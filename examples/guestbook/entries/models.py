"""What people write into the guestbook."""

from django.db import models


class Entry(models.Model):
    name = models.CharField(max_length=60)
    text = models.CharField(max_length=500)
    written = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-written", "-id"]  # noqa: RUF012 - Django's own form

    def __str__(self):
        return f"{self.name}: {self.text}"
