"""Ports on 127.0.0.1: the usual one if it is free, else any."""

from __future__ import annotations

import socket


def free_port(preferred: int, *, udp: bool = False) -> int:
    """`preferred` if nobody listens there, else one the system picks."""
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    for port in (preferred, 0):
        with socket.socket(socket.AF_INET, kind) as probe:
            if not udp:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("the system has no free port")
