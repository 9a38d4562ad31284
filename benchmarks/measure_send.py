"""The measured process of `send`: `python -m benchmarks.measure_send '<arguments as JSON>'`.

A process of its own, so that nothing but the send path runs in it. It prints
one JSON object; what the functions log goes into memory and is measured too.
"""

from __future__ import annotations

import contextlib
import io
import json
import statistics
import sys
import time
from typing import Any
from urllib.request import Request, urlopen

import orjson

from benchmarks.calls import CallCounter, ConnectionCounter
from benchmarks.campaign import Pipeline, settings_kept
from benchmarks.deployment import Workspace, deploy, populate
from benchmarks.lean import LEAN_CHUNK, Lean
from benchmarks.mail import people
from benchmarks.sdks import OneByOne
from shared.delivery.model import CHUNK_SIZE
from shared.delivery.states import CampaignState
from shared.ids import SubscriberIds

_TIMEOUT_S = 30


def counts(
    pipeline: Pipeline, where: Workspace, urls: tuple[str, str], log: io.StringIO, chunks: int
) -> dict[str, Any]:
    """What one whole campaign is billed, and the calls of two of a second one's chunks."""
    counter, connections = CallCounter(), ConnectionCounter()
    for url in urls:
        _forget(url)
    logged = connected = 0
    campaign = pipeline.launch(where)
    for place, event in enumerate(pipeline.bulk.take()):
        before, opened = log.tell(), connections.opened
        pipeline.dispatch(event)
        logged += log.tell() - before
        if place:  # the first chunk warms up
            connected += connections.opened - opened
    done = pipeline.finish(campaign)
    cloud, esp = (_forget(url) for url in urls)
    accepted = done.totals.get("states", {}).get("accepted")
    if done.state is not CampaignState.SENT or accepted != chunks * CHUNK_SIZE:
        raise RuntimeError(
            f"the campaign is {done.state} with {accepted} accepted of {chunks * CHUNK_SIZE}"
        )
    return {
        "cloud": cloud,
        "esp": esp,
        "log_bytes": logged,
        "new_connections": connected,
        "connections_of_all": connections.opened,
        "calls": _calls_of_two_chunks(pipeline, where, counter),
    }


def _calls_of_two_chunks(pipeline: Pipeline, where: Workspace, counter: CallCounter) -> list[int]:
    pipeline.launch(where)
    calls = []
    for _, event in zip(range(2), pipeline.bulk.take(), strict=False):
        with counter.counting() as counted:
            pipeline.dispatch(event)
        calls += counted
    return calls


def cpu(
    pipeline: Pipeline, where: Workspace, others: tuple[OneByOne, Lean], repeats: int, messages: int
) -> dict[str, Any]:
    """CPU seconds a message of all three ways, by turns.

    `repeats` times one of our chunks, as many people by lean chunks, and
    `messages` by SDK. One more of each goes before them, to warm up.
    """
    one_by_one, lean = others
    pipeline.launch(where)
    lean_bodies = _lean_bodies(where)
    chosen = people(messages, where.workspace, where.list_id, SubscriberIds(b"bench" * 8))
    bodies = [
        json.dumps(
            {
                "subscriber": {"email": one.address, "attributes": dict(one.attributes)},
                "unsubscribe_url": "https://mail.example.com/u/" + "x" * 80,
            }
        )
        for one in chosen
    ]
    ours, theirs, leanest = [], [], []
    for event in pipeline.bulk.take():
        begun = time.process_time()
        pipeline.dispatch(event)
        ended = time.process_time()
        ours.append((ended - begun) / CHUNK_SIZE)
        begun = time.process_time()
        for body in bodies:
            one_by_one.handle(body)
        theirs.append((time.process_time() - begun) / len(bodies))
        begun = time.process_time()
        for lean_body in lean_bodies:
            lean.handle(lean_body)
        leanest.append((time.process_time() - begun) / CHUNK_SIZE)
    if len(ours) != repeats + 1:
        raise RuntimeError(f"{len(ours)} chunks were sent and not {repeats + 1}")
    return {
        "ours_us": 1e6 * statistics.median(ours[1:]),
        "sdk": _compared(ours, theirs),
        "lean": _compared(ours, leanest),
    }


def _compared(ours: list[float], others: list[float]) -> dict[str, float]:
    """Ours as a share of the other's, turn by turn; the first turn does not count."""
    ratios = [a / b for a, b in zip(ours[1:], others[1:], strict=True)]
    return {
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "us": 1e6 * statistics.median(others[1:]),
    }


def _lean_bodies(where: Workspace) -> list[bytes]:
    """The queue messages of the lean pipeline for as many people as a chunk of ours has."""
    ids = SubscriberIds(b"bench" * 8)
    chosen = list(people(CHUNK_SIZE, where.workspace, where.list_id, ids))
    return [
        orjson.dumps(
            {
                "chunk": f"chunk-{start}",
                "messages": [
                    {
                        "subscriber": {"email": one.address, "attributes": dict(one.attributes)},
                        "unsubscribe_url": "https://mail.example.com/u/" + "x" * 80,
                    }
                    for one in chosen[start : start + LEAN_CHUNK]
                ],
            }
        )
        for start in range(0, CHUNK_SIZE, LEAN_CHUNK)
    ]


def _forget(url: str) -> dict[str, Any]:
    """What a server counted; it then begins anew."""
    request = Request(f"{url}/_counts", data=b"", method="POST")  # noqa: S310 - our own server
    with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - our own server
        counted: dict[str, Any] = json.load(answer)
        return counted


def main(arguments: dict[str, Any]) -> dict[str, Any]:
    """`what` is `counts` or `cpu`."""
    urls = arguments["cloud_url"], arguments["esp_url"]
    provider = arguments["provider"]
    log = io.StringIO()
    with contextlib.redirect_stdout(log), settings_kept():
        settings = deploy(*urls, provider)
        pipeline = Pipeline(settings)
        if arguments["what"] == "counts":
            chunks = arguments["chunks"]
            return counts(pipeline, populate(chunks * CHUNK_SIZE), urls, log, chunks)
        repeats = arguments["repeats"]
        where = populate((repeats + 1) * CHUNK_SIZE)
        others = OneByOne(provider, urls[1]), Lean(*urls)
        return cpu(pipeline, where, others, repeats, arguments["messages"])


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
