"""Moto's AWS in a process of its own, which counts what every request would be billed.

`python -m benchmarks.cloud` prints its URL and ends with its standard input.
`POST /_counts` gives what was counted since it was last asked: requests by
`<service>.<operation>`, and for DynamoDB the units and items by table.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import EnvironBuilder, run_wsgi_app

from benchmarks.children import serve_until_parent_ends
from benchmarks.units import TRANSACTION_FACTOR, Item, index_units, item_size, read_units
from benchmarks.units import write_units as units_of_write

REGION = "us-east-1"
COUNTS_PATH = "/_counts"

_WRITE_OF = {"PutItem": "Item", "UpdateItem": "Key", "DeleteItem": "Key"}
_VERBS = {"Put": "Item", "Update": "Key", "Delete": "Key"}

Answer = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body."""

Key = tuple[str, Mapping[str, Any]]
"""A table's name and an item's key attributes."""


@dataclass
class Counts:
    """What was counted. Units are by table."""

    requests: Counter[str] = field(default_factory=Counter)
    write_units: Counter[str] = field(default_factory=Counter)
    read_units: Counter[str] = field(default_factory=Counter)
    items_written: Counter[str] = field(default_factory=Counter)


class CountingCloud:
    """Moto's application. Requests are served one at a time."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._counts = Counts()
        self._lock = threading.Lock()

    def take_counts(self) -> bytes:
        """What was counted, as JSON; then begins anew."""
        with self._lock:
            counts, self._counts = self._counts, Counts()
        return json.dumps(vars(counts)).encode()

    def serve(self, path: str, headers: Message, body: bytes) -> Answer:
        """The answer to a POST."""
        service, _, operation = headers.get("X-Amz-Target", "?.?").partition(".")
        service = service.partition("_")[0]
        environ = EnvironBuilder(path, method="POST", headers=[*headers.items()], data=body)
        with self._lock:
            self._counts.requests[f"{service}.{operation}"] += 1
            if service != "DynamoDB":
                return self._run(environ)
            request = json.loads(body)
            keys = _written(operation, request)
            before = [_stored(*key) for key in keys]
            answer = self._run(environ)
            factor = TRANSACTION_FACTOR if operation.startswith("Transact") else 1
            for key, old in zip(keys, before, strict=True):
                self._count_write(key[0], old, _stored(*key), factor)
            self._count_reads(operation, request, answer[2])
        return answer

    def _run(self, environ: EnvironBuilder) -> Answer:
        chunks, status, headers = run_wsgi_app(self._app, environ.get_environ())
        return int(status.split()[0]), dict(headers), b"".join(chunks)

    def _count_write(self, table: str, old: Item | None, new: Item | None, factor: int) -> None:
        units = units_of_write(old, new)
        for index in _backend().get_table(table).all_indexes():
            keys = [attribute["AttributeName"] for attribute in index.schema]
            if index.projection["ProjectionType"] == "KEYS_ONLY":
                kept = {*keys, "pk", "sk"}
                units += index_units(_only(old, kept), _only(new, kept), keys)
            else:
                units += index_units(old, new, keys)
        self._counts.write_units[table] += units * factor
        self._counts.items_written[table] += 1

    def _count_reads(self, operation: str, request: dict[str, Any], answer: bytes) -> None:
        match operation:
            case "GetItem":
                consistent = request.get("ConsistentRead", False)
                self._count_read(request["TableName"], request["Key"], consistent=consistent)
            case "BatchGetItem":
                for table, wanted in request["RequestItems"].items():
                    consistent = wanted.get("ConsistentRead", False)
                    for key in wanted["Keys"]:
                        self._count_read(table, key, consistent=consistent)
            case "Query":
                if {"FilterExpression", "ProjectionExpression"} & set(request):
                    raise NotImplementedError("the items that a query skips are not in its answer")
                size = sum(map(item_size, json.loads(answer).get("Items", [])))
                units = read_units(size, consistent=request.get("ConsistentRead", False))
                self._counts.read_units[request["TableName"]] += units  # type: ignore[assignment]  # halves
            case _:
                return

    def _count_read(self, table: str, key: Mapping[str, Any], *, consistent: bool) -> None:
        size = item_size(_stored(table, key) or {})
        self._counts.read_units[table] += read_units(size, consistent=consistent)  # type: ignore[assignment]  # halves


def _written(operation: str, request: dict[str, Any]) -> list[Key]:
    if operation in _WRITE_OF:
        return [(request["TableName"], _key(request["TableName"], request[_WRITE_OF[operation]]))]
    if operation == "BatchWriteItem":
        return [
            (table, _key(table, one["PutRequest"]["Item"] if "PutRequest" in one
                         else one["DeleteRequest"]["Key"]))
            for table, requests in request["RequestItems"].items()
            for one in requests
        ]  # fmt: skip
    if operation == "TransactWriteItems":
        return [
            (write["TableName"], _key(write["TableName"], write[_VERBS[verb]]))
            for one in request["TransactItems"]
            for verb, write in one.items()
            if verb in _VERBS
        ]
    return []


def _backend() -> Any:
    return get_backend("dynamodb")[DEFAULT_ACCOUNT_ID][REGION]


def _key(table: str, item: Mapping[str, Any]) -> Mapping[str, Any]:
    described = _backend().get_table(table)
    names = [described.hash_key_attr, described.range_key_attr]
    return {name: item[name] for name in names if name}


def _stored(table: str, key: Mapping[str, Any]) -> Item | None:
    item = _backend().get_item(table, key)
    return item.to_json()["Attributes"] if item else None


def _only(item: Item | None, names: set[str]) -> Item | None:
    return None if item is None else {name: item[name] for name in names & set(item)}


class _Handler(BaseHTTPRequestHandler):
    """Keeps connections open, as AWS does and Werkzeug's own server does not."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    cloud: ClassVar[CountingCloud]

    def do_POST(self) -> None:
        """All that AWS's JSON protocols need."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == COUNTS_PATH:
            self._send(200, {}, self.cloud.take_counts())
        else:
            self._send(*self.cloud.serve(self.path, self.headers, body))

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "connection", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Quiet."""


def main() -> None:
    """Serves until standard input ends."""
    _Handler.cloud = CountingCloud()
    serve_until_parent_ends(ThreadingHTTPServer(("127.0.0.1", 0), _Handler))


if __name__ == "__main__":
    main()
