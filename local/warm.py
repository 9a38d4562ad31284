"""Starting the functions before they are needed.

A cold start costs 2.5 s of CPU. On AWS they happen side by side. On a laptop's
two cores a dozen at once take half a minute, in which webhooks time out, are
tried again, and start yet more.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from local.aws import client
from local.deploy import Deployed
from local.http import request

_NOTHING = b'{"Records": []}'
_AT_ONCE: Mapping[str, int] = {
    "WebhooksFunction": 6,
    "DispatcherFunction": 2,
    "AggregatorFunction": 1,
}
"""How many of each the local stage may need at a time. Calls under way together start as many."""


def warm_up(deployed: Deployed) -> None:
    """Calls each function with nothing to do; what it answers does not matter."""
    functions = client("lambda", deployed.aws_url, attempts=1)

    def start(output: str) -> None:
        functions.invoke(FunctionName=deployed.outputs[output], Payload=_NOTHING)

    with ThreadPoolExecutor(sum(_AT_ONCE.values()) + 2) as calls:
        done = [calls.submit(start, name) for name, count in _AT_ONCE.items() for _ in range(count)]
        done.append(calls.submit(_open, f"{deployed.api_url}/v1/health"))
        done.append(calls.submit(_open, f"{deployed.public_url}/u/nothing"))
        for one in done:
            one.result()


def _open(url: str) -> None:
    request("GET", url)
