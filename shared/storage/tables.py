"""The tables: one model base, bound to a deployment once, and the few ways to read and write.

PynamoDB would build a botocore client per model, retry unprocessed batch items
without a pause (reads even without end), and raise its own errors. The base
class here shares one client, bounds the retries and speaks `shared.errors`. It
offers no Scan, since no function may scan.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Any, ClassVar, Self, cast

from pynamodb.attributes import NumberAttribute, TTLAttribute, UnicodeAttribute
from pynamodb.connection import Connection, TableConnection
from pynamodb.connection.base import MetaTable
from pynamodb.constants import BATCH_GET_PAGE_LIMIT, BATCH_WRITE_PAGE_LIMIT
from pynamodb.exceptions import DoesNotExist, PynamoDBException, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import MetaProtocol, Model
from pynamodb.transactions import TransactWrite

from shared.errors import ConfigurationError, DependencyUnavailable, StaleWrite
from shared.storage.failures import code_of, speaking_our_errors
from shared.storage.lean import LeanClient

RawItem = Mapping[str, Mapping[str, Any]]
"""An item in DynamoDB's own form, e.g. `{"sk": {"S": "sub_..."}}`."""

_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Pauses before unprocessed batch items are tried again; AWS asks for exponential back-off."""

_MAX_PK_BYTES, _MAX_SK_BYTES = 2048, 1024
"""DynamoDB's limits: no item can have a longer key, and none an empty one."""

_CONDITION_FAILED = "ConditionalCheckFailedException"
_TRANSACTION_CANCELED = "TransactionCanceledException"


@dataclass(frozen=True, slots=True, eq=False)
class _Binding:
    """Where the tables are. `root` owns the one client that all models share."""

    prefix: str
    root: Connection
    settings: Mapping[str, object]
    sleep: Callable[[float], None]
    client: LeanClient | None


class _OneClient(Connection):
    """A connection with its own table schema and the binding's client."""

    def __init__(self, root: Connection, meta_table: MetaTable) -> None:
        super().__init__(region=root.region, host=root.host)
        self._root = root
        self.add_meta_table(meta_table)

    @property
    def client(self) -> Any:
        """The shared client: the one handed to `bind`, else botocore's, made on the first call."""
        return _binding().client or self._root.client


_state: dict[str, _Binding] = {}
_connecting = Lock()
_models: list[type[TidepostModel]] = []


def bind(
    prefix: str,
    region: str,
    endpoint_url: str = "",
    *,
    max_pool_connections: int = 10,
    sleep: Callable[[float], None] = time.sleep,
    client: LeanClient | None = None,
) -> None:
    """Says where every model's table is: `<prefix>-<TABLE>`. Called once, from wiring.

    Models that are imported later are bound as well. No client is made before
    the first read or write. `max_pool_connections` is the number of threads.
    `client` takes the place of botocore's.
    """
    settings: dict[str, object] = {
        "region": region,
        "host": endpoint_url or None,
        "connect_timeout_seconds": 2,
        "read_timeout_seconds": 5,
        "max_retry_attempts": 3,
        "max_pool_connections": max_pool_connections,
    }
    root = Connection(**cast("dict[str, Any]", settings))
    _state["binding"] = _Binding(prefix, root, settings, sleep, client)


def create_all() -> None:
    """Makes every table that an imported model names: for tests, never for a deployment."""
    by_table: dict[str, list[type[TidepostModel]]] = {}
    for model in _models:
        by_table.setdefault(model.TABLE, []).append(model)
    for models in by_table.values():
        owner = max(models, key=lambda model: len(model._indexes))  # noqa: SLF001  # of our own class
        owner.create_table(billing_mode="PAY_PER_REQUEST")


def _binding() -> _Binding:
    try:
        return _state["binding"]
    except KeyError:
        raise ConfigurationError(
            "the tables are not bound to a deployment: wiring must call bind() first"
        ) from None


class TidepostModel(Model):
    """Base of all models. A subclass names its table in `TABLE`; several may share one."""

    TABLE: ClassVar[str] = ""
    STREAM: ClassVar[str] = ""
    """The stream's view type, where the table has a stream."""

    _bound_to: ClassVar[_Binding | None] = None

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    ttl = TTLAttribute(null=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Registers the models that name a table."""
        super().__init_subclass__(**kwargs)
        if cls.TABLE:
            _models.append(cls)

    @classmethod
    def find(cls, pk: str, sk: str) -> Self | None:
        """One item by a consistent read."""
        if not _can_be_key(pk, sk):
            return None
        with speaking_our_errors(cls.TABLE):
            try:
                return cls.get(pk, sk, consistent_read=True)
            except DoesNotExist:
                return None

    @classmethod
    def find_many_raw(
        cls,
        keys: Iterable[tuple[str, str]],
        attributes: Sequence[str] | None = None,
        *,
        consistent: bool = True,
    ) -> Iterator[RawItem]:
        """The items of those `(pk, sk)` that exist, in no order, a hundred a call.

        Raises:
            DependencyUnavailable: some stayed unprocessed after all retries.
        """
        wanted = ({"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in dict.fromkeys(keys))
        while pending := list(islice(wanted, BATCH_GET_PAGE_LIMIT)):
            for pause in (*_PAUSES_S, None):
                with speaking_our_errors(cls.TABLE):
                    table = cls._get_connection()
                    answer = table.batch_get_item(
                        cast("Sequence[str]", pending),
                        consistent_read=consistent,
                        attributes_to_get=list(attributes) if attributes else None,
                    )
                yield from answer["Responses"].get(table.table_name, ())
                pending = answer.get("UnprocessedKeys", {}).get(table.table_name, {}).get("Keys")
                if not pending:
                    break
                cls._pause(pause, len(pending))

    @classmethod
    def find_many(cls, keys: Iterable[tuple[str, str]]) -> Iterator[Self]:
        """As `find_many_raw`, as models."""
        for item in cls.find_many_raw(keys):
            yield cls.from_raw_data(dict(item))

    @classmethod
    def select(
        cls,
        pk: str,
        where: Condition | None = None,
        *,
        index: str | None = None,
        consistent: bool = True,
        ascending: bool = True,
        limit: int | None = None,
        page_size: int | None = None,
    ) -> Iterator[Self]:
        """Items of one partition in the order of `sk`, read lazily; never consistent by an index.

        `where` is a condition on the range key. `limit` counts the items of
        all pages together; `page_size` is how many one call reads (at the most
        1 MB, which is also what it reads if neither is given).
        """
        if not _can_be_key(pk, "-"):
            return
        with speaking_our_errors(cls.TABLE):
            yield from cls.query(
                pk,
                where,
                consistent_read=consistent and index is None,
                index_name=index,
                scan_index_forward=ascending,
                limit=limit,
                page_size=page_size,
            )

    @classmethod
    def select_raw(cls, pk: str, after: str | None = None) -> Iterator[RawItem]:
        """A partition's items behind a sort key, a page of 1 MB at a time.

        Not consistent, which halves the price: for walks through many items
        that may miss what was written in the last second.
        """
        start = {"pk": {"S": pk}, "sk": {"S": after}} if after else None
        while True:
            with speaking_our_errors(cls.TABLE):
                answer = cls._get_connection().query(pk, exclusive_start_key=start)
            yield from answer["Items"]
            start = answer.get("LastEvaluatedKey")
            if not start:
                return

    def put(self, condition: Condition | None = None) -> bool:
        """Writes the item. False, and nothing written, if the condition does not hold."""
        with _unless_condition_fails() as outcome, speaking_our_errors(self.TABLE):
            self.save(condition)
        return outcome.held

    def change(self, actions: Sequence[Action], condition: Condition | None = None) -> bool:
        """Updates the item, and then this object with all that is stored.

        False, and nothing changed, if the condition does not hold.
        """
        with _unless_condition_fails() as outcome, speaking_our_errors(self.TABLE):
            self.update(list(actions), condition)
        return outcome.held

    def discard(self, condition: Condition | None = None) -> bool:
        """Deletes the item; without a condition, one that is gone is fine.

        False, and nothing deleted, if the condition does not hold.
        """
        with _unless_condition_fails() as outcome, speaking_our_errors(self.TABLE):
            self.delete(condition)
        return outcome.held

    @classmethod
    def put_many(cls, models: Iterable[Self]) -> None:
        """Writes items without a condition, 25 a call; of two with the same key the later stays.

        Raises:
            DependencyUnavailable: some stayed unprocessed after all retries.
        """
        remaining = iter(models)
        while chunk := list(islice(remaining, BATCH_WRITE_PAGE_LIMIT)):
            pending = [
                model.serialize()
                for model in {(model.pk, model.sk): model for model in chunk}.values()
            ]
            for pause in (*_PAUSES_S, None):
                with speaking_our_errors(cls.TABLE):
                    table = cls._get_connection()
                    answer = table.batch_write_item(put_items=pending)
                left = (answer or {}).get("UnprocessedItems", {}).get(table.table_name, ())
                pending = [request["PutRequest"]["Item"] for request in left]
                if not pending:
                    break
                cls._pause(pause, len(pending))

    @classmethod
    def _pause(cls, pause: float | None, left: int) -> None:
        if pause is None:
            raise DependencyUnavailable(
                f"DynamoDB left {left} items of table {cls.TABLE} unprocessed after "
                f"{len(_PAUSES_S)} retries; try again later"
            )
        _binding().sleep(pause)

    @classmethod
    def _get_connection(cls) -> TableConnection:
        binding = _binding()
        with _connecting:
            connection = cls._connection
            if connection is None or cls._bound_to is not binding:
                cls.Meta = cls._meta(binding)
                cls._connection = None
                connection = super()._get_connection()
                connection.connection = _OneClient(binding.root, connection.get_meta_table())
                cls._bound_to = binding
        return connection

    @classmethod
    def _meta(cls, binding: _Binding) -> MetaProtocol:
        names = {
            **binding.settings,
            "table_name": f"{binding.prefix}-{cls.TABLE}",
            "extra_headers": None,
            "aws_access_key_id": None,
            "aws_secret_access_key": None,
            "aws_session_token": None,
        }
        if cls.STREAM:
            names["stream_view_type"] = cls.STREAM
        return cast("MetaProtocol", type("Meta", (), names))


class VersionedModel(TidepostModel):
    """An item that is only overwritten by who has read what is stored now."""

    version = NumberAttribute()

    def put_over(self, expected: int) -> None:
        """Writes if the stored version is `expected`.

        Raises:
            StaleWrite: it is another, or there is no item.
        """
        if not self.put(type(self).version == expected):
            raise StaleWrite(
                f"somebody else wrote to {self.TABLE} first: read the item again, then decide"
            )


class _Outcome:
    held = True


@contextmanager
def _unless_condition_fails() -> Iterator[_Outcome]:
    outcome = _Outcome()
    try:
        yield outcome
    except PynamoDBException as error:
        if code_of(error) != _CONDITION_FAILED:
            raise
        outcome.held = False


def put_together(*writes: tuple[TidepostModel, Condition | None]) -> bool:
    """Writes several items, of any tables, all or none.

    Gives False, and nothing is written, if a condition does not hold.

    Raises:
        DependencyUnavailable: DynamoDB did not answer, or a conflicting
            transaction was under way.
    """
    tables = ", ".join(dict.fromkeys(model.TABLE for model, _ in writes))
    try:
        with (
            speaking_our_errors(tables),
            TransactWrite(connection=_binding().root) as transaction,
        ):
            for model, condition in writes:
                transaction.save(model, condition)
    except TransactWriteError as error:
        if code_of(error) != _TRANSACTION_CANCELED:
            raise
        reasons = [reason.code for reason in error.cancellation_reasons if reason]
        if reasons and set(reasons) <= {"ConditionalCheckFailed"}:
            return False
        raise DependencyUnavailable(
            f"DynamoDB canceled a write to {tables} ({', '.join(reasons)}); try again later"
        ) from error
    return True


def _can_be_key(pk: str, sk: str) -> bool:
    try:
        sizes = len(pk.encode()), len(sk.encode())
    except UnicodeEncodeError:  # half a surrogate pair, as JSON can smuggle in
        return False
    return 0 < sizes[0] <= _MAX_PK_BYTES and 0 < sizes[1] <= _MAX_SK_BYTES
