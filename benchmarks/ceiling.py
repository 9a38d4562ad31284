"""How much of what latency and concurrency allow the senders and their transport make of it.

An ESP that answers after 50 ms, and 32 threads that each post one message after
the other: more than 32 / 50 ms = 640 messages a second cannot be. The senders
are the production ones, one of each ESP, with a pool of 32 connections over
TLS. One message a request is the hardest case: a batch makes of the same
requests a multiple of the messages.

How near to 640 anybody comes depends on what else the machine does. So in the
same run, by turns, a prebuilt request goes down raw TLS sockets in as many
threads: that is what latency and concurrency allow here and now, and the
figure is the share of it. The share of 640 stands beside it.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from botocore.credentials import ReadOnlyCredentials

from benchmarks.certificate import certificate, trusting
from benchmarks.children import child
from benchmarks.deployment import PROVIDERS
from benchmarks.figures import Figure
from benchmarks.mail import SENDER_DOMAIN, template
from benchmarks.slow_esp import THINKS_S
from shared.config import Providers
from shared.content.compiled import CompiledTemplate
from shared.mail import Mailbox, MessageKind, OutgoingBatch, OutgoingRecipient, Verdict
from shared.providers.registry import build_senders

THREADS = 32
CEILING = THREADS / THINKS_S
GOAL = 0.95
TURNS, TURN_S = 8, 1.0

_TIMEOUT_S = 300
_CONTEXT = {
    "subscriber": {"email": "ada@example.com", "attributes": {"first_name": "Ada", "plan": "team"}},
    "unsubscribe_url": "https://mail.example.com/u/" + "x" * 80,
}

Post = Callable[[], None]


def run(turns: int = TURNS, turn_s: float = TURN_S) -> list[Figure]:
    """The share of the ceiling, of each provider; `turn_s` is in seconds.

    Raises:
        subprocess.CalledProcessError: the measured process failed; why stands on standard error.
    """
    with certificate() as pem, child("benchmarks.slow_esp", str(pem)) as esp:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.ceiling", esp, str(turns), str(turn_s)],
            stdout=subprocess.PIPE,
            env={**os.environ, **trusting(pem)},
            check=True,
            timeout=_TIMEOUT_S,
        )
    found: dict[str, list[tuple[float, float]]] = json.loads(done.stdout)
    return [
        Figure(
            "send.ceiling_share_50ms",
            statistics.median(ours / raw for raw, ours in rates),
            "of raw sockets",
            {
                "provider": provider,
                "threads": THREADS,
                "share_of_640_per_s": statistics.median(ours for _, ours in rates) / CEILING,
                "raw_share_of_640_per_s": statistics.median(raw for raw, _ in rates) / CEILING,
                "turns_per_s": [[round(rate, 1) for rate in turn] for turn in rates],
            },
            GOAL,
            at_least=True,
        )
        for provider, rates in found.items()
    ]


def measure(esp_url: str, turns: int, turn_s: float) -> dict[str, list[tuple[float, float]]]:
    """Messages a second of raw sockets and of ours, turn by turn, for each provider."""
    raw = _raw(esp_url)
    found = {}
    for name in PROVIDERS:
        posts = _sender(esp_url, name)
        rates = [(_rate(raw, turn_s), _rate(posts, turn_s)) for _ in range(turns + 1)]
        found[name] = rates[1:]  # the first one connects
    return found


def _rate(posts: list[Post], turn_s: float) -> float:
    """All of them at once, over and over for the time of a turn."""
    counted = [0] * len(posts)
    begin, end = threading.Barrier(len(posts) + 1), threading.Event()

    def work(place: int, post: Post) -> None:
        begin.wait()
        while not end.is_set():
            post()
            counted[place] += 1

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(posts)]
    for thread in threads:
        thread.start()
    begin.wait()
    begun = time.monotonic()
    end.wait(turn_s)
    done, took = sum(counted), time.monotonic() - begun
    end.set()
    for thread in threads:
        thread.join()
    return done / took


def _sender(esp_url: str, name: str) -> list[Post]:
    secret = {} if name == "ses" else {"secret": name}
    account = {"name": name, "kind": name, "weight": 1, "base_url": esp_url, **secret}
    sender = build_senders(
        Providers.model_validate({"providers": [account]}),
        lambda _: {"api_key": "bench", "server_token": "bench"},
        lambda: ReadOnlyCredentials("bench", "bench", None),
        pool_size=THREADS,
    )[name]
    mail = CompiledTemplate(template())
    batch = OutgoingBatch(
        kind=MessageKind.TRANSACTIONAL,
        sender=Mailbox(f"hello@{SENDER_DOMAIN}", "Workshop"),
        subject=mail.subject,
        html=mail.html,
        text=mail.text,
        recipients=(
            OutgoingRecipient(0, "m" * 56, Mailbox("ada@example.com"), mail.values(_CONTEXT)),
        ),
    )

    def post() -> None:
        [outcome] = sender.send(batch)
        if outcome.verdict is not Verdict.ACCEPTED:
            raise RuntimeError(f"{name}: {outcome.verdict} {outcome.code} {outcome.detail}")

    return [post] * THREADS


def _raw(esp_url: str) -> list[Post]:
    where = urlsplit(esp_url)
    body = b'{"To":"ada@example.com","HtmlBody":"%b"}' % (b"x" * 20_000)
    head = f"POST /email HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    context = ssl.create_default_context()

    def connected() -> Post:
        plain = socket.create_connection((str(where.hostname), where.port or 443), timeout=5)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = context.wrap_socket(plain, server_hostname=str(where.hostname))

        def post() -> None:
            tls.sendall(request)
            if not tls.recv(65_536).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("the stub did not answer a raw socket")

        return post

    return [connected() for _ in range(THREADS)]


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
