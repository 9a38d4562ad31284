"""The demo's mail: personalised, with conditions, links and a visible way out."""

from __future__ import annotations

SUBJECT = (
    "{{ subscriber.attributes.first_name | default('Hello') }}, "
    "what is new in {{ subscriber.attributes.city | default('your town') }} this December"
)

_HTML_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ campaign.name }}</title>
<style>
body { margin: 0; background: #f4f4f1; color: #222; font: 16px/1.5 Helvetica, Arial, sans-serif }
.card { max-width: 600px; margin: 24px auto; background: #fff; padding: 32px }
.button { display: inline-block; background: #1d5c4b; color: #fff; padding: 12px 20px }
.small { font-size: 13px; color: #555 }
</style>
</head>
<body>
<div class="card">
<h1>Hello{% if subscriber.attributes.first_name %} {{ subscriber.attributes.first_name }}{% endif %},</h1>
<p>winter is close{% if subscriber.attributes.city %} in {{ subscriber.attributes.city }}{% endif %},
and a few things are new that may make your work easier.</p>
"""  # noqa: E501 - the mail's own lines
_OFFER = """{% if subscriber.attributes.plan == 'business' %}
<p>As a business customer you have all of it already. Your account manager will call.</p>
{% elif subscriber.attributes.plan == 'team' %}
<p>Your team can try the business plan for 30 days.
<a class="button" href="https://www.tidepost.example/upgrade?plan=business">Try it</a></p>
{% else %}
<p>The free plan stays free. <a class="button" href="https://www.tidepost.example/plans">See
what the others add</a></p>
{% endif %}
{% if subscriber.tags %}<p>You follow:
{% for tag in subscriber.tags %}{{ tag }}{% if not loop.last %}, {% endif %}{% endfor %}.</p>{% endif %}
"""  # noqa: E501 - the mail's own lines
_ARTICLE = """<h2>{title}</h2>
<p>{text}</p>
<p><a href="https://www.tidepost.example/news/{slug}">Read on</a></p>
"""
_HTML_FOOT = """<p class="small">You get this mail at {{ subscriber.email }} because you
subscribed to it. Tidepost Demo Ltd, 1 Harbour Street, Porttown.<br>
<a href="{{ unsubscribe_url }}">Unsubscribe</a></p>
</div>
</body>
</html>
"""
_FILLER = (
    "We have worked on this for the better part of the year, with the people who asked for it. "
    "It is there for everybody from today, costs nothing more, and needs no change on your side. "
    "If something is not as you expect it, answer this mail: a person reads every answer. "
)
_ARTICLES = (
    ("Reports that add up", "reports"),
    ("Three providers, one queue", "providers"),
    ("Warm-up without guessing", "warm-up"),
    ("Every link survives a rotation of keys", "links"),
)

HTML = (
    _HTML_HEAD
    + _OFFER
    + "".join(
        _ARTICLE.format(title=title, text=_FILLER * 3, slug=slug) for title, slug in _ARTICLES
    )
    + _HTML_FOOT
)

TEXT = """Hello {{ subscriber.attributes.first_name | default('there') }},

winter is close, and a few things are new:
https://www.tidepost.example/news
{% if subscriber.attributes.orders %}
Thank you for your {{ subscriber.attributes.orders }} orders.
{% endif %}
Unsubscribe: {{ unsubscribe_url }}
"""
