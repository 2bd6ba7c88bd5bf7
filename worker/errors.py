"""Failures that only a worker knows."""

from __future__ import annotations

from auto_lambda.errors import AppError
from worker.model import Deployment


class RolledBack(AppError):
    """An `AppError` after which the earlier release was deployed again.

    Attributes:
        restored: the deployment that is live again.
    """

    def __init__(self, error: AppError, restored: Deployment) -> None:
        super().__init__(error.code, error.message, hint=error.hint)
        self.restored = restored


def restored_by(error: AppError) -> Deployment | None:
    """The deployment that a failure left live again, or None if nothing was rolled back."""
    return error.restored if isinstance(error, RolledBack) else None
