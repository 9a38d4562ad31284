"""The mail and the people that the send path is measured with."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from shared.audience.model import ListState, Subscriber
from shared.content.model import TemplateSource
from shared.ids import SubscriberIds

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
SENDER_DOMAIN = "news.example.com"
HTML_BYTES = 18_000
"""The size of an everyday marketing mail, as in the measurements this started from."""

_DOMAINS = ("gmail.com", "gmail.com", "gmail.com", "outlook.com", "yahoo.com", "icloud.com",
            "gmx.de", "example.org", "example.net")  # fmt: skip
_FIRST = ("Ada", "Björn", "Chloé", "Dmitri", "Emre", "Fátima", "Grace", "Hana", "Iván", "Jörg")
_LAST = ("Lovelace", "Åkesson", "Dubois", "Petrov", "Öztürk", "Silva", "Hopper", "Sato", "Meyer")
_CITIES = ("Zürich", "Lisboa", "Wien", "Oslo", "Kraków", "Porto", "Graz", "Bergen", "Lyon")


def template() -> TemplateSource:
    """A subject with a name, 18 KB of HTML with six slots, and a text part with three."""
    row = (
        '<tr><td style="padding:12px 24px;font:16px/24px Arial,Helvetica,sans-serif;color:#333">'
        "Fresh from the workshop: hand-made, shipped in paper, and back in stock this week."
        '</td><td align="right"><a href="https://shop.example.com/item/{n}" '
        'style="color:#0b5fff;text-decoration:none">See it</a></td></tr>\n'
    )
    head = (
        '<!doctype html><html lang="en"><body style="margin:0"><table role="presentation">'
        "<tr><td>Hello {{ subscriber.attributes.first_name|default('you') }},</td></tr>"
        "<tr><td>your {{ subscriber.attributes.plan }} plan in {{ subscriber.attributes.city }}"
        " {% if subscriber.attributes.orders > 3 %}comes with free shipping"
        "{% else %}has news{% endif %}.</td></tr>\n"
    )
    foot = (
        "<tr><td>Sent to {{ subscriber.email }}. "
        '<a href="{{ unsubscribe_url }}">Unsubscribe</a></td></tr></table></body></html>'
    )
    rows = (HTML_BYTES - len(head) - len(foot)) // len(row)
    body = "".join(row.replace("{n}", str(number)) for number in range(rows))
    return TemplateSource(
        subject="{{ subscriber.attributes.first_name|default('Hello') }}, this week's finds",
        html=head + body + foot,
        text="Hello {{ subscriber.attributes.first_name|default('you') }},\nthis week's finds: "
        "https://shop.example.com/\nSent to {{ subscriber.email }}. Unsubscribe: "
        "{{ unsubscribe_url }}\n",
    )


def people(count: int, workspace: str, list_id: str, ids: SubscriberIds) -> Iterator[Subscriber]:
    """`count` subscribers of the list, each an item of about 1 KB; always the same ones."""
    draw = random.Random(20261124)  # noqa: S311 - made-up people
    for number in range(count):
        first, last = draw.choice(_FIRST), draw.choice(_LAST)
        address = f"person{number}@{draw.choice(_DOMAINS)}"
        yield Subscriber(
            id=ids.of(workspace, address),
            workspace=workspace,
            address=address,
            created_at=NOW,
            updated_at=NOW,
            lists={list_id: ListState.SUBSCRIBED},
            attributes={
                "first_name": first,
                "last_name": last,
                "city": draw.choice(_CITIES),
                "plan": draw.choice(("free", "team", "business")),
                "orders": draw.randrange(12),
                "last_order_at": "2026-10-02T12:30:00Z",
                "interests": ["ceramics", "paper goods", "kitchen", "garden"],
                "notes": "x" * draw.randrange(300, 480),
            },
            tags=("newsletter", "customer", "spring-2026"),
            locale="en-GB",
            time_zone="Europe/Zurich",
        )
