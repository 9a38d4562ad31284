"""Sends through the Amazon SES v2 API: SendBulkEmail for many, SendEmail for one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError

from shared.clock import Clock, SystemClock
from shared.config import SesProvider
from shared.mail import OutgoingBatch, OutgoingRecipient, SendOutcome, Verdict
from shared.providers.answers import (
    UNREADABLE,
    Failure,
    decode,
    deliver,
    encode,
    judge,
    post,
    scrub,
    unreadable,
)
from shared.providers.isolating import Refused
from shared.providers.ses import addresses
from shared.providers.ses.codes import ERRORS, NOT_VERIFIED, STATUSES, UNKNOWN_STATUS
from shared.providers.ses.requests import Prepared, bulk, prepare, single
from shared.sigv4 import Signer
from shared.transport import Response, Transport

SINGLE_PATH = "/v2/email/outbound-emails"
BULK_PATH = "/v2/email/outbound-bulk-emails"
MAX_ENTRIES = 50
SERVICE = "ses"
NO_CREDENTIALS = "no_credentials"

CredentialsSource = Callable[[], ReadOnlyCredentials]
"""Gives the function's present credentials: `session.get_credentials().get_frozen_credentials`."""

_OK = 200


class SesSender:
    """Amazon SES in one region."""

    max_batch = MAX_ENTRIES

    def __init__(
        self,
        config: SesProvider,
        credentials: CredentialsSource,
        transport: Transport,
        clock: Clock | None = None,
    ) -> None:
        self.provider = config.name
        url = urlsplit(transport.base_url)
        self._signer = Signer(SERVICE, config.region, url.netloc)
        self._prefix = url.path
        self._clock = clock or SystemClock()
        self._configuration_set = config.configuration_set
        self._credentials = credentials
        self._transport = transport

    def cannot_take(self, address: str) -> str:
        """`internationalised_local_part` where that is what stands before the @."""
        return addresses.cannot_take(address)

    def send(self, batch: OutgoingBatch) -> list[SendOutcome]:
        """One outcome per recipient, in the batch's order. Never raises for what happens there."""
        mail = prepare(batch, self._configuration_set)
        return deliver(
            batch,
            lambda safe: _split(safe.recipients, mail.data),
            lambda part: self._post(mail, part),
        )

    def _post(
        self, mail: Prepared, part: Sequence[OutgoingRecipient]
    ) -> list[SendOutcome] | Refused:
        alone = len(part) == 1
        body = encode(single(mail, part[0]) if alone else bulk(mail, part))
        if isinstance(body, Refused):
            return body
        path = SINGLE_PATH if alone else BULK_PATH
        try:
            headers = self._signed(path, body)
        except BotoCoreError as error:
            detail = f"the function's AWS credentials could not be had ({type(error).__name__})"
            return Failure(Verdict.UNAVAILABLE, NO_CREDENTIALS, detail).outcomes(part)

        def read(answer: Response) -> list[SendOutcome] | Failure | Refused:
            document = decode(answer.body)
            if answer.status != _OK:
                return _judged(answer, document, mail.batch.sender.address)
            found = document if isinstance(document, dict) else {}
            outcomes = _read_single(found, part) if alone else _read_bulk(found, part)
            return outcomes or unreadable(answer)

        return post(self._transport, path, body, headers, part=part, read=read)

    def _signed(self, path: str, body: bytes) -> dict[str, str]:
        """The request's headers with AWS Signature Version 4."""
        headers = {"content-type": "application/json"}
        now = self._clock.now()
        return self._signer.sign(self._credentials(), now, self._prefix + path, body, headers)


def _split(
    recipients: Iterable[OutgoingRecipient], data: Mapping[int, str]
) -> Iterator[Sequence[OutgoingRecipient]]:
    """Those who can be mailed by template in fifties, then the others one by one."""
    together = [one for one in recipients if one.index in data]
    for start in range(0, len(together), MAX_ENTRIES):
        yield together[start : start + MAX_ENTRIES]
    for one in recipients:
        if one.index not in data:
            yield [one]


def _read_single(
    document: Mapping[str, object], part: Sequence[OutgoingRecipient]
) -> list[SendOutcome]:
    message_id = document.get("MessageId")
    if not isinstance(message_id, str):
        return []
    return [SendOutcome(part[0].index, Verdict.ACCEPTED, provider_message_id=message_id)]


def _read_bulk(
    document: Mapping[str, object], part: Sequence[OutgoingRecipient]
) -> list[SendOutcome]:
    results = document.get("BulkEmailEntryResults")
    if not isinstance(results, list) or len(results) != len(part):
        return []
    return [_outcome(one, result) for one, result in zip(part, results, strict=True)]


def _outcome(one: OutgoingRecipient, result: object) -> SendOutcome:
    match result:
        case {"Status": "SUCCESS", "MessageId": str(message_id)}:
            return SendOutcome(one.index, Verdict.ACCEPTED, "", "", message_id)
    if not isinstance(result, dict):
        return SendOutcome(one.index, Verdict.IN_DOUBT, UNREADABLE, "SES gave no status")
    status = str(result.get("Status"))
    verdict = STATUSES.get(status, UNKNOWN_STATUS)
    if verdict is Verdict.ACCEPTED:
        return SendOutcome(one.index, verdict, "", "", result.get("MessageId"))
    return SendOutcome(one.index, verdict, status, scrub(str(result.get("Error") or "")))


def _judged(answer: Response, document: object, sender: str) -> Failure | Refused:
    fields = document if isinstance(document, dict) else {}
    # The type may come as `Type:http://...` in the header and as `namespace#Type` in the body.
    code = str(answer.headers.get("x-amzn-errortype") or fields.get("__type") or "")
    code = code.partition(":")[0].rpartition("#")[2]
    message = str(fields.get("message") or fields.get("Message") or "")
    verdict = ERRORS.get(code)
    if verdict is Verdict.REJECTED and _sender_not_verified(message, sender):
        verdict = Verdict.SENDER_FAULT
    return judge(answer, code=code or str(answer.status), detail=message, verdict=verdict)


def _sender_not_verified(message: str, sender: str) -> bool:
    """SES also says MessageRejected where the sender is at fault, and names the identity."""
    domain = sender.rpartition("@")[2].lower()
    identities = re.split(r"[\s,<>]+", message.lower())
    return NOT_VERIFIED in message and bool({sender.lower(), domain} & set(identities))
