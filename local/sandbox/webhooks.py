"""Events on their way: a clock that fires them, and workers that post them, per provider."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from local.sandbox.behaviour import PROVIDERS, Behaviour, Provider, Webhook
from local.sandbox.happenings import Happening
from local.sandbox.mailbox import Kind, Mailbox, Message
from local.sandbox.poster import Poster
from local.sandbox.wire import JsonObject, merged
from shared.clock import Clock

_BACK_OFF_S = 0.25  # doubled on each try
_MOST_BACK_OFF_S = 8.0
_OPEN_TRIES = 60
_OPEN_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event as the ESP reports it. `event_id` is unique; `at` is when it happened."""

    event_id: str
    at: datetime
    payload: JsonObject | str


class Channel(Protocol):
    """How one ESP reports events."""

    workers: int
    flush_s: float
    max_tries: int

    def batch_size(self, target: Webhook) -> int:
        """How many events one delivery takes at the most."""
        ...

    def event(
        self, message: Message, happening: Happening, event_id: str, at: datetime
    ) -> JsonObject | None:
        """The event in the ESP's words; None if this ESP does not report such a thing."""
        ...

    def encode(self, outgoing: Outgoing, target: Webhook) -> bytes:
        """The event's bytes: the same on every try."""
        ...

    def greetings(self) -> Sequence[Outgoing]:
        """What is delivered first to a new target."""
        ...

    def open(self, target: Webhook, poster: Poster, stopping: threading.Event) -> bool:
        """Whether the target may be delivered to; does what it takes, such as a handshake."""
        ...

    def deliver(self, target: Webhook, bodies: Sequence[bytes], poster: Poster) -> bool:
        """Delivers events; False if they must be tried again."""
        ...


@dataclass(slots=True)
class _Parcel:
    """Events that travel together. Only parcels on their first try are joined."""

    events: list[Outgoing]
    bodies: list[bytes] = field(default_factory=list)
    tries: int = 0


@dataclass(frozen=True, slots=True, order=True)
class _Due:
    at: float
    number: int
    provider: Provider = field(compare=False)
    message: Message | None = field(compare=False, default=None)
    happening: Happening | None = field(compare=False, default=None)
    parcel: _Parcel | None = field(compare=False, default=None)

    @property
    def size(self) -> int:
        return len(self.parcel.events) if self.parcel else 1


class Webhooks:
    """Fires events when they are due and delivers them, with bounded retries."""

    def __init__(
        self,
        channels: Mapping[Provider, Channel],
        behaviour: Behaviour,
        mailbox: Mailbox,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channels = channels
        self._behaviour = behaviour
        self._mailbox = mailbox
        self._clock = clock
        self._monotonic = monotonic
        self._numbers = itertools.count()
        self._due: list[_Due] = []
        self._changed = threading.Condition()
        self._queues: dict[Provider, queue.Queue[_Parcel | None]] = {
            name: queue.Queue() for name in PROVIDERS
        }
        self._counts: dict[Provider, Counter[str]] = {name: Counter() for name in PROVIDERS}
        self._targets: dict[Provider, Webhook | None] = dict.fromkeys(PROVIDERS)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Starts the clock and the workers."""
        self._threads.append(threading.Thread(target=self._tick, name="webhook clock"))
        self._threads += [
            threading.Thread(target=self._work, args=(name,), name=f"{name} webhook {number}")
            for name, channel in self._channels.items()
            for number in range(channel.workers)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops after the posts under way; what is still to come is dropped."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        for name, channel in self._channels.items():
            for _ in range(channel.workers):
                self._queues[name].put(None)
        for thread in self._threads:
            thread.join()

    def retarget(self) -> None:
        """Takes note of the behaviour document's targets and greets new ones."""
        for name, channel in self._channels.items():
            target = self._behaviour.settings(name).webhook
            is_new = target is not None and target != self._targets[name]
            self._targets[name] = target
            for outgoing in channel.greetings() if is_new else ():
                self._count(name, pending=1)
                self._queues[name].put(_Parcel([outgoing]))

    def schedule(self, message: Message, happenings: Sequence[Happening]) -> None:
        """Plans events of a message that was just accepted."""
        now = self._monotonic()
        self._count(message.provider, pending=len(happenings))
        self._push(
            [
                _Due(
                    now + one.after_ms / 1000,
                    next(self._numbers),
                    message.provider,
                    message,
                    one,
                )
                for one in happenings
            ]
        )

    def post_now(self, message: Message, happening: Happening, patch: JsonObject) -> bool:
        """Reports an event at once, its payload changed by a merge patch (RFC 7396).

        False if this ESP does not report such events.
        """
        self._count(message.provider, pending=1)
        return self._fire(message, happening, patch)

    def drain(self, timeout_s: float) -> bool:
        """Waits until nothing is pending; False if the time was too short."""
        with self._changed:
            return self._changed.wait_for(
                lambda: all(counts["pending"] == 0 for counts in self._counts.values()), timeout_s
            )

    def forget(self) -> None:
        """Drops what is still to come and all counts; posts under way are finished."""
        with self._changed:
            for due in self._due:
                self._counts[due.provider]["pending"] -= due.size
            self._due.clear()
            for name, counts in self._counts.items():
                self._counts[name] = Counter(pending=counts["pending"])
            self._changed.notify_all()

    def stats(self) -> JsonObject:
        """Per provider: events `ok`, `failed`, `pending`, `untargeted`; `posts` and `retries`."""
        names = ("ok", "failed", "pending", "untargeted", "posts", "retries")
        with self._changed:
            return {
                provider: {name: counts[name] for name in names}
                for provider, counts in self._counts.items()
            }

    def _push(self, dues: Sequence[_Due]) -> None:
        with self._changed:
            for due in dues:
                heapq.heappush(self._due, due)
            self._changed.notify_all()

    def _count(self, provider: Provider, **changes: int) -> None:
        with self._changed:
            self._counts[provider].update(changes)
            self._changed.notify_all()

    def _tick(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                now = self._monotonic()
                if not self._due or self._due[0].at > now:
                    self._changed.wait(self._due[0].at - now if self._due else None)
                    continue
                due = heapq.heappop(self._due)
            if due.parcel is not None:
                self._queues[due.provider].put(due.parcel)
            elif due.message is not None and due.happening is not None:
                self._fire(due.message, due.happening, {})

    def _fire(self, message: Message, happening: Happening, patch: JsonObject) -> bool:
        provider, at = message.provider, self._clock.now()
        event_id = _event_id(message, happening.kind)
        payload = self._channels[provider].event(message, happening, event_id, at)
        if payload is None:
            self._count(provider, pending=-1)
            return False
        self._mailbox.note(message, happening.kind, at)
        if self._behaviour.settings(provider).webhook is None:
            self._count(provider, pending=-1, untargeted=1)
            return True
        outgoing = Outgoing(event_id, at, merged(payload, patch))
        self._queues[provider].put(_Parcel([outgoing]))
        again = self._behaviour.profile(provider, message.to).duplicate_event_rate
        luck = self._behaviour.chance(f"duplicate {happening.kind.value}", message.key)
        if luck < again:
            self._count(provider, pending=1)
            self._queues[provider].put(_Parcel([outgoing]))
        return True

    def _work(self, provider: Provider) -> None:
        poster = Poster()
        waiting = self._queues[provider]
        while not self._stopping.is_set():
            parcel = waiting.get()
            if parcel is None:
                break
            self._handle(provider, parcel, poster)
        poster.close()

    def _handle(self, provider: Provider, parcel: _Parcel, poster: Poster) -> None:
        target = self._behaviour.settings(provider).webhook
        if target is None:
            self._count(provider, pending=-len(parcel.events), untargeted=len(parcel.events))
            return
        channel = self._channels[provider]
        others = self._join(provider, parcel, target) if parcel.tries == 0 else []
        if not parcel.bodies:
            parcel.bodies = [channel.encode(outgoing, target) for outgoing in parcel.events]
        done = self._opened(channel, target, poster) and channel.deliver(
            target, parcel.bodies, poster
        )
        parcel.tries += 1
        size = len(parcel.events)
        if done:
            self._count(provider, posts=1, pending=-size, ok=size)
        elif parcel.tries >= (target.max_tries or channel.max_tries):
            self._count(provider, posts=1, pending=-size, failed=size)
        else:
            self._count(provider, posts=1, retries=1)
            pause = min(_MOST_BACK_OFF_S, _BACK_OFF_S * 2 ** (parcel.tries - 1))
            at = self._monotonic() + pause
            self._push([_Due(at, next(self._numbers), provider, parcel=parcel)])
        for other in others:
            self._handle(provider, other, poster)

    def _join(self, provider: Provider, parcel: _Parcel, target: Webhook) -> list[_Parcel]:
        """Adds waiting events to the parcel; gives back a parcel that must travel alone."""
        channel = self._channels[provider]
        limit = channel.batch_size(target)
        until = self._monotonic() + channel.flush_s
        while len(parcel.events) < limit:
            try:
                other = self._queues[provider].get(timeout=max(0.0, until - self._monotonic()))
            except queue.Empty:
                break
            if other is None:
                self._queues[provider].put(None)
                break
            if other.tries:
                return [other]
            parcel.events += other.events
        return []

    def _opened(self, channel: Channel, target: Webhook, poster: Poster) -> bool:
        for _ in range(_OPEN_TRIES):
            if channel.open(target, poster, self._stopping):
                return True
            if self._stopping.wait(_OPEN_PAUSE_S):
                break
        return False


def _event_id(message: Message, kind: Kind) -> str:
    told = f"{message.id} {message.provider_message_id} {kind.value} {len(message.events)}"
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
