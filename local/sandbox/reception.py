"""What all three APIs do with a request that is in order: faults, mailbox, events to come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from local.sandbox.addresses import domain_of
from local.sandbox.behaviour import Behaviour, Fault, Provider
from local.sandbox.happenings import draw
from local.sandbox.mailbox import Mailbox, Message
from local.sandbox.webhooks import Webhooks
from local.sandbox.wire import Answer, Ending, Refused


class Reception:
    """Stands between the APIs and the mailbox."""

    def __init__(
        self,
        behaviour: Behaviour,
        mailbox: Mailbox,
        webhooks: Webhooks,
        stopping: threading.Event,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.behaviour = behaviour
        self.random_bytes = random_bytes
        self.mailbox = mailbox
        self._webhooks = webhooks
        self._stopping = stopping

    def disturb(
        self, provider: Provider, recipients: Sequence[tuple[str, str]], error: Answer
    ) -> Fault:
        """Lets the provider's latency pass and draws a fault for these (key, address) pairs.

        Raises:
            Refused: the fault means that nothing is accepted; `error` is the
                provider's own answer to a failure of its own.
        """
        if not recipients:
            return Fault.NONE
        fault = self.behaviour.fault(provider, recipients)
        if fault is not Fault.NONE:
            self.mailbox.faults.note(provider, fault.value, [key for key, _ in recipients])
        self._stopping.wait(self.behaviour.latency_s(provider, recipients))
        if fault is Fault.ERROR:
            raise Refused(error)
        if fault is Fault.HANG:
            raise Refused(Answer(ending=Ending.HANG))
        return fault

    def accept(self, messages: Sequence[Message]) -> None:
        """Puts messages into the mailbox and plans what will happen to them."""
        self.mailbox.accept(messages)
        for message in messages:
            suppressed = self.is_suppressed(message.provider, message.to)
            happenings = draw(message, self.behaviour, suppressed=suppressed)
            self._webhooks.schedule(message, happenings)

    def is_suppressed(self, provider: Provider, address: str) -> bool:
        """Whether the ESP's own suppression list holds the address."""
        listed = address.lower() in self.behaviour.settings(provider).suppressed
        return listed or self.mailbox.is_suppressed(provider, address)

    def refuses(self, provider: Provider, key: str, address: str) -> bool:
        """Whether the provider rejects this recipient at once."""
        rate = self.behaviour.profile(provider, address).reject_rate
        refused = self.behaviour.chance("reject", key) < rate
        if refused:
            self.mailbox.faults.note(provider, "rejected", [key])
        return refused

    def disowns(self, provider: Provider, key: str, address: str) -> bool:
        """Whether the provider calls this recipient's address invalid."""
        rate = self.behaviour.profile(provider, address).invalid_rate
        invalid = self.behaviour.chance("invalid", key) < rate
        if invalid:
            self.mailbox.faults.note(provider, "invalid", [key])
        return invalid

    def lets_through(self, provider: Provider, wanted: int) -> int:
        """How many of `wanted` the rate limit lets through now."""
        granted = self.behaviour.take(provider, wanted)
        if granted < wanted:
            self.mailbox.faults.note(provider, "rate_limited")
        return granted

    def knows_sender(self, provider: Provider, address: str) -> bool:
        """Whether the From domain is verified at the provider."""
        verified = self.behaviour.settings(provider).sender_domains
        return verified is None or domain_of(address) in verified

    def is_suspended(self, provider: Provider) -> bool:
        """Whether the account is out of service."""
        return self.behaviour.settings(provider).account == "suspended"


def ended(answer: Answer, fault: Fault) -> Answer:
    """The answer to an accepted request; with accept-then-drop there is none."""
    return Answer(ending=Ending.DROP) if fault is Fault.ACCEPT_THEN_DROP else answer
