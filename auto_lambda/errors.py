"""The two kinds of failure: what the uploader can fix, and everything else.

An `AppError` is final: the message is deleted and the receipt tells the uploader what to do.
Any other exception is ours: the message returns to the queue and is retried.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from enum import StrEnum

_LONGEST = 20_000  # characters of a message in the journal, whose items are limited in size
_BRIEF = 300
_TRACEBACK = "Traceback (most recent call last):"


class Code(StrEnum):
    """Every error code of receipts. Each has a section in docs/reference/errors.md, as a test checks."""

    # The key and the object
    BAD_KEY = "bad-key"
    UPLOAD_DELETED = "upload-deleted"
    UPLOAD_TOO_LARGE = "upload-too-large"
    # The zip
    NOT_A_ZIP = "not-a-zip"
    ZIP_EMPTY = "zip-empty"
    ZIP_CORRUPT = "zip-corrupt"
    ZIP_TOO_MANY_FILES = "zip-too-many-files"
    ZIP_TOO_LARGE = "zip-too-large"
    ZIP_BOMB = "zip-bomb"
    ZIP_UNSAFE_NAME = "zip-unsafe-name"
    ZIP_DUPLICATE_NAME = "zip-duplicate-name"
    ZIP_LINK = "zip-link"
    ZIP_ENCRYPTED = "zip-encrypted"
    ZIP_METHOD = "zip-method"
    # The app in it
    NO_FRAMEWORK = "no-framework"
    AMBIGUOUS_FRAMEWORK = "ambiguous-framework"
    BAD_CONFIG = "bad-config"
    UNKNOWN_STAGE = "unknown-stage"
    UNKNOWN_PYTHON = "unknown-python"
    UNKNOWN_ARCHITECTURE = "unknown-architecture"
    # Its dependencies
    BAD_REQUIREMENTS = "bad-requirements"
    REQUIREMENT_NOT_FOUND = "requirement-not-found"
    REQUIREMENTS_CONFLICT = "requirements-conflict"
    INDEX_PAGE_TOO_LARGE = "index-page-too-large"
    DEPENDENCY_BUILD_FAILED = "dependency-build-failed"
    DEPENDENCY_DOES_NOT_FIT = "dependency-does-not-fit"
    PACKAGE_TOO_LARGE = "package-too-large"
    # Compiling it
    APP_DOES_NOT_IMPORT = "app-does-not-import"
    SYNTAX_ERROR = "syntax-error"
    UNSUPPORTED_SETTING = "unsupported-setting"
    MISSING_POLICY_FILE = "missing-policy-file"
    COMPILE_FAILED = "compile-failed"
    TOOK_TOO_LONG = "took-too-long"
    TOO_MUCH_OUTPUT = "too-much-output"
    OUT_OF_MEMORY = "out-of-memory"
    TOO_MANY_PROCESSES = "too-many-processes"
    TOO_MUCH_DISK = "too-much-disk"
    RESULT_TAMPERED = "result-tampered"
    TOO_MANY_RESOURCES = "too-many-resources"
    # Running it on Lambda
    WRONG_ARCHITECTURE = "wrong-architecture"
    WRONG_PYTHON_ABI = "wrong-python-abi"
    GLIBC_TOO_NEW = "glibc-too-new"
    MISSING_LIBRARY = "missing-library"
    HANDLER_MISSING = "handler-missing"
    INIT_TOO_SLOW = "init-too-slow"
    WRITES_TO_READ_ONLY = "writes-to-read-only"
    ENDED_AT_START = "ended-at-start"
    MEMORY_SIZE_TOO_SMALL = "memory-size-too-small"
    MISSING_ENVIRONMENT = "missing-environment"
    NEEDS_AWS = "needs-aws"
    # Deploying it
    TEMPLATE_REFUSED = "template-refused"
    RIGHTS_NOT_GRANTED = "rights-not-granted"
    NEEDS_APPROVAL = "needs-approval"
    TRAFFIC_REQUIRED = "traffic-required"
    CANNOT_FLEX = "cannot-flex"
    DOMAIN_TAKEN = "domain-taken"
    STACK_NOT_OURS = "stack-not-ours"
    STACK_FAILED = "stack-failed"
    BUCKET_NOTIFICATION_FAILED = "bucket-notification-failed"
    RELEASE_FAILED = "release-failed"
    UNHEALTHY = "unhealthy"
    TRAFFIC_WENT_BACK = "traffic-went-back"
    # The processes that work on it
    BUILDER_BROKE_OFF = "builder-broke-off"
    ENDS_WORKERS = "ends-workers"
    # Not the uploader's: only in `delayed` receipts, never in an AppError
    OUR_SIDE = "our-side"
    THROTTLED = "throttled"


def first_lines(lines: Sequence[str], most: int) -> list[str]:
    """Return the first lines of many; if there are more than ``most``, a last one says how many."""
    beside = len(lines) - most
    return [*lines[:most], *([f"and {beside} more"] if beside > 0 else [])]


def brief(message: str) -> str:
    """Reduce a message to a few words in one line: a traceback to what was raised in the end."""
    before, traceback, last = message.partition(_TRACEBACK)
    if traceback:
        lines = last.rpartition(_TRACEBACK)[2].splitlines()
        raised = next((number for number, line in enumerate(lines) if line[:1].strip()), 0)
        message = "\n".join((before, *lines[raised:]))
    return textwrap.shorten(message, _BRIEF, placeholder=" ...")


class AppError(Exception):
    """An error that the uploader can fix. Never retried.

    Attributes:
        code: one of `Code`, stable, for programs.
        message: what happened and where, in one or a few lines.
        hint: what to do about it, in one or two imperative sentences.
        function_log: what the app's function has logged about it, several lines; empty if that is not known.
    """

    def __init__(self, code: Code, message: str, *, hint: str, function_log: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.function_log = function_log

    def __str__(self) -> str:
        return f"[{self.code}] {self.message} ({self.hint})"

    def text(self) -> str:
        """Return the text that the journal stores."""
        told = {"code": self.code, "message": self.message[:_LONGEST], "hint": self.hint}
        return json.dumps({**told, **({"function_log": self.function_log[-_LONGEST:]} if self.function_log else {})})

    @classmethod
    def of(cls, text: str) -> AppError | None:
        """Parse the journal's text; None if another version of the worker wrote it differently."""
        try:
            read = json.loads(text)
            log = str(read.get("function_log", ""))
            return cls(Code(read["code"]), str(read["message"]), hint=str(read["hint"]), function_log=log)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
