"""The boundary between worker and builder: the only part of `builder` that the worker imports.

A builder process serves one connection: it receives one request, sends events, and ends with a result or an error.
Messages are JSON objects, one a line, with open files beside them (`channel`); `messages` defines them.
"""
