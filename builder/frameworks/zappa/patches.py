"""Python that is appended to ``zappa_settings.py``, for what zappa's handler lacks here."""

CALL_LIVE_ALIAS = """
# zappa.asynchronous calls the function by this name: tasks have to run on the live version, not on $LATEST.
import os
if os.environ.get("AWS_LAMBDA_FUNCTION_NAME", ":").count(":") == 0:
    os.environ["AWS_LAMBDA_FUNCTION_NAME"] += ":live"
"""
LOG_FAILED_REQUESTS = """
# zappa prints an exception's message only, and answers with its traceback only where debug is on.
def _log_failed_requests():
    import sys
    import traceback

    for name in ("handler", "zappa.handler"):
        found = getattr(sys.modules.get(name), "LambdaHandler", None)
        handle = getattr(found, "_handle_request_exception", None)  # not before zappa 0.60
        if handle is None or hasattr(handle, "_auto_lambda"):
            continue

        def logged(self, event, context, exception, handle=handle):
            traceback.print_exception(type(exception), exception, exception.__traceback__)
            return handle(self, event, context, exception)

        logged._auto_lambda = True
        found._handle_request_exception = logged


_log_failed_requests()
"""
UNWRAP_SINGLE_FUNCTIONS = """
# Handlers before zappa 0.63 support one function per source, which must not be in a list.
AWS_EVENT_MAPPING = {arn: found[0] if len(found) == 1 else found for arn, found in AWS_EVENT_MAPPING.items()}
"""
DISCONNECT_AFTER_ANSWER = """
# zappa tells ASGI apps that the client has left as soon as they have the request: Django then answers nothing.
def _disconnect_after_answer():
    import asyncio

    try:
        from zappa.asgi import ASGIHandler
    except ImportError:  # read by something else than zappa's handler
        return

    receive, send = ASGIHandler.receive, ASGIHandler.send

    def answered(handler):
        return handler.__dict__.setdefault("_auto_lambda_answered", asyncio.Event())

    async def patient_receive(self):
        if self._request_sent:
            await answered(self).wait()
        return await receive(self)

    async def noting_send(self, message):
        await send(self, message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            answered(self).set()

    ASGIHandler.receive, ASGIHandler.send = patient_receive, noting_send


_disconnect_after_answer()
"""
STAGE_IN_QUARTS_PATH = """
# ASGI's path begins with its root_path, the stage; zappa's does not. Quart relies on it, and answers 404 to all else.
def _stage_in_quarts_path():
    try:
        from zappa.asgi import ASGIHandler
    except ImportError:  # read by something else than zappa's handler
        return

    run = ASGIHandler.run

    def run_with_full_path(self):
        if any(one.__module__.partition(".")[0] == "quart" for one in type(self.app).__mro__):
            self.scope = {**self.scope, "path": self.scope["root_path"] + self.scope["path"]}
        return run(self)

    ASGIHandler.run = run_with_full_path


_stage_in_quarts_path()
"""
LOAD_BALANCER_EVENTS = """
# Load balancers do not decode what they tell of a query; zappa encodes it once more.
def _load_balancer_events():
    import sys
    from urllib.parse import unquote_plus

    many, one = "multiValueQueryStringParameters", "queryStringParameters"

    def decoded(event):
        if event.get(many):
            values = {}
            for name, told in event[many].items():
                values.setdefault(unquote_plus(name), []).extend(map(unquote_plus, told))
            return {**event, many: values}
        if event.get(one):
            return {**event, one: {unquote_plus(name): unquote_plus(told) for name, told in event[one].items()}}
        return event

    for module in ("handler", "zappa.handler"):
        found = getattr(sys.modules.get(module), "LambdaHandler", None)
        handle = getattr(found, "handler", None)
        if handle is None or hasattr(handle, "_auto_lambda"):
            continue

        def handler(self, event, context, handle=handle):
            balanced = isinstance(event, dict) and (event.get("requestContext") or {}).get("elb")
            return handle(self, decoded(event) if balanced else event, context)

        handler._auto_lambda = True
        found.handler = handler


_load_balancer_events()
"""
