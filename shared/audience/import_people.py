"""What a row of an import says of a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from shared.audience.addresses import normalise
from shared.audience.fields import read_fields
from shared.audience.import_files import ImportedPerson
from shared.audience.import_reading import rejection
from shared.audience.importers import Importer, importer_of
from shared.audience.lists import known_lists
from shared.audience.model import ListState, RowRejection, SuppressionReason
from shared.audience.ports import ListStore
from shared.audience.quality import AddressQuality
from shared.audience.records import Record
from shared.audience.rows import FileFormat, Product, Row
from shared.audience.settings import AudienceSettings, AudienceSettingsStore
from shared.errors import FieldProblem, InvalidInput
from shared.ids import SubscriberIds
from shared.jobs import Job


def people_rows(
    lists: ListStore, settings: AudienceSettingsStore, ids: SubscriberIds
) -> Callable[[Job], PeopleRows]:
    """For `ImportReading`: a job's rows, by the settings that are in force at the step."""
    return lambda job: PeopleRows(job, ids, lists, settings.get(job.workspace))


class PeopleRows:
    """From a row to a person; one wrong field refuses the row."""

    def __init__(
        self, job: Job, ids: SubscriberIds, lists: ListStore, settings: AudienceSettings
    ) -> None:
        self._workspace = job.workspace
        self._named: Sequence[str] = job.params["lists"]
        self._importer = importer_for(job.params, FileFormat(job.params["format"]), settings)
        self._ids = ids
        self._types = settings.attributes
        self._quality = AddressQuality(settings)
        self._known = known_lists(lists, job.workspace)

    def columns(self, header: Sequence[str]) -> Sequence[str]:
        """As the importer says."""
        return self._importer.columns(header)

    def read(self, record: Record) -> ImportedPerson | RowRejection:
        """The person, or why not."""
        if isinstance(record.content, RowRejection):
            return record.content
        row = self._importer.row(record.number, record.content)
        return row if isinstance(row, RowRejection) else self._person(row)

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
