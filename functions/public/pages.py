"""The pages that recipients see: plain HTML without scripts, for any screen and screen reader.

They say nothing about the person, since a link may have been forwarded. No
value of a request stands in them, so nothing needs escaping.
"""

from __future__ import annotations

EVERYTHING = "everything"
"""What a form sends as `from` to leave every list."""

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1.125rem/1.5 system-ui, sans-serif; margin: 0; padding: 2rem 1rem }}
main {{ margin: 0 auto; max-width: 32rem }}
h1 {{ font-size: 1.5rem; line-height: 1.25 }}
button {{ font: inherit; min-height: 3rem; padding: .5rem 1.25rem; width: 100% }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
"""
_FOOT = "</main>\n</body>\n</html>\n"


def ask(*, one_list: bool) -> str:
    """Asks for the click that unsubscribes; opening the page changed nothing."""
    if not one_list:
        return _page(
            "Unsubscribe",
            "<p>Do you want to stop all mailings from this sender?</p>\n",
            _form("Unsubscribe", EVERYTHING),
        )
    return _page(
        "Unsubscribe",
        "<p>Do you want to stop the mailings of this list?</p>\n",
        _form("Unsubscribe from this list", "list"),
        "<p>Or stop every mailing from this sender:</p>\n",
        _form("Unsubscribe from everything", EVERYTHING),
    )


def unsubscribed(*, one_list: bool) -> str:
    """Confirms it."""
    if not one_list:
        return _page(
            "You are unsubscribed", "<p>You will get no more mailings from this sender.</p>\n"
        )
    return _page(
        "You are unsubscribed",
        "<p>You will get no more mailings of this list.</p>\n"
        "<p>If you want to stop every mailing from this sender as well:</p>\n",
        _form("Unsubscribe from everything", EVERYTHING),
    )


def unknown_link() -> str:
    """The link is none of ours, or was cut short."""
    return _page(
        "This link does not work",
        "<p>It may have been cut short. Please open it from the mail itself, or answer the mail "
        "and ask to be unsubscribed.</p>\n",
    )


def wrong_method() -> str:
    """Neither opened nor posted to."""
    return _page("This does not work", "<p>Please open the link from your mail again.</p>\n")


def try_again() -> str:
    """We failed, and nothing was lost but time."""
    return _page(
        "Please try again",
        "<p>We could not save your wish just now. Please try again in a few minutes.</p>\n",
    )


def _page(title: str, *parts: str) -> str:
    return "".join((_HEAD.format(title=title), *parts, _FOOT))


def _form(label: str, scope: str) -> str:
    """Posts to the page's own address, with what RFC 8058 makes mail clients post."""
    return (
        '<form method="post">\n'
        '<input type="hidden" name="List-Unsubscribe" value="One-Click">\n'
        f'<p><button type="submit" name="from" value="{scope}">{label}</button></p>\n'
        "</form>\n"
    )
