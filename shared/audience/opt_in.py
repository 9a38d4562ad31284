"""Double opt-in: asking people by mail whether they want a list, and taking their answer.

Who asks is either the API or anybody in front of a sign-up form. So nothing
here tells whether an address was known, the mails to one person are bounded
(`shared.audience.asking`), and only the person's own POST subscribes her.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from shared.audience.asking import Asked, AskedStore, Mail
from shared.audience.circumstances import Circumstances
from shared.audience.consent import ConsentService
from shared.audience.drafts import SubscriberDraft
from shared.audience.model import DoubleOptIn, ListState, MailingList, Subscriber
from shared.audience.page_settings import PageSettingsStore
from shared.audience.ports import ListStore
from shared.audience.service import SubscriberService
from shared.audience.texts import Languages, language_of
from shared.audience.unconfirmed import Waiting, WaitingStore
from shared.audience.writes import ATTEMPTS
from shared.clock import Clock, to_iso
from shared.errors import (
    Conflict,
    FieldProblem,
    ForgedToken,
    InvalidInput,
    NotFound,
    StaleWrite,
    WrongState,
)
from shared.ids import LinkKeys
from shared.links import ConfirmRef, ConfirmTokens, FormRef, FormTokens
from shared.retention import KeptFor

CONFIRM_WITHIN = timedelta(days=30)


class ConfirmationMailer(Protocol):
    """Sends the mail that asks."""

    def check(self, workspace: str, opt_in: DoubleOptIn) -> None:
        """Raises InvalidInput if no mail could be sent like that; names `double_opt_in...`."""
        ...

    def send(
        self, mailing_list: MailingList, address: str, *, language: str, url: str, once: str
    ) -> None:
        """Sends it; what is sent again under the same `once` goes out once.

        Raises:
            InvalidInput: nothing can be sent to this address; names `email`.
            WrongState: the list's sender or template is no longer good.
        """
        ...


class Answer(StrEnum):
    """What a confirmation link leads to."""

    OPEN = "open"
    """She can confirm."""
    CONFIRMED = "confirmed"
    BLOCKED = "blocked"
    """She is suppressed for a reason that is not hers to lift."""
    EXPIRED = "expired"
    GONE = "gone"
    """The list or the person is not there any more."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The answer, and the name of the list that it is about; empty if it is gone."""

    answer: Answer
    list_name: str = ""


class OptInService:
    """Asks and takes answers. `public_url` is where the public pages are."""

    def __init__(
        self,
        *,
        people: SubscriberService,
        consent: ConsentService,
        lists: ListStore,
        asked: AskedStore,
        waiting: WaitingStore,
        kept: KeptFor,
        pages: PageSettingsStore,
        mailer: ConfirmationMailer,
        keys: LinkKeys,
        languages: Languages,
        public_url: str,
        clock: Clock,
    ) -> None:
        self._people = people
        self._consent = consent
        self._lists = lists
        self._asked = asked
        self._waiting = waiting
        self._kept = kept
        self._pages = pages
        self._mailer = mailer
        self._confirm_tokens = ConfirmTokens(keys)
        self._form_tokens = FormTokens(keys)
        self._languages = languages
        self._public_url = public_url.rstrip("/")
        self._clock = clock

    def check(self, workspace: str, opt_in: DoubleOptIn | None) -> None:
        """Raises InvalidInput if a list with these settings could not ask anybody."""
        if opt_in:
            self._mailer.check(workspace, opt_in)

    def form_url(self, mailing_list: MailingList) -> str:
        """Where people can sign up for a list; empty if it has no double opt-in."""
        if mailing_list.double_opt_in is None:
            return ""
        token = self._form_tokens.make(FormRef(mailing_list.workspace, mailing_list.id))
        return f"{self._public_url}/s/{token}"

    def ask(
        self,
        workspace: str,
        subscriber_id: str,
        list_id: str,
        *,
        circumstances: Circumstances | None = None,
    ) -> Subscriber:
        """Asks a person whether she wants a list, unless she is subscribed already.

        Raises:
            InvalidInput: the list has no double opt-in, or nothing can be sent to her.
            NotFound: there is no such person or list.
            WrongState: the list's sender or template is no longer good.
            StaleWrite: try again.
        """
        mailing_list = self._lists.get(workspace, list_id)
        if mailing_list.double_opt_in is None:
            reason = "has no double opt-in, so nobody can be asked; subscribe the person instead"
            raise InvalidInput(FieldProblem(f"lists.{list_id}", reason))
        self._note(workspace, subscriber_id, list_id)
        person = self._consent.ask(workspace, subscriber_id, list_id, circumstances=circumstances)
        if person.lists[list_id] is not ListState.SUBSCRIBED:
            self._mail(person, mailing_list, "")
        return person

    def ask_pending(self, person: Subscriber, list_ids: Iterable[str]) -> None:
        """Asks a person about those of the lists where she is pending. Raises as `ask`."""
        for list_id in list_ids:
            if person.lists.get(list_id) is ListState.PENDING:
                mailing_list = self._lists.get(person.workspace, list_id)
                if mailing_list.double_opt_in:
                    self._note(person.workspace, person.id, list_id)
                    self._mail(person, mailing_list, "")

    def form(self, token: str) -> MailingList:
        """The list that a form is for. Raises ForgedToken, also if it takes nobody any more."""
        ref = self._form_tokens.parse(token)
        try:
            mailing_list = self._lists.get(ref.workspace, ref.list_id)
        except NotFound as error:
            raise ForgedToken("the list of that form is gone") from error
        if mailing_list.double_opt_in is None:
            raise ForgedToken("the list of that form takes nobody that way any more")
        return mailing_list

    def sign_up(
        self,
        mailing_list: MailingList,
        email: str,
        *,
        language: str,
        circumstances: Circumstances | None = None,
    ) -> None:
        """Asks whoever has this address; all that is known of her stays as it is.

        The same is done for everybody, also one who is subscribed: neither the
        answer nor the mail tells who is known. Whose address is just being
        deleted, or was changed away, gets no mail.

        Raises:
            InvalidInput: that is no address, or one that the workspace refuses.
            WrongState: the list's sender or template is no longer good.
            StaleWrite: try again.
        """
        workspace = mailing_list.workspace
        try:
            person = self._people.sign_up(workspace, SubscriberDraft(email, locale=language))
            self._note(workspace, person.id, mailing_list.id)
            person = self._consent.ask(
                workspace, person.id, mailing_list.id, circumstances=circumstances
            )
        except (Conflict, NotFound):
            return
        self._mail(person, mailing_list, language)

    def look(self, token: str) -> tuple[ConfirmRef, Confirmation]:
        """Whom a confirmation link is for, and whether she can confirm. Raises ForgedToken."""
        ref = self._confirm_tokens.parse(token)
        if self._clock.now() - ref.asked_at > CONFIRM_WITHIN:
            return ref, Confirmation(Answer.EXPIRED)
        try:
            name = self._lists.get(ref.workspace, ref.list_id).name
            self._people.get(ref.workspace, ref.subscriber)
        except NotFound:
            return ref, Confirmation(Answer.GONE)
        return ref, Confirmation(Answer.OPEN, name)

    def confirm(
        self, token: str, *, circumstances: Circumstances | None = None
    ) -> tuple[ConfirmRef, Confirmation]:
        """Subscribes whom the link is for, see `ConsentService.opt_in`; again changes nothing.

        Raises:
            ForgedToken: that is no link of ours.
            StaleWrite: try again.
        """
        ref, found = self.look(token)
        if found.answer is not Answer.OPEN:
            return ref, found
        answer = Answer.CONFIRMED
        try:
            self._consent.opt_in(
                ref.workspace, ref.subscriber, ref.list_id, circumstances=circumstances
            )
        except NotFound:
            answer = Answer.GONE
        except WrongState:
            answer = Answer.BLOCKED
        return ref, Confirmation(answer, found.list_name)

    def _note(self, workspace: str, subscriber_id: str, list_id: str) -> None:
        """Has whoever never answers be forgotten. The note of one who has answered does no harm."""
        until = self._clock.now() + timedelta(days=self._kept(workspace).pending_days)
        self._waiting.note(Waiting(workspace, subscriber_id, list_id, until))

    def _mail(self, person: Subscriber, mailing_list: MailingList, wish: str) -> None:
        mail = self._booked(person, mailing_list.id, wish)
        if mail is None:
            return
        ref = ConfirmRef(person.workspace, person.id, mailing_list.id, mail.at)
        self._mailer.send(
            mailing_list,
            person.address,
            language=mail.language,
            url=f"{self._public_url}/c/{self._confirm_tokens.make(ref)}",
            once=f"confirmation\n{person.id}\n{mailing_list.id}\n{to_iso(mail.at)}",
        )

    def _booked(self, person: Subscriber, list_id: str, wish: str) -> Mail | None:
        """The mail that is to be sent: booked first, so that no race sends more than is allowed.

        A mail of a moment ago is given again. If a crash kept it from being
        sent, it is now; else sending it again changes nothing.
        """
        now = self._clock.now()
        for _ in range(ATTEMPTS):
            asked: Asked = self._asked.get(person.workspace, person.id)
            if recent := asked.recent(list_id, now):
                return recent
            usual = self._pages.get(person.workspace).locale
            language = language_of(self._languages, person.locale, wish, usual)
            mail = Mail(list_id, now.replace(microsecond=0), language)
            more = asked.with_mail(mail)
            if more is None:
                return None
            try:
                self._asked.save(more)
            except StaleWrite:
                continue
            return mail
        raise StaleWrite("this person is being asked by others at the same time; try again")
