"""What the columns and keys of a file mean: one module per product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shared.audience.importers.listmonk import Listmonk
from shared.audience.importers.mailchimp import Mailchimp
from shared.audience.importers.mapping import Mapped
from shared.audience.importers.pinpoint import Pinpoint
from shared.audience.importers.plain import Plain
from shared.audience.importers.tidepost import Tidepost
from shared.audience.model import RowRejection
from shared.audience.rows import FileFormat, Product, Row
from shared.audience.types import AttributeType


class Importer(Protocol):
    """Understands one product's files."""

    def columns(self, header: Sequence[str]) -> Sequence[str]:
        """A CSV's header as keys of the records; an empty one leaves the column out.

        Raises:
            InvalidInput: such a file cannot be imported; says what is missing.
        """
        ...

    def row(self, number: int, record: Mapping[str, Any]) -> Row | RowRejection:
        """What a record says, its values not yet looked at."""
        ...


def importer_of(
    product: Product,
    file_format: FileFormat,
    *,
    types: Mapping[str, AttributeType],
    mapping: Mapping[str, str],
    list_names: Mapping[str, str],
) -> Importer:
    """The importer of a product; `mapping` is of plain files, `list_names` of listmonk's."""
    match product:
        case Product.PLAIN:
            return Mapped(mapping, types) if mapping else Plain(file_format, types)
        case Product.TIDEPOST:
            return Tidepost(file_format)
        case Product.MAILCHIMP:
            return Mailchimp(types)
        case Product.LISTMONK:
            return Listmonk(list_names)
        case Product.PINPOINT:
            return Pinpoint()
