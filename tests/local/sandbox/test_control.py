"""The mailbox over HTTP and in a browser, behaviour, DNS, identity, and the command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.resolver
import pytest
from postmarker.core import PostmarkClient

from local.sandbox.addresses import is_valid, parse_list
from local.sandbox.server import Sandbox
from tests.local.sandbox.conftest import DRAIN_S, Call, simple_mail


def test_messages_can_be_listed_read_and_reset(
    call: Call, postmark: PostmarkClient, sandbox: Sandbox
) -> None:
    postmark.emails.send_batch(
        *(simple_mail(f"a{n}@example.com", Metadata={"tidepost_id": f"id-{n}"}) for n in range(3))
    )
    assert sandbox.webhooks.drain(DRAIN_S)

    def listed(query: str) -> list[str]:
        status, page = call("GET", f"/_sandbox/messages?{query}")
        assert status == 200
        return [message["to"] for message in page["messages"]]

    assert listed("limit=2&offset=1") == ["a1@example.com", "a2@example.com"]
    assert listed("tidepost_id=id-2") == ["a2@example.com"]
    assert listed("to=A1@") == ["a1@example.com"]
    assert listed("provider=ses") == []
    assert call("GET", "/_sandbox/messages?limit=x")[0] == 422
    one = call("GET", "/_sandbox/messages/id-1")[1]
    assert one["text"] == "Hi"
    assert [event["type"] for event in one["events"]] == ["delivered"]
    stats = call("GET", "/_sandbox/stats")[1]
    assert stats["accepted"] == {"sendgrid": 0, "postmark": 3, "ses": 0}
    assert stats["events"]["postmark"]["delivered"] == 3
    assert stats["webhooks"]["postmark"]["untargeted"] == 3

    assert call("DELETE", "/_sandbox/messages")[0] == 204
    assert call("GET", "/_sandbox/stats")[1]["accepted_total"] == 0
    assert call("GET", "/_sandbox/messages/id-1")[0] == 404


def test_a_reset_forgets_events_to_come(
    call: Call, postmark: PostmarkClient, sandbox: Sandbox, behave: Callable[..., None]
) -> None:
    behave(defaults={"event_delay_ms": 1e9})
    postmark.emails.send(**simple_mail())
    call("DELETE", "/_sandbox/messages")
    assert sandbox.webhooks.drain(DRAIN_S)


def test_pages_escape_what_the_mail_says(call: Call, postmark: PostmarkClient) -> None:
    hostile = "<script>alert(1)</script>"
    postmark.emails.send_batch(
        *(simple_mail(f"a{n}@example.com", Subject=hostile, TextBody=hostile) for n in range(60))
    )
    first = call("GET", "/")[1]
    assert hostile not in first
    assert "&lt;script&gt;" in first
    assert "Messages 1 to 50 of 60" in first
    assert "Messages 51 to 60 of 60" in call("GET", "/mailbox?offset=50")[1]
    page = call("GET", "/mailbox/m1")[1]
    assert hostile not in page
    assert '<iframe sandbox title="HTML part" src="/mailbox/m1/html">' in page
    assert "shop.example" in call("GET", "/mailbox/m1/html")[1]
    assert call("GET", "/mailbox/none")[0] == 404
    assert call("GET", "/elsewhere")[0] == 404


def test_behaviour_is_put_patched_and_checked(call: Call) -> None:
    document = {"seed": 3, "providers": {"ses": {"open_rate": 0.5, "latency_ms": 1.0}}}
    assert call("PUT", "/_sandbox/behaviour", document) == (200, document)
    patch = {"providers": {"ses": {"latency_ms": None, "click_rate": 0.25}}}
    assert call("PATCH", "/_sandbox/behaviour", patch)[0] == 200
    expected = {"seed": 3, "providers": {"ses": {"open_rate": 0.5, "click_rate": 0.25}}}
    assert call("GET", "/_sandbox/behaviour")[1] == expected
    status, answer = call("PUT", "/_sandbox/behaviour", {"providers": {"ses": {"nonsense": 1}}})
    assert status == 422
    assert "providers.ses.nonsense" in answer["error"]
    assert call("PUT", "/_sandbox/behaviour", b"[]")[0] == 400
    assert call("GET", "/_sandbox/nothing")[0] == 404


def test_latency_and_domain_overrides_reach_the_apis(
    postmark: PostmarkClient, behave: Callable[..., None]
) -> None:
    behave(domains={"bad.example": {"reject_rate": 1}}, defaults={"latency_ms": 1})
    answers = postmark.emails.send_batch(simple_mail("a@bad.example"), simple_mail("a@ok.example"))
    assert [answer["ErrorCode"] for answer in answers] == [406, 0]


def test_a_hard_bounce_puts_the_address_on_the_suppression_list(
    postmark: PostmarkClient, sandbox: Sandbox, behave: Callable[..., None]
) -> None:
    behave(defaults={"hard_bounce_rate": 1})
    postmark.emails.send(**simple_mail())
    assert sandbox.webhooks.drain(DRAIN_S)
    assert postmark.emails.send_batch(simple_mail("ADA@example.com"))[0]["ErrorCode"] == 406


def test_dns_answers_txt_nodata_and_nxdomain(call: Call, sandbox: Sandbox) -> None:
    long = "k=rsa; p=" + "A" * 300
    assert call("PUT", "/_sandbox/dns/_tidepost.Sender.example", {"TXT": ["a b", long]})[0] == 200
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], sandbox.dns_port

    answer = resolver.resolve("_tidepost.sender.example", "TXT")
    assert {b"".join(record.strings).decode() for record in answer} == {"a b", long}
    with pytest.raises(dns.resolver.NoAnswer):
        resolver.resolve("_tidepost.sender.example", "A")
    with pytest.raises(dns.resolver.NoAnswer):
        resolver.resolve("sender.example", "TXT")
    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver.resolve("other.example", "TXT")
    assert call("DELETE", "/_sandbox/dns/_tidepost.sender.example")[0] == 204
    assert call("GET", "/_sandbox/dns")[1] == {}
    assert call("PUT", "/_sandbox/dns/x.example", {"TXT": "a"})[0] == 422


def test_the_command_keeps_its_keys_and_ends_on_sigterm(tmp_path: Path) -> None:
    told = []
    for _ in range(2):
        arguments = ("--port", "0", "--dns-port", "0", "--state-dir", str(tmp_path))
        process = subprocess.Popen(  # noqa: S603 -- our own module
            [sys.executable, "-m", "local.sandbox", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ),
        )
        with process:
            assert process.stdout is not None
            assert "http://127.0.0.1:" in process.stdout.readline()
            process.send_signal(signal.SIGTERM)
        assert process.returncode == 0
        told.append(json.loads((tmp_path / "identity.json").read_text()))
    assert told[0] == told[1]
    assert (tmp_path / "identity.json").stat().st_mode & 0o077 == 0
    (tmp_path / "keys.json").write_text("{}")
    damaged = subprocess.run(  # noqa: S603 -- our own module
        [sys.executable, "-m", "local.sandbox", "--port", "0", "--state-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert damaged.returncode == 2
    assert "damaged" in damaged.stderr


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("a@example.com", True),
        ("a.b+c@sub.example.com", True),
        ("jörg@bücher.example", True),
        ("a@localhost", False),
        ("a..b@example.com", False),
        (".a@example.com", False),
        ("a b@example.com", False),
        ("a@-x.example", False),
        ("a@exa_mple.com", False),
        ("a@1.2.3.4", False),
        ("@example.com", False),
        ("x" * 65 + "@example.com", False),
        ("a@" + "x" * 250 + ".com", False),
        (None, False),
    ],
)
def test_addresses(address: object, good: bool) -> None:
    assert is_valid(address) is good


def test_a_list_of_addresses_minds_quotes() -> None:
    text = '"Doe, Jo" <jo@example.com>, a@example.com'
    assert parse_list(text) == [("Doe, Jo", "jo@example.com"), ("", "a@example.com")]
