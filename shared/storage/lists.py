"""Mailing lists in DynamoDB."""

from __future__ import annotations

from dataclasses import replace

import orjson
from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from shared.audience.model import DoubleOptIn, MailingList
from shared.clock import from_iso, to_iso
from shared.errors import AlreadyExists, NotFound
from shared.mail import Mailbox
from shared.paging import Page, cut, resume
from shared.storage.tables import VersionedModel


class ListItem(VersionedModel):
    """One mailing list; `double_opt_in` is compact JSON."""

    TABLE = "workspaces"

    name = UnicodeAttribute()
    description = UnicodeAttribute()
    created_at = UnicodeAttribute()
    public = BooleanAttribute(null=True)
    double_opt_in = UnicodeAttribute(null=True)


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
        public=bool(item.public),
        double_opt_in=_read_opt_in(item.double_opt_in) if item.double_opt_in else None,
    )


def _read_opt_in(text: str) -> DoubleOptIn:
    doc: dict[str, str] = orjson.loads(text)
    return DoubleOptIn(Mailbox(doc["address"], doc["name"]), doc["template"])


def _write_opt_in(opt_in: DoubleOptIn) -> str:
    doc = {
        "address": opt_in.sender.address,
        "name": opt_in.sender.name,
        "template": opt_in.template_id,
    }
    return orjson.dumps(doc).decode()


def _item(mailing_list: MailingList) -> ListItem:
    opt_in = mailing_list.double_opt_in
    return ListItem(
        _partition(mailing_list.workspace),
        mailing_list.id,
        name=mailing_list.name,
        description=mailing_list.description,
        created_at=to_iso(mailing_list.created_at),
        version=mailing_list.version,
        public=mailing_list.public or None,
        double_opt_in=_write_opt_in(opt_in) if opt_in else None,
    )
