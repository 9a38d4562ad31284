"""Processes beside the measured one, so that their work is not counted as ours."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import TCPServer

_ENDS_WITHIN_S = 10


@contextmanager
def child(module: str, *arguments: str) -> Iterator[str]:
    """Runs `python -m module`, a server of this package, and gives its URL.

    Raises:
        RuntimeError: it ended before it served.
    """
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                raise RuntimeError(f"{module} did not start; its error stands above")
            yield url
        finally:
            if process.stdin:
                process.stdin.close()
            process.wait(_ENDS_WITHIN_S)


def serve_until_parent_ends(server: TCPServer, scheme: str = "http") -> None:
    """The other side: says where it serves, and ends as soon as its standard input does."""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"{scheme}://127.0.0.1:{server.server_address[1]}", flush=True)
    sys.stdin.read()
    server.shutdown()
