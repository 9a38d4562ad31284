"""The mailbox in a browser: plain pages without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote, urlencode

from local.sandbox.behaviour import PROVIDERS
from local.sandbox.mailbox import Message
from local.sandbox.wire import JsonObject
from shared.clock import to_iso

PAGE_SIZE = 50
HTML_PART_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline';"
    " img-src data:; form-action 'none'"
}
"""The mail's own HTML is shown with no scripts, no forms and nothing loaded from elsewhere."""

_STYLE = """
:root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}
body{max-width:72rem;margin:0 auto;padding:1rem}
table{border-collapse:collapse;width:100%}
caption{text-align:start;padding:.5rem 0}
th,td{text-align:start;padding:.35rem .6rem;border-bottom:1px solid #8886;vertical-align:top;
overflow-wrap:anywhere}
iframe{width:100%;height:32rem;border:1px solid #8886;background:#fff}
pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid #8886;padding:1rem}
form{display:flex;gap:1rem;flex-wrap:wrap;align-items:end}
input,select,button{font:inherit;padding:.3rem .5rem}
.skip{position:absolute;left:-99rem}.skip:focus{position:static}
"""


def mailbox_page(
    found: Sequence[Message], stats: JsonObject, *, provider: str, to: str, offset: int
) -> str:
    """The list of messages, newest first, one page of it."""
    page = list(reversed(found))[offset : offset + PAGE_SIZE]
    rows = "".join(
        f'<tr><td>{message.provider}</td><td>{escape(message.to)}</td><td><a href="/mailbox/'
        f'{quote(message.id)}">{escape(message.subject.text) or "(no subject)"}</a></td>'
        f"<td>{message.state.replace('_', ' ')}</td></tr>"
        for message in page
    )
    options = "".join(
        f"<option{' selected' if name == provider else ''}>{name}</option>" for name in PROVIDERS
    )
    first = offset + 1 if page else 0
    accepted = ", ".join(f"{name} {count}" for name, count in stats["accepted"].items())
    body = f"""<h1>Mailbox of the ESP sandbox</h1>
<p>Accepted: {accepted}. Duplicates: {stats["duplicates"]}.</p>
<form action="/mailbox" role="search">
<label>Provider <br><select name="provider"><option value="">all</option>{options}</select></label>
<label>Recipient contains <br><input name="to" value="{escape(to)}"></label>
<button>Show</button></form>
<table><caption>Messages {first} to {offset + len(page)} of {len(found)}, newest first</caption>
<thead><tr><th scope="col">Provider</th><th scope="col">To</th><th scope="col">Subject</th>
<th scope="col">State</th></tr></thead><tbody>{rows}</tbody></table>
<nav aria-label="Pages">{_pages(len(found), provider=provider, to=to, offset=offset)}</nav>"""
    return _page("Mailbox", body)


def message_page(message: Message) -> str:
    """One message: headers, HTML in a sandboxed frame, text, events."""
    headers = {
        "From": message.sender,
        "To": ", ".join(_but(message.recipients, message.cc, message.bcc)),
        **_if_any("Cc", message.cc),
        **_if_any("Bcc (in no header)", message.bcc),
        "Subject": message.subject.text,
        **message.headers,
        "Accepted": to_iso(message.accepted_at) if message.accepted_at else "",
        "Provider": message.provider,
        "Provider's message id": message.provider_message_id,
        **{f"Custom: {name}": value for name, value in message.custom.items()},
        "Tags": ", ".join(message.tags),
    }
    facts = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in headers.items()
    )
    events = "".join(
        f"<tr><td>{kind.value.replace('_', ' ')}</td><td>{to_iso(at)}</td></tr>"
        for kind, at in message.events
    )
    frame = (
        f'<iframe sandbox title="HTML part" src="/mailbox/{quote(message.id)}/html"></iframe>'
        if message.html
        else "<p>There is none.</p>"
    )
    text = f"<pre>{escape(message.text.text)}</pre>" if message.text else "<p>There is none.</p>"
    failure = f"<p><strong>{escape(message.failure)}</strong></p>" if message.failure else ""
    body = f"""<p><a href="/mailbox">Back to the mailbox</a></p>
<h1>{escape(message.subject.text) or "(no subject)"}</h1>{failure}
<table><caption>Headers and facts</caption><tbody>{facts}</tbody></table>
<h2>HTML</h2>{frame}<h2>Text</h2>{text}<h2>Attachments</h2>{_files(message)}<h2>Events</h2>
<table><caption>In the order reported</caption><thead><tr><th scope="col">Event</th>
<th scope="col">At</th></tr></thead><tbody>{events}</tbody></table>"""
    return _page(message.subject.text or "Message", body)


def _but(everyone: Sequence[str], *others: Sequence[str]) -> list[str]:
    copies = {address for addresses in others for address in addresses}
    return [address for address in everyone if address not in copies]


def _if_any(name: str, addresses: Sequence[str]) -> dict[str, str]:
    return {name: ", ".join(addresses)} if addresses else {}


def _files(message: Message) -> str:
    if not message.attachments:
        return "<p>There are none.</p>"
    rows = "".join(
        f'<tr><td><a href="/mailbox/{quote(message.id)}/attachments/{place}">'
        f"{escape(file.name)}</a></td><td>{escape(file.content_type)}</td>"
        f"<td>{len(file.content)}</td><td>{escape(file.content_id)}</td></tr>"
        for place, file in enumerate(message.attachments)
    )
    return f"""<table><caption>Files</caption><thead><tr><th scope="col">Name</th>
<th scope="col">Type</th><th scope="col">Bytes</th><th scope="col">Content id</th></tr></thead>
<tbody>{rows}</tbody></table>"""


def missing_page() -> str:
    """Said where there is no such page or message."""
    return _page("Not found", '<h1>Not found</h1><p><a href="/mailbox">To the mailbox</a></p>')


def _pages(total: int, *, provider: str, to: str, offset: int) -> str:
    def link(start: int, words: str) -> str:
        query = urlencode({"provider": provider, "to": to, "offset": start})
        return f'<a href="/mailbox?{escape(query)}">{words}</a>'

    links = []
    if offset > 0:
        links.append(link(max(0, offset - PAGE_SIZE), "Newer"))
    if offset + PAGE_SIZE < total:
        links.append(link(offset + PAGE_SIZE, "Older"))
    return " ".join(links)


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} -'
        ' ESP sandbox</title><meta name="viewport" content="width=device-width">'
        f'<style>{_STYLE}</style></head><body><a class="skip" href="#main">To the content</a>'
        f'<main id="main">{body}</main></body></html>'
    )
