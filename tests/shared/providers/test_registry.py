from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from shared.config import Provider, Providers
from shared.errors import ConfigurationError
from shared.mail import MessageKind
from shared.providers.registry import build_searches, build_senders
from tests.contracts.dialects import CREDENTIALS

PROVIDERS = Providers.parse(
    json.dumps(
        {
            "providers": [
                {"name": "sg-1", "kind": "sendgrid", "weight": 1, "secret": "sg"},
                {"name": "pm-1", "kind": "postmark", "weight": 1, "secret": "pm"},
                {"name": "ses-1", "kind": "ses", "weight": 1},
                {"name": "sg-2", "kind": "sendgrid", "weight": 0, "secret": "sg"},
            ]
        }
    )
)
SECRETS: Mapping[str, Mapping[str, str]] = {
    "sg-1": {"api_key": "SG.x\n"},
    "sg-2": {"api_key": "SG.y"},
    "pm-1": {"server_token": "t"},
}


def secret_of(provider: Provider) -> Mapping[str, str]:
    return SECRETS[provider.name]


def test_each_account_gets_the_sender_of_its_kind() -> None:
    senders = build_senders(PROVIDERS, secret_of, lambda: CREDENTIALS)
    assert {name: (type(one).__name__, one.provider) for name, one in senders.items()} == {
        "sg-1": ("SendGridSender", "sg-1"),
        "pm-1": ("PostmarkSender", "pm-1"),
        "ses-1": ("SesSender", "ses-1"),
        "sg-2": ("SendGridSender", "sg-2"),
    }
    assert [one.max_batch for one in senders.values()] == [1000, 500, 50, 1000]


@pytest.mark.parametrize("value", [None, "", "  ", "a\nb", "ключ"])
def test_a_secret_that_cannot_be_used_is_named_but_not_shown(value: str | None) -> None:
    secret = {} if value is None else {"api_key": value}
    with pytest.raises(ConfigurationError, match=r"'sg' of provider 'sg-1' has no usable") as error:
        build_senders(PROVIDERS, lambda _: secret, lambda: CREDENTIALS)
    assert not value or not value.strip() or value not in str(error.value)


def test_postmark_alone_can_be_asked_for_a_message_and_needs_no_secret_until_then() -> None:
    asked: list[str] = []

    def secret(provider: Provider) -> Mapping[str, str]:
        asked.append(provider.name)
        return {"server_token": ""}

    searches = build_searches(PROVIDERS, secret)
    assert [(name, one.provider) for name, one in searches.items()] == [("pm-1", "pm-1")]
    assert asked == []
    with pytest.raises(ConfigurationError, match=r"'pm' of provider 'pm-1' has no usable"):
        searches["pm-1"].has(MessageKind.CAMPAIGN, "AQ_one-1")
    assert asked == ["pm-1"]
