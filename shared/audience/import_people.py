"""What a row of an import says of a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from shared.audience.addresses import normalise
from shared.audience.fields import read_fields
from shared.audience.import_files import ImportedPerson, ImportedRow
from shared.audience.import_reading import MappedAddresses, rejection
from shared.audience.importers import Importer, importer_of
from shared.audience.lists import known_lists
from shared.audience.mail_domains import MailDomains
from shared.audience.model import ListState, RowRejection, SuppressionReason
from shared.audience.ports import ListStore
from shared.audience.quality import AddressQuality
from shared.audience.records import Record
from shared.audience.rows import FileFormat, Product, Row
from shared.audience.settings import AudienceSettings, AudienceSettingsStore
from shared.errors import FieldProblem, InvalidInput
from shared.ids import SubscriberIds
from shared.jobs import Job

DOMAINS_PER_STEP = 400
"""That DNS is asked for, if it is at all: a step ends early rather than leave any out."""


def people_rows(
    lists: ListStore,
    settings: AudienceSettingsStore,
    ids: SubscriberIds,
    mail_domains: MailDomains,
) -> Callable[[Job], PeopleRows]:
    """For `ImportReading`: a step's rows, by the settings that are in force then."""
    return lambda job: PeopleRows(job, ids, lists, settings.get(job.workspace), mail_domains)


class PeopleRows:
    """From a row to a person; one wrong field refuses the row.

    If the settings ask for it, each step asks DNS once for each domain it has met.
    """

    def __init__(
        self,
        job: Job,
        ids: SubscriberIds,
        lists: ListStore,
        settings: AudienceSettings,
        mail_domains: MailDomains,
    ) -> None:
        self._mail_domains = mail_domains
        self._domains: set[str] = set()
        self._workspace = job.workspace
        self._named: Sequence[str] = job.params["lists"]
        self._importer = importer_for(job.params, FileFormat(job.params["format"]), settings)
        self._ids = ids
        self._types = settings.attributes
        self._quality = AddressQuality(settings)
        self._known = known_lists(lists, job.workspace)
        self._mapped = MappedAddresses(job.params)

    def columns(self, header: Sequence[str]) -> Sequence[str]:
        """As the importer says."""
        return self._importer.columns(header)

    def read(self, record: Record) -> ImportedPerson | RowRejection:
        """The person, or why not."""
        if isinstance(record.content, RowRejection):
            return record.content
        row = self._importer.row(record.number, record.content)
        if isinstance(row, RowRejection):
            return row
        self._mapped.take(row.email)
        person = self._person(row)
        if self.waits and isinstance(person, ImportedPerson):
            self._domains.add(_domain(person))
        return person

    @property
    def waits(self) -> bool:
        """Whether DNS is to be asked."""
        return self._quality.asks_dns

    @property
    def enough(self) -> bool:
        """Whether DNS could be asked for no more domains."""
        return len(self._domains) >= DOMAINS_PER_STEP

    @property
    def misfit(self) -> str:
        """Whether the mapping fits."""
        return self._mapped.misfit

    def settled(
        self, found: Iterable[ImportedRow | RowRejection]
    ) -> Iterator[ImportedRow | RowRejection]:
        """The people, by what DNS says of their domains."""
        dead = self._mail_domains.dead(self._domains) if self._domains else frozenset()
        for one in found:
            if isinstance(one, ImportedPerson) and _domain(one) in dead:
                yield self._without_mail(one)
            else:
                yield one

    def _without_mail(self, person: ImportedPerson) -> ImportedPerson | RowRejection:
        try:
            return replace(person, quality=self._quality.flags_without_mail(person.quality))
        except InvalidInput as error:
            return rejection(person.row, error)

    def _person(self, row: Row) -> ImportedPerson | RowRejection:
        try:
            address = normalise(row.email if isinstance(row.email, str) else "")
            quality = self._quality.flags(address)
            fields = read_fields(
                row.attributes, row.tags, row.locale, row.time_zone, types=self._types
            )
            states = self._states(row)
        except InvalidInput as error:
            return rejection(row.number, error)
        suppressed = row.suppressed
        if row.state is ListState.UNSUBSCRIBED and not self._named and not row.lists:
            suppressed = suppressed or SuppressionReason.UNSUBSCRIBED
        subscriber_id = self._ids.of(self._workspace, address)
        return ImportedPerson(
            row.number, subscriber_id, address, fields, states, suppressed, quality
        )

    def _states(self, row: Row) -> dict[str, ListState]:
        states = dict.fromkeys(self._named, row.state) if row.state else {}
        for list_id, state in row.lists.items():
            if not self._known(list_id):
                raise InvalidInput(FieldProblem("lists", "name one that is not of this workspace"))
            if state not in set(ListState):
                raise InvalidInput(FieldProblem("lists", "have a state that there is not"))
            states[list_id] = ListState(str(state))
        return states


def _domain(person: ImportedPerson) -> str:
    return person.address.rpartition("@")[2]


def importer_for(
    params: dict[str, Any], file_format: FileFormat, settings: AudienceSettings
) -> Importer:
    """The importer that a job's parameters ask for."""
    return importer_of(
        Product(params["product"]),
        file_format,
        types=settings.attributes,
        mapping=params["mapping"],
        list_names=params["list_names"],
    )
