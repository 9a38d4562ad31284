"""The preference centre: which public lists a person gets, and in which language."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from shared.audience.circumstances import Circumstances
from shared.audience.consent import ConsentService
from shared.audience.model import ListState, MailingList, Subscriber
from shared.audience.ports import ListStore, SubscriberStore
from shared.audience.texts import Languages
from shared.audience.writes import present_id, rewrite
from shared.clock import Clock
from shared.errors import WrongState

SOURCE = "preference_centre"
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Preference:
    """One public list, and the person's state on it; None if she never was on it."""

    mailing_list: MailingList
    state: ListState | None


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody chose: of the lists that were `shown`, she wants `wanted`.

    A list that she was not shown is not touched. An empty `language` keeps hers.
    """

    shown: Collection[str]
    wanted: Collection[str]
    language: str = ""


class PreferenceService:
    """Shows and saves. Who calls has a link from one of the person's own mails."""

    def __init__(
        self,
        *,
        subscribers: SubscriberStore,
        lists: ListStore,
        consent: ConsentService,
        languages: Languages,
        clock: Clock,
    ) -> None:
        self._subscribers = subscribers
        self._lists = lists
        self._consent = consent
        self._languages = languages
        self._clock = clock

    def person(self, workspace: str, subscriber_id: str) -> Subscriber:
        """The person, under the address that she has now. Raises NotFound."""
        present = present_id(self._subscribers, workspace, subscriber_id)
        return self._subscribers.get(workspace, present)

    def of(self, person: Subscriber) -> list[Preference]:
        """The workspace's public lists, oldest first, each with the person's state."""
        return [Preference(one, person.lists.get(one.id)) for one in self._public(person.workspace)]

    def save(
        self, person: Subscriber, choice: Choice, *, circumstances: Circumstances | None = None
    ) -> bool:
        """Does what she chose; False if mail to her is blocked, so that she could join nothing.

        Joining needs no further confirmation: the link was mailed to her. It is
        her newest choice, see `ConsentService.opt_in`.

        Raises:
            NotFound: she is gone.
            StaleWrite: try again; what was done can be done again.
        """
        blocked = False
        for list_id in [one.id for one in self._public(person.workspace) if one.id in choice.shown]:
            state = person.lists.get(list_id)
            if list_id in choice.wanted and state is not ListState.SUBSCRIBED:
                try:
                    self._consent.opt_in(
                        person.workspace, person.id, list_id, circumstances=circumstances
                    )
                except WrongState:
                    blocked = True
            elif list_id not in choice.wanted and state not in (None, ListState.UNSUBSCRIBED):
                self._consent.unsubscribe(
                    person.workspace,
                    person.id,
                    list_id,
                    source=SOURCE,
                    circumstances=circumstances,
                )
        self._speak(person, choice.language)
        return not blocked

    def leave(self, person: Subscriber, *, circumstances: Circumstances | None = None) -> None:
        """Takes her off everything. Raises StaleWrite."""
        self._consent.unsubscribe(
            person.workspace, person.id, None, source=SOURCE, circumstances=circumstances
        )

    def _speak(self, person: Subscriber, language: str) -> None:
        """Keeps the language; `de-AT` is German enough to stay as it is."""
        if language not in self._languages or person.locale.partition("-")[0] == language:
            return
        rewrite(
            self._subscribers,
            person.workspace,
            person.id,
            lambda stored: replace(stored, locale=language, updated_at=self._clock.now()),
        )

    def _public(self, workspace: str) -> Iterator[MailingList]:
        cursor = None
        while True:
            page = self._lists.page(workspace, limit=_PAGE, cursor=cursor)
            yield from (one for one in page.items if one.public)
            cursor = page.cursor
            if cursor is None:
                return
