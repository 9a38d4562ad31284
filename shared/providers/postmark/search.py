"""Postmark's search of outbound messages, which settles what is in doubt there.

https://postmarkapp.com/developer/api/messages-api#outbound-message-search.
Postmark keeps messages for 45 days, unless the server is set to fewer, of
which the least is 7. It does not say how long after its acceptance a message
is found: whoever asks must leave it time.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from shared.config import PostmarkProvider
from shared.errors import DependencyUnavailable
from shared.mail import MessageKind
from shared.providers.answers import decode
from shared.providers.fields import MESSAGE_ID_KEY
from shared.transport import Transport

PATH = "/messages/outbound"

_OK = 200


class PostmarkSearch:
    """One Postmark server (MessageSearch). The token is asked for at each search."""

    def __init__(
        self, config: PostmarkProvider, server_token: Callable[[], str], transport: Transport
    ) -> None:
        self.provider = config.name
        self._server_token = server_token
        self._transport = transport
        self._streams = {
            MessageKind.CAMPAIGN: config.campaign_stream,
            MessageKind.TRANSACTIONAL: config.transactional_stream,
        }

    def has(self, kind: MessageKind, message_id: str) -> bool:
        """As MessageSearch says.

        What is found must bear the id: a filter that Postmark did not
        understand would otherwise find any message at all.
        """
        query = urlencode(
            {
                "count": 1,
                "offset": 0,
                "messagestream": self._streams[kind],
                f"metadata_{MESSAGE_ID_KEY}": message_id,
            }
        )
        headers = {
            "X-Postmark-Server-Token": self._server_token(),
            "Accept": "application/json",
        }
        answer = self._transport.get(f"{PATH}?{query}", headers)
        document = decode(answer.body)
        if answer.status != _OK or not isinstance(document, dict):
            raise DependencyUnavailable(
                f"{self.provider} answered a search with status {answer.status}; if that goes on,"
                " see whether its server token may read messages"
            )
        found = document.get("Messages")
        if found == [] and document.get("TotalCount") == 0:
            return False
        if isinstance(found, list) and found and all(_bears(one, message_id) for one in found):
            return True
        raise DependencyUnavailable(
            f"{self.provider} answered a search with something other than the message; nothing is"
            " concluded from that"
        )


def _bears(found: object, message_id: str) -> bool:
    metadata = found.get("Metadata") if isinstance(found, dict) else None
    return isinstance(metadata, dict) and metadata.get(MESSAGE_ID_KEY) == message_id
