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

from benchmarks.calls import CallCounter
from benchmarks.campaign import Pipeline, settings_kept
from benchmarks.deployment import Workspace, deploy, populate
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
    counter = CallCounter()
    for url in urls:
        _forget(url)
    logged = 0
    campaign = pipeline.launch(where)
    for event in pipeline.bulk.take():
        before = log.tell()
        pipeline.dispatch(event)
        logged += log.tell() - before
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
    pipeline: Pipeline, where: Workspace, one_by_one: OneByOne, repeats: int, messages: int
) -> dict[str, Any]:
    """CPU seconds a message of both ways, by turns: `repeats` chunks, and `messages` each time.

    One more of each goes before them, to warm up.
    """
    pipeline.launch(where)
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
    ours, theirs = [], []
    for event in pipeline.bulk.take():
        begun = time.process_time()
        pipeline.dispatch(event)
        ended = time.process_time()
        ours.append((ended - begun) / CHUNK_SIZE)
        begun = time.process_time()
        for body in bodies:
            one_by_one.handle(body)
        theirs.append((time.process_time() - begun) / len(bodies))
    ratios = [a / b for a, b in zip(ours[1:], theirs[1:], strict=True)]
    if len(ratios) != repeats:
        raise RuntimeError(f"{len(ratios)} chunks were sent and not {repeats}")
    return {
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "ours_us": 1e6 * statistics.median(ours[1:]),
        "sdk_us": 1e6 * statistics.median(theirs[1:]),
    }


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
        return cpu(pipeline, where, OneByOne(provider, urls[1]), repeats, arguments["messages"])


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
