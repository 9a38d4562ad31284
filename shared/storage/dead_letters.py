"""The dead-letter queues of the chunk queues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.delivery.ports import DeadLetter
from shared.errors import DependencyUnavailable
from shared.storage.queues import chunk_key_of

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_BATCH = 10
"""The most that one ReceiveMessage gives."""


class SqsDeadLetters:
    """`DeadLetters` over several queues; a receipt carries the place of its queue."""

    def __init__(self, client: SQSClient, urls: Sequence[str]) -> None:
        self._client = client
        self._urls = tuple(urls)

    def take(self) -> list[DeadLetter]:
        """Up to ten of each queue.

        Raises:
            InvalidInput: a message is not one of ours; it stays for an operator.
            DependencyUnavailable: SQS did not answer.
        """
        letters = []
        for place, url in enumerate(self._urls):
            try:
                answer = self._client.receive_message(
                    QueueUrl=url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=0
                )
            except (BotoCoreError, ClientError) as error:
                raise _unavailable(error) from error
            letters += [
                DeadLetter(chunk_key_of(message["Body"]), f"{place} {message['ReceiptHandle']}")
                for message in answer.get("Messages", [])
            ]
        return letters

    def remove(self, letter: DeadLetter) -> None:
        """As the port says.

        Raises:
            DependencyUnavailable: SQS did not answer.
        """
        place, _, receipt = letter.receipt.partition(" ")
        try:
            self._client.delete_message(QueueUrl=self._urls[int(place)], ReceiptHandle=receipt)
        except (BotoCoreError, ClientError) as error:
            raise _unavailable(error) from error


def _unavailable(error: Exception) -> DependencyUnavailable:
    return DependencyUnavailable(
        f"a dead-letter queue did not answer ({type(error).__name__}); it is asked in a minute"
    )
