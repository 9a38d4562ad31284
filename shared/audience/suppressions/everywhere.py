"""The deployment's own list: facts about addresses, which hold in every workspace.

A provider account serves the whole deployment, so what is on its list cannot be
laid at one workspace's door. A hard bounce or a complaint is a fact about the
address. It suppresses her in every workspace in which there is such a person, and
stays on this list for those in which there will be: whoever adds a person
looks here first (`adopt`).

Each workspace's entry is written before the deployment's, so what is cut short
is done again.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from shared.audience.model import Suppression, SuppressionReason
from shared.audience.ports import SubscriberStore, SuppressionStore
from shared.audience.suppressions.entering import Entering
from shared.audience.suppressions.ports import (
    EVERYWHERE,
    KnownAddress,
    KnownAddressStore,
    Listed,
    Workspaces,
)
from shared.ids import SubscriberIds


class EverywhereList:
    """What adds people asks of it. Addresses are normalised."""

    def __init__(
        self, known: KnownAddressStore, suppressions: SuppressionStore, ids: SubscriberIds
    ) -> None:
        self._known = known
        self._suppressions = suppressions
        self._ids = ids

    def adopt(self, workspace: str, people: Mapping[str, str]) -> bool:
        """Suppresses in this workspace whom a provider has on its list; `people`: id to address.

        To be called before the person is written. Costs half a read unit a
        person. Says whether there was anybody to suppress.
        """
        by_hash = {self._ids.of(EVERYWHERE, address): one for one, address in people.items()}
        found = self._known.get_many(list(by_hash))
        for known in found.values():
            one = by_hash[known.id]
            entry = Suppression(workspace, one, known.reason, known.at, known.source, people[one])
            self._suppressions.put(entry)
        return bool(found)

    def find(self, address: str) -> KnownAddress | None:
        """What is known of an address."""
        known_id = self._ids.of(EVERYWHERE, address)
        return self._known.get_many([known_id]).get(known_id)

    def forget(self, address: str) -> None:
        """Takes the address itself off the list; the hash goes on to suppress. For erasures."""
        known = self.find(address)
        if known and known.address:
            self._known.put(replace(known, address=""))


class Learning:
    """Spreads facts over all workspaces."""

    def __init__(
        self,
        *,
        known: KnownAddressStore,
        subscribers: SubscriberStore,
        suppressions: SuppressionStore,
        entering: Entering,
        workspaces: Workspaces,
        ids: SubscriberIds,
    ) -> None:
        self._known = known
        self._subscribers = subscribers
        self._suppressions = suppressions
        self._entering = entering
        self._workspaces = workspaces
        self._ids = ids

    def learn(self, facts: Sequence[Listed], *, source: str, provider: str = "") -> int:
        """Takes in facts about normalised addresses, of which `provider` knows by itself.

        What was known already is left alone, so that somebody whom a workspace
        has let go is not caught again. Of somebody who was erased, and whom no
        workspace has, only the hash is kept. Gives the number of suppressions made.

        Raises:
            StaleWrite: others kept changing a person; do it again.
        """
        hashed = {self._ids.of(EVERYWHERE, fact.address): fact for fact in facts}
        known = self._known.get_many(list(hashed))
        news = {
            known_id: fact
            for known_id, fact in hashed.items()
            if _is_news(fact, known.get(known_id), provider)
        }
        if not news:
            return 0
        made = 0
        erased: set[str] = set()
        people: set[str] = set()
        for workspace in self._workspaces.ids():
            by_id = {self._ids.of(workspace, fact.address): fact for fact in news.values()}
            there = self._subscribers.get_many(workspace, list(by_id))
            made += self._suppress(workspace, by_id, there, source)
            people.update(by_id[one].address for one in there)
            erased.update(by_id[one].address for one in self._erased(workspace, by_id, there))
        found = frozenset({provider} if provider else ())
        for known_id, fact in news.items():
            kept = fact if fact.address not in erased - people else replace(fact, address="")
            before = known.get(known_id)
            self._known.put(_merged(known_id, kept, before, source=source, found=found))
        return made

    def placed(self, addresses: Sequence[str], provider: str) -> set[str]:
        """Those of the normalised addresses that we put on the provider's list ourselves."""
        hashed = {self._ids.of(EVERYWHERE, address): address for address in addresses}
        known = self._known.get_many(list(hashed))
        return {hashed[one] for one, entry in known.items() if provider in entry.placed}

    def where(self, addresses: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        """In which workspaces there is such a person: address to workspaces and subscriber ids."""
        found: dict[str, list[tuple[str, str]]] = {}
        for workspace in self._workspaces.ids():
            ids = {self._ids.of(workspace, address): address for address in addresses}
            for one, person in self._subscribers.get_many(workspace, list(ids)).items():
                if not person.deleted:
                    found.setdefault(ids[one], []).append((workspace, one))
        return found

    def _suppress(
        self, workspace: str, by_id: Mapping[str, Listed], there: Container[str], source: str
    ) -> int:
        entries = [
            Suppression(workspace, one, fact.reason, fact.at, source, fact.address)
            for one, fact in by_id.items()
            if one in there
        ]
        return len(self._entering.enter(workspace, entries)) if entries else 0

    def _erased(
        self, workspace: str, by_id: Mapping[str, Listed], there: Container[str]
    ) -> list[str]:
        """Of those who are not there, the ids of people who were erased."""
        gone = self._suppressions.get_many(workspace, [one for one in by_id if one not in there])
        return [one for one, e in gone.items() if e.reason is SuppressionReason.ERASURE]


def _is_news(fact: Listed, before: KnownAddress | None, provider: str) -> bool:
    if before is None or fact.reason.covers(before.reason):
        return True
    return bool(provider) and provider not in before.found | before.placed


def _merged(
    known_id: str,
    fact: Listed,
    before: KnownAddress | None,
    *,
    source: str,
    found: frozenset[str],
) -> KnownAddress:
    """What is known now. An address that was forgotten stays forgotten."""
    if before is None:
        return KnownAddress(known_id, fact.address, fact.reason, fact.at, source, found)
    merged = replace(before, found=before.found | found)
    if fact.reason.covers(before.reason):
        merged = replace(merged, reason=fact.reason, at=fact.at, source=source)
    return merged
