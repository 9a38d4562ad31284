"""A door before an ESP that can be shut: then connections are refused, as TCP refuses them."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time

_POLL_S = 0.1
_FREED_S = 2.0
_SIZE = 65536


class Gate:
    """Relays bytes to `port` on this machine from a port of its own.

    Shutting it closes the listener and every connection on which no answer is
    due, so that it never cuts a call that may have been taken.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._lock = threading.Lock()
        self._listener = _listen(0)
        self.port = int(self._listener.getsockname()[1])
        self._open = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="gate")

    def start(self) -> None:
        """Begins to relay."""
        self._thread.start()

    def stop(self) -> None:
        """Ends for good."""
        self._stopping.set()
        self._thread.join()
        self._listener.close()

    def shut(self) -> None:
        """Refuses connections from now on."""
        with self._lock:
            if self._open:
                self._open = False
                # At once: a mere close would wait for the select of the other thread.
                self._listener.shutdown(socket.SHUT_RDWR)
                self._listener.close()

    def open(self) -> None:
        """Lets them in again."""
        with self._lock:
            if not self._open:
                self._listener = _listen(self.port)
                self._open = True

    def _accept(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                listener, is_open = self._listener, self._open
            if not is_open:
                self._stopping.wait(_POLL_S)
                continue
            try:
                ready, _, _ = select.select([listener], [], [], _POLL_S)
                client = listener.accept()[0] if ready else None
            except (OSError, ValueError):
                continue  # it was shut just now
            if client is not None:
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", self._target)) as server,
        ):
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            due = False
            while not self._stopping.is_set():
                ready, _, _ = select.select([client, server], [], [], _POLL_S)
                if not ready and not due and not self._open:
                    return
                for end, other in ((server, client), (client, server)):
                    if end in ready:
                        data = end.recv(_SIZE)
                        if not data:
                            return
                        other.sendall(data)
                        due = end is client
                        break


def _listen(port: int) -> socket.socket:
    """A listener; on a port that was shut a moment ago, once the system has let go of it."""
    end = time.monotonic() + _FREED_S
    while True:
        try:
            return socket.create_server(("127.0.0.1", port), backlog=64)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(_POLL_S / 10)
