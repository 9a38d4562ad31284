"""A DNS server for domain checks: TXT records over UDP, from a table."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

_MAX_DATAGRAM = 65_535
_MAX_STRING = 255  # RFC 1035, 3.3: longer text is cut into several strings
_TTL_S = 1


class Zone:
    """Names and their TXT records. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, tuple[str, ...]] = {}

    def put(self, name: str, texts: Sequence[str]) -> None:
        """Sets a name's TXT records; it exists from now on, even with none."""
        with self._lock:
            self._records[_plain(name)] = tuple(texts)

    def remove(self, name: str) -> None:
        """Takes a name away; without effect if it is not there."""
        with self._lock:
            self._records.pop(_plain(name), None)

    def table(self) -> dict[str, list[str]]:
        """All names with their TXT records."""
        with self._lock:
            return {name: list(texts) for name, texts in self._records.items()}

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The response: records, NoData for a name that exists, else NXDOMAIN."""
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        for question in query.question:
            name = _plain(question.name.to_text())
            with self._lock:
                texts = self._records.get(name)
                below = any(other.endswith("." + name) for other in self._records)
            if texts is None and not below:
                response.set_rcode(dns.rcode.NXDOMAIN)
            elif texts and question.rdtype == dns.rdatatype.TXT:
                quoted = [_quoted(text) for text in texts]
                response.answer.append(
                    dns.rrset.from_text(question.name, _TTL_S, "IN", "TXT", *quoted)
                )
        return response


class DnsServer:
    """Answers from a zone on 127.0.0.1. Port 0 takes a free one."""

    def __init__(self, zone: Zone, port: int) -> None:
        self._zone = zone
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.settimeout(0.05)  # how soon a stop is noticed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dns")

    @property
    def port(self) -> int:
        """The UDP port."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, and frees the port."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                wire, sender = self._socket.recvfrom(_MAX_DATAGRAM)
            except TimeoutError:
                continue
            try:
                query = dns.message.from_wire(wire)
            except dns.exception.DNSException:
                continue  # not a question: servers drop such datagrams
            self._socket.sendto(self._zone.answer(query).to_wire(), sender)


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def _quoted(text: str) -> str:
    pieces = [text[at : at + _MAX_STRING] for at in range(0, len(text), _MAX_STRING)] or [""]
    return " ".join('"' + p.replace("\\", "\\\\").replace('"', '\\"') + '"' for p in pieces)
