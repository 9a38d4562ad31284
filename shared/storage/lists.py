"""Mailing lists in DynamoDB."""

from __future__ import annotations

from dataclasses import replace

from pynamodb.attributes import UnicodeAttribute

from shared.audience.model import MailingList
from shared.clock import from_iso, to_iso
from shared.errors import AlreadyExists, NotFound
from shared.paging import Page, cut, resume
from shared.storage.tables import VersionedModel


class ListItem(VersionedModel):
    """One mailing list."""

    TABLE = "workspaces"

    name = UnicodeAttribute()
    description = UnicodeAttribute()
    created_at = UnicodeAttribute()


class DynamoLists:
    """`ListStore`."""

    def create(self, mailing_list: MailingList) -> None:
        """As the port says."""
        if not _item(mailing_list).put(ListItem.pk.does_not_exist()):
            raise AlreadyExists(f"there is a list {mailing_list.id} already")

    def get(self, workspace: str, list_id: str) -> MailingList:
        """As the port says; consistent."""
        item = ListItem.find(_partition(workspace), list_id)
        if item is None:
            raise NotFound("list", list_id)
        return _read(workspace, item)

    def save(self, mailing_list: MailingList) -> MailingList:
        """As the port says."""
        saved = replace(mailing_list, version=mailing_list.version + 1)
        _item(saved).put_over(mailing_list.version)
        return saved

    def delete(self, workspace: str, list_id: str) -> None:
        """As the port says."""
        self.get(workspace, list_id)
        ListItem(_partition(workspace), list_id).discard()

    def page(self, workspace: str, *, limit: int, cursor: str | None = None) -> Page[MailingList]:
        """As the port says: ids sort by time. Consistent."""
        after = resume(cursor)
        where = ListItem.sk > after if after else None
        items = ListItem.select(_partition(workspace), where, page_size=limit + 1)
        return cut((_read(workspace, item) for item in items), limit, lambda one: one.id)


def _partition(workspace: str) -> str:
    return f"ws#{workspace}#lists"


def _read(workspace: str, item: ListItem) -> MailingList:
    return MailingList(
        id=item.sk,
        workspace=workspace,
        name=item.name,
        created_at=from_iso(item.created_at),
        description=item.description,
        version=int(item.version),
    )


def _item(mailing_list: MailingList) -> ListItem:
    return ListItem(
        _partition(mailing_list.workspace),
        mailing_list.id,
        name=mailing_list.name,
        description=mailing_list.description,
        created_at=to_iso(mailing_list.created_at),
        version=mailing_list.version,
    )
