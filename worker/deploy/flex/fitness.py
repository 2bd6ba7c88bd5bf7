"""Tell whether an app can run on Fargate as it does on Lambda, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator

from auto_lambda.errors import AppError, Code
from builder.protocol.flex import FlexMessage
from worker.bundle.configuration import LAYER
from worker.bundle.domains import DOMAIN_OUTPUT, front
from worker.deploy.flex.capacity import overloads
from worker.deploy.flex.front import api_front
from worker.deploy.gate import apis
from worker.deploy.gate.symbols import lone_symbol
from worker.deploy.gate.template import Call, TemplateView
from worker.model import Bundle, DeployTarget

_HINT = "Take [flex] out of auto-lambda.toml, or change what the lines name; the page about flex says what it needs."


def require_fit(bundle: Bundle, target: DeployTarget) -> None:
    """Return if an app can flex, or does not ask for it.

    Args:
        bundle: which has passed the gate.
        target: the pipeline's domain and network.

    Raises:
        AppError: ``cannot-flex``, with every reason.
    """
    if bundle.flex and (reasons := list(_reasons(bundle, bundle.flex, target))):
        raise cannot_flex(*reasons)


def cannot_flex(*reasons: str, hint: str = _HINT) -> AppError:
    """Return the error of an app or a pipeline that cannot do what ``[flex]`` asks for."""
    return AppError(Code.CANNOT_FLEX, "The app cannot move to Fargate and back:\n" + "\n".join(reasons), hint=hint)


def _reasons(bundle: Bundle, flex: FlexMessage, target: DeployTarget) -> Iterator[str]:
    view = TemplateView(bundle.template["Resources"])
    if LAYER in bundle.template["Resources"]:
        yield "it has a configuration in Parameter Store, which tasks on Fargate do not load: unset it"
    if bundle.release_command:
        yield "it has a release command, which runs in a function before that takes the traffic, and tasks come first"
    if front(bundle.template) is None:
        yield "it has no HTTP API: plain handlers and function URLs have none"
    else:
        yield from _name(bundle, flex, target)
        yield from _one_function(view, bundle.main)
        yield from api_front(bundle.template, bundle.main).reasons
        yield from overloads(bundle, flex)
    yield from _protocols(view)
    if flex.variant == "standing-load-balancer":
        yield from _balanced(bundle, view)
    yield from _network(view, flex, target, bundle.main)
    if not target.place.account:
        yield "the permissions boundary of apps is AWS's own, which does not tell the account that its tasks run in"


def _name(bundle: Bundle, flex: FlexMessage, target: DeployTarget) -> Iterator[str]:
    if target.domain is None:
        yield "the pipeline has no domain with a certificate and a hosted zone, by which traffic could be moved"
        return
    if DOMAIN_OUTPUT not in bundle.template.get("Outputs", {}):
        yield from bundle.warnings or ("it has no name: <name>-<stage> is longer than 63 characters, so say a domain",)
        return
    name = domain_of(bundle)
    if base := _url(bundle).partition("://")[2].partition("/")[2].strip("/"):
        yield f"its API is below the path /{base} of its domain, and tasks answer below / alone"
    if flex.domain and flex.domain != name:
        yield from bundle.warnings or (f"[flex] says {flex.domain}, and the app's own settings {name}",)
        return
    if not name.endswith(f".{target.domain.name}"):
        yield f"the domain {name} is not below {target.domain.name}, so its records are not the pipeline's"


def domain_of(bundle: Bundle) -> str:
    """Return the host name of an app that has one."""
    return _url(bundle).removeprefix("https://").partition("/")[0]


def _url(bundle: Bundle) -> str:
    return str(bundle.template["Outputs"][DOMAIN_OUTPUT]["Value"])


def _one_function(view: TemplateView, main: str) -> Iterator[str]:
    routes = (call for call in apis.calls(view) if not any("/authorizers/" in way for way in _ways(call)))
    called = {view.live.get(lone_symbol(call.target) or "", "another") for call in routes}
    if others := sorted(called - {main}):
        yield f"its API calls several functions ({', '.join([main, *others])}), and tasks run one"


def _ways(call: Call) -> Iterator[str]:
    return (way for ways in call.sources for way in ways)


def _protocols(view: TemplateView) -> Iterator[str]:
    for name, api in view.of("ApiGatewayV2::Api"):
        if api.get("ProtocolType") == "WEBSOCKET":
            yield f"it has a WebSocket API ({name}), whose connections stay where they are"
    for name, method in view.of("ApiGateway::Method"):
        if str(method.get("Integration", {}).get("ResponseTransferMode")).upper() == "STREAM":
            yield f"it answers in a stream ({name})"
    for name, url in view.of("Lambda::Url"):
        if url.get("InvokeMode") == "RESPONSE_STREAM":
            yield f"it answers in a stream ({name})"


def _balanced(bundle: Bundle, view: TemplateView) -> Iterator[str]:
    """Yield what gets lost where a load balancer calls the function, and the API does not."""
    if bundle.serves == "lambda":
        yield "its handler is not known to take a load balancer's events, as zappa's own does: use variant = 'dns'"
    for name, api in view.of("ApiGateway::RestApi"):
        if api.get("Policy"):
            yield f"its API has a resource policy ({name}), which a load balancer passes by: use variant = 'dns'"
    for kind in ("ApiGateway::Method", "ApiGatewayV2::Route"):
        for name, one in view.of(kind):
            if one.get("ApiKeyRequired") or str(one.get("AuthorizationType", "NONE")).upper() != "NONE":
                yield f"its API decides who may call it ({name}), a load balancer lets everybody: use variant = 'dns'"
            if str(one.get("Integration", {}).get("Type")).upper() == "MOCK":
                yield f"its API answers itself ({name}, as for `cors`), a load balancer does not: use variant = 'dns'"


def _network(view: TemplateView, flex: FlexMessage, target: DeployTarget, main: str) -> Iterator[str]:
    if flex.network == "given" and (target.flex.vpc_id is None or len(target.flex.subnet_ids) < 2):
        yield "network = 'given', and the pipeline names no network with two subnets (AUTO_LAMBDA_FLEX_VPC_ID)"
    in_network = view.resources.get(main, {}).get("Properties", {}).get("VpcConfig", {}).get("SubnetIds")
    if flex.network == "own" and in_network:
        yield "its function is in a network, which tasks in one of their own would not reach: use network = 'given'"
