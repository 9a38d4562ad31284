"""What people have got lately, in DynamoDB: one update a message, and no read.

The places stand in attributes `s0`, `s1`, ..., the latest first, as texts that
sort by `until`: its seconds in eight hex digits, then owner and message. So
the cap is reached if the last of them that counts is within its days, which a
condition can say, and taking a place moves them all on by one. Where the
condition fails, the refusal has the item with it: then `frequency.take`
decides, and what it says is written if nobody wrote meanwhile (`n`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import UpdateError

from shared.delivery.frequency import GIVEN, Place, Taken, take
from shared.delivery.workspace import MAX_CAP_MESSAGES, FrequencyCap
from shared.errors import DependencyUnavailable
from shared.mail import MessageKind
from shared.storage.failures import speaking_our_errors
from shared.storage.tables import RawItem, TidepostModel

_TRIES = 40
"""Each that fails is somebody else's write; a cap lets so many through at the most."""

_NONE = "0"
"""In place of a place; it sorts before all of them."""

_AFTER = "~"
"""Sorts after all that may follow the seconds."""

_UNTIL, _OWNER = 8, 14
_REFUSED = "ConditionalCheckFailedException"


class FrequencyItem(TidepostModel):
    """The places of one person, by kind of message; below 1 KB. PynamoDB only names the table."""

    TABLE = "frequency"

    @classmethod
    def change_raw(
        cls, key: tuple[str, str], update: str, condition: str, values: dict[str, str | int]
    ) -> RawItem | None:
        """One UpdateItem; `#ttl` in the update is the item's `ttl`.

        None if it was done, else the item as stored, empty if there is none.
        """
        table = cls._get_connection()
        request: dict[str, Any] = {
            "TableName": table.table_name,
            "Key": {"pk": {"S": key[0]}, "sk": {"S": key[1]}},
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {
                name: {"S": value} if isinstance(value, str) else {"N": str(value)}
                for name, value in values.items()
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if "#ttl" in update:
            request["ExpressionAttributeNames"] = {"#ttl": "ttl"}
        with speaking_our_errors(cls.TABLE):
            try:
                table.connection.client._make_api_call("UpdateItem", request)  # noqa: SLF001  # as PynamoDB does, which would lose the item
            except (ClientError, BotoCoreError) as error:
                response: Any = getattr(error, "response", {})
                if response.get("Error", {}).get("Code") == _REFUSED:
                    item: RawItem = response.get("Item", {})
                    return item
                raise UpdateError(f"an update of {cls.TABLE} failed", error) from error
        return None


class DynamoFrequency:
    """`FrequencyStore`."""

    def take(
        self, workspace: str, subscriber: str, cap: FrequencyCap, place: Place, now: datetime
    ) -> Taken:
        """As the port says."""
        last = cap.messages - 1
        names = [f"s{n}" for n in range(cap.messages)]
        # From the last to the first, so that it is right also where each sees the one before.
        moved = [f"s{n} = if_not_exists(s{n - 1}, :none)" for n in range(last, 0, -1)]
        apart = " AND ".join(f"NOT contains({name}, :message)" for name in names)
        values: dict[str, str | int] = {
            ":place": _text(place),
            ":message": place.message,
            ":head": _seconds(place.until) + _AFTER,
            ":since": _seconds(now - timedelta(days=cap.days)) + _AFTER,
            ":ttl": _ttl(place, cap),
            ":one": 1,
        }
        if moved:
            values[":none"] = _NONE
        refused = FrequencyItem.change_raw(
            _key(workspace, subscriber, cap.kind),
            f"SET {', '.join([*moved, 's0 = :place', '#ttl = :ttl'])} ADD n :one",
            f"attribute_not_exists(n) OR (s0 < :head AND {apart}"
            f" AND (attribute_not_exists(s{last}) OR s{last} < :since))",
            values,
        )
        if refused is None:
            return GIVEN

        def decide(held: Sequence[Place]) -> tuple[Taken, tuple[Place, ...]]:
            return take(held, place, cap, now)

        return self._decided(workspace, subscriber, cap, refused, decide)

    def give_back(self, workspace: str, subscriber: str, cap: FrequencyCap, place: Place) -> None:
        """As the port says; `ttl` stays, since an item that is kept too long does no harm.

        All that may be there moves up: the cap may have been lowered since.
        """
        last = MAX_CAP_MESSAGES - 1
        moved = [f"s{n} = if_not_exists(s{n + 1}, :none)" for n in range(last)]
        refused = FrequencyItem.change_raw(
            _key(workspace, subscriber, cap.kind),
            f"SET {', '.join([*moved, f's{last} = :none'])} ADD n :one",
            "s0 = :place",
            {":place": _text(place), ":none": _NONE, ":one": 1},
        )
        if refused is None:
            return

        def decide(held: Sequence[Place]) -> tuple[Taken, tuple[Place, ...]]:
            return GIVEN, tuple(one for one in held if one != place)

        every = replace(cap, messages=MAX_CAP_MESSAGES)
        self._decided(workspace, subscriber, every, refused, decide)

    def forget(self, workspace: str, subscriber: str) -> None:
        """As the port says."""
        for kind in MessageKind:
            FrequencyItem(*_key(workspace, subscriber, kind)).discard()

    def _decided(
        self,
        workspace: str,
        subscriber: str,
        cap: FrequencyCap,
        item: RawItem,
        decide: Callable[[Sequence[Place]], tuple[Taken, tuple[Place, ...]]],
    ) -> Taken:
        """Writes what is decided from the item as it is, until nobody was in between."""
        for _ in range(_TRIES):
            held = _places(item, cap.messages)
            taken, places = decide(held)
            if places == held:
                return taken
            texts = [*map(_text, places), *[_NONE] * cap.messages][: cap.messages]
            values: dict[str, str | int] = {f":s{n}": text for n, text in enumerate(texts)}
            values[":one"] = 1
            sets = [f"s{n} = :s{n}" for n in range(cap.messages)]
            if places:
                sets.append("#ttl = :ttl")
                values[":ttl"] = _ttl(places[0], cap)
            condition = "attribute_not_exists(n)"
            if "n" in item:
                condition, values[":n"] = "n = :n", int(item["n"]["N"])
            key = _key(workspace, subscriber, cap.kind)
            update = f"SET {', '.join(sets)} ADD n :one"
            found = FrequencyItem.change_raw(key, update, condition, values)
            if found is None:
                return taken
            item = found
        raise DependencyUnavailable(
            f"the item of a person in {FrequencyItem.TABLE} was written by others {_TRIES} times"
            " in a row; the chunk is tried again"
        )


def _key(workspace: str, subscriber: str, kind: MessageKind) -> tuple[str, str]:
    return f"ws#{workspace}#{subscriber}", kind.value


def _seconds(instant: datetime) -> str:
    return f"{int(instant.timestamp()):08x}"


def _ttl(place: Place, cap: FrequencyCap) -> int:
    return int((place.until + timedelta(days=cap.days)).timestamp())


def _text(place: Place) -> str:
    return f"{_seconds(place.until)}{place.owner}{place.message}"


def _places(item: RawItem, count: int) -> tuple[Place, ...]:
    texts = [item[name]["S"] for n in range(count) if (name := f"s{n}") in item]
    return tuple(
        Place(
            datetime.fromtimestamp(int(text[:_UNTIL], 16), UTC), text[_UNTIL:_OWNER], text[_OWNER:]
        )
        for text in texts
        if text != _NONE
    )
