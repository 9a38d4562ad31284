"""The part of the API's world that asks people to confirm."""

from __future__ import annotations

from shared.audience.consent import ConsentService
from shared.audience.opt_in import OptInService
from shared.audience.page_settings import PageSettingsStore
from shared.audience.ports import ListStore
from shared.audience.service import SubscriberService
from shared.audience.texts import read_languages
from shared.clock import Clock
from shared.delivery.confirmation_mail import ConfirmationMails
from shared.delivery.messages import MessageService
from shared.ids import LinkKeys
from shared.retention import by_default
from tests.fakes import FakeAsked, FakeWaiting


def opt_in_service(
    *,
    people: SubscriberService,
    consent: ConsentService,
    lists: ListStore,
    pages: PageSettingsStore,
    messages: MessageService,
    clock: Clock,
) -> OptInService:
    """As the API's wiring builds it."""
    languages = read_languages()
    return OptInService(
        people=people,
        consent=consent,
        lists=lists,
        asked=FakeAsked(),
        waiting=FakeWaiting(),
        kept=by_default,
        pages=pages,
        mailer=ConfirmationMails(messages, languages),
        keys=LinkKeys({"k1": b"link key"}, "k1"),
        languages=languages,
        public_url="https://mail.example.com",
        clock=clock,
    )
