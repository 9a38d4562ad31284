"""What sending a message costs, on whole chunks of 500, through one provider at a time.

The functions' own handlers and wiring run against a counting DynamoDB and SQS
and a stub of the ESPs over TLS, each in a process of its own. The counts do not
depend on the machine; the CPU time is only ever given as a ratio, to the ESP's
own SDK and to the leanest pipeline, in the same process and by turns.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks import ceiling
from benchmarks.certificate import certificate, trusting
from benchmarks.children import child
from benchmarks.deployment import PROVIDERS
from benchmarks.figures import Figure
from shared.delivery.model import CHUNK_SIZE

CHUNKS = 20
"""Of the campaign that is counted: 10,000 recipients, as in the demo."""

REPEATS = 7
MESSAGES = 40
"""Of the CPU measurement: chunks, and messages by SDK for each of them."""

COLD_BATCHES = 1
"""Small first batches by which a provider proves itself to a cold worker; they are not counted."""

ESP_CALLS_GOAL = {"sendgrid": 2, "postmark": 2, "ses": 20}
WRITE_UNITS_GOAL, READ_UNITS_GOAL, LOG_BYTES_GOAL = 0.03, 1.05, 20
CALLS_GOAL, CPU_VS_SDK_GOAL, CPU_VS_LEAN_GOAL = 100, 0.02, 2

_TIMEOUT_S = 600


def run() -> list[Figure]:
    """All figures, of all providers."""
    figures = []
    for provider in PROVIDERS:
        print(f"  {provider}: a campaign of {CHUNKS} chunks, counted", flush=True)
        figures += counted(provider, CHUNKS)
        print(f"  {provider}: CPU, by turns with its SDK", flush=True)
        figures += _cpu(provider)
    print("  the share of the ceiling", flush=True)
    figures += ceiling.run()
    return sorted(figures, key=lambda one: one.name)


def counted(provider: str, chunks: int) -> list[Figure]:
    """The figures that are exact, from a campaign of that many chunks."""
    found = _measure({"what": "counts", "provider": provider, "chunks": chunks})
    messages = chunks * CHUNK_SIZE
    cloud: dict[str, Any] = found["cloud"]
    first, second = found["calls"]
    context = {"provider": provider, "chunk": CHUNK_SIZE, "messages": messages}
    sqs = {
        name.partition(".")[2]: number
        for name, number in cloud["requests"].items()
        if name.startswith("AmazonSQS.")
    }
    return [
        Figure(
            "send.write_units_per_message",
            sum(cloud["write_units"].values()) / messages,
            "write units",
            {**context, "by_table": cloud["write_units"], "writes": cloud["items_written"]},
            WRITE_UNITS_GOAL,
        ),
        Figure(
            "send.read_units_per_message",
            sum(cloud["read_units"].values()) / messages,
            "read units",
            {**context, "by_table": cloud["read_units"]},
            READ_UNITS_GOAL,
        ),
        Figure(
            "send.calls_per_message",
            second / CHUNK_SIZE,
            "function calls",
            {**context, "messages": CHUNK_SIZE, "again": first / CHUNK_SIZE},
            CALLS_GOAL,
        ),
        Figure(
            "send.esp_calls_per_1000",
            1000 * (sum(found["esp"].values()) - COLD_BATCHES) / messages,
            "requests",
            {**context, "by_path": found["esp"], "of_a_cold_worker": COLD_BATCHES},
            ESP_CALLS_GOAL[provider],
        ),
        Figure(
            "send.sqs_requests_per_1000",
            1000 * sum(sqs.values()) / messages,
            "requests",
            {**context, "by_operation": sqs},
        ),
        Figure(
            "send.log_bytes_per_message",
            found["log_bytes"] / messages,
            "bytes",
            context,
            LOG_BYTES_GOAL,
        ),
        Figure(
            "send.new_handshakes_after_warmup",
            found["new_connections"],
            "connections",
            {**context, "opened_in_all": found["connections_of_all"]},
            0,
        ),
    ]


def _cpu(provider: str) -> list[Figure]:
    asked = {"what": "cpu", "provider": provider, "repeats": REPEATS, "messages": MESSAGES}
    found = _measure(asked)
    goals = {"sdk": CPU_VS_SDK_GOAL, "lean": CPU_VS_LEAN_GOAL}
    return [
        Figure(
            f"send.cpu_ratio_vs_{other}",
            found[other]["ratio"],
            f"of the CPU of {other}",
            {
                "provider": provider,
                "repeats": REPEATS,
                "lowest": found[other]["lowest"],
                "highest": found[other]["highest"],
                "ours_us": round(found["ours_us"], 1),
                f"{other}_us": round(found[other]["us"], 1),
            },
            goal,
        )
        for other, goal in goals.items()
    ]


def _measure(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Runs `benchmarks.measure_send` on a fresh cloud.

    Raises:
        subprocess.CalledProcessError: it failed; why stands on standard error.
    """
    with (
        certificate() as pem,
        child("benchmarks.cloud") as cloud,
        child("benchmarks.esp", str(pem)) as esp,
    ):
        urls = {"cloud_url": cloud, "esp_url": esp}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.measure_send", json.dumps({**arguments, **urls})],
            stdout=subprocess.PIPE,
            env={**os.environ, **trusting(pem)},
            check=True,
            timeout=_TIMEOUT_S,
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found
