"""TXT and MX look-ups against a small DNS server on this machine."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from shared.errors import ConfigurationError, DependencyUnavailable
from shared.storage.dns import DnsMx, DnsTxt

ZONE = {
    "_tidepost.example.com.": ['"tidepost-verify=abc"', '"v=" "spf1"'],
    "empty.example.com.": [],
    "null.example.com.": [],
}
MX = {
    "_tidepost.example.com.": ["20 Alt.Example.net.", "5 MX.example.net."],
    "null.example.com.": ["0 ."],
}
ADDRESSES = {
    ("v4.example.com.", "A"): ["192.0.2.1"],
    ("v6.example.com.", "AAAA"): ["2001:db8::1"],
}


class Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, sock = self.request
        query = dns.message.from_wire(wire)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        name = query.question[0].name.to_text().lower()
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        if any(name == other for other, _ in ADDRESSES):
            if found := ADDRESSES.get((name, kind)):
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *found))
        elif name == "broken.example.com.":
            answer.set_rcode(dns.rcode.REFUSED)
        elif name not in ZONE:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif query.question[0].rdtype == dns.rdatatype.MX:
            if MX.get(name):
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "MX", *MX[name]))
        elif ZONE[name]:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *ZONE[name]))
        sock.sendto(answer.to_wire(), self.client_address)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with socketserver.UDPServer(("127.0.0.1", 0), Handler) as udp:
        thread = threading.Thread(target=udp.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address: Any = udp.server_address
        yield f"127.0.0.1:{address[1]}"
        udp.shutdown()
        thread.join()


def test_the_strings_of_a_record_are_joined(server: str) -> None:
    texts = DnsTxt((server,)).txt("_tidepost.example.com")
    assert sorted(texts) == ["tidepost-verify=abc", "v=spf1"]


@pytest.mark.parametrize(
    "name",
    ["nowhere.example.com", "empty.example.com", "a" * 64 + ".example.com", "a..example.com"],
)
def test_no_record_is_an_empty_list(server: str, name: str) -> None:
    assert DnsTxt((server,)).txt(name) == []


def test_a_server_that_refuses_is_no_answer(server: str) -> None:
    with pytest.raises(DependencyUnavailable, match=r"broken\.example\.com"):
        DnsTxt((server,)).txt("broken.example.com")


@pytest.mark.parametrize("server", ["10.0.0.2", "dns.example.com:53", "10.0.0.2:x", ":53", ""])
def test_a_server_is_an_address_and_a_port(server: str) -> None:
    with pytest.raises(ConfigurationError, match="address:port"):
        DnsTxt((server,))


def test_an_ipv6_server_stands_in_brackets() -> None:
    DnsTxt(("[::1]:53",))


@pytest.mark.parametrize("domain", ["v4.example.com", "V6.Example.com."])
def test_a_domain_with_an_address_alone_takes_its_mail_itself(server: str, domain: str) -> None:
    assert DnsMx((server,)).mx(domain) == [domain.rstrip(".").lower()]


def test_mx_hosts_come_in_the_order_of_preference(server: str) -> None:
    assert DnsMx((server,)).mx("_tidepost.example.com") == ["mx.example.net", "alt.example.net"]


@pytest.mark.parametrize(
    "name",
    ["none.example.com", "empty.example.com", "null.example.com", "a" * 64 + ".example", "a..b"],
)
def test_who_takes_no_mail_has_no_mx_host(server: str, name: str) -> None:
    assert DnsMx((server,)).mx(name) == []


def test_no_answer_for_mx_is_no_answer(server: str) -> None:
    with pytest.raises(DependencyUnavailable):
        DnsMx((server,)).mx("broken.example.com")
