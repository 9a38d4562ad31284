"""Amazon SES's account-level suppression list, through boto3's `sesv2`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import BotoCoreError, ClientError

from shared.audience.model import SuppressionReason
from shared.audience.suppressions.ports import KnownAddress, Listed, Pulled
from shared.errors import ConfigurationError, DependencyUnavailable
from shared.providers.pacing import Pace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sesv2 import SESV2Client

PER_SECOND = 1
"""What SES allows of most of its management calls."""

PAGE = 500

_REASONS: Mapping[str, SuppressionReason] = {
    "BOUNCE": SuppressionReason.HARD_BOUNCE,
    "COMPLAINT": SuppressionReason.COMPLAINT,
}
_BAD_ADDRESS, _NOT_THERE = "BadRequestException", "NotFoundException"
_OPERATOR_MUST_ACT = frozenset(
    {
        *("AccessDenied", "AccessDeniedException", "UnrecognizedClientException"),
        *("InvalidSignatureException", "MissingAuthenticationTokenException"),
    }
)


class SesSuppressions:
    """One account's, in one region."""

    most = 20
    """One call each: with the pace, a step of 20 seconds."""

    def __init__(self, name: str, client: Callable[[], SESV2Client], pace: Pace) -> None:
        self._name = name
        self._client = client
        self._pace = pace

    def pull(self, since: datetime, until: datetime, cursor: str = "") -> Pulled:
        """As the port says; the cursor is SES's own token."""
        # SES gives what was added after the one and before the other instant.
        after, before = since - timedelta(seconds=1), until + timedelta(seconds=1)
        self._pace.wait()
        with self._speaking_our_errors():
            client = self._client()
            if cursor:
                answer = client.list_suppressed_destinations(
                    StartDate=after, EndDate=before, PageSize=PAGE, NextToken=cursor
                )
            else:
                answer = client.list_suppressed_destinations(
                    StartDate=after, EndDate=before, PageSize=PAGE
                )
        entries = tuple(
            Listed(
                item["EmailAddress"],
                _REASONS[item["Reason"]],
                item["LastUpdateTime"].astimezone(UTC),
            )
            for item in answer.get("SuppressedDestinationSummaries", ())
            if item["Reason"] in _REASONS
        )
        return Pulled(entries, answer.get("NextToken", ""))

    def place(self, entries: Sequence[KnownAddress]) -> frozenset[str]:
        """As the port says, one by one; an address that SES calls bad is refused."""
        refused = set()
        for entry in entries:
            reason: Literal["BOUNCE", "COMPLAINT"] = (
                "COMPLAINT" if entry.reason is SuppressionReason.COMPLAINT else "BOUNCE"
            )
            self._pace.wait()
            try:
                with self._speaking_our_errors(but=_BAD_ADDRESS):
                    self._client().put_suppressed_destination(
                        EmailAddress=entry.address, Reason=reason
                    )
            except ClientError:
                refused.add(entry.id)
        return frozenset(refused)

    def take_away(self, addresses: Sequence[str], *, own: bool) -> None:  # noqa: ARG002 - one list
        """As the port says; SES does not tell its own entries from ours."""
        for address in addresses:
            self._pace.wait()
            try:
                with self._speaking_our_errors(but=_NOT_THERE):
                    self._client().delete_suppressed_destination(EmailAddress=address)
            except ClientError:
                continue  # it was not on the list

    @contextmanager
    def _speaking_our_errors(self, *, but: str = "") -> Iterator[None]:
        """Turns the SDK's errors into ours, all but the one of that code."""
        try:
            yield
        except ClientError as error:
            code = error.response["Error"].get("Code", "")
            if code and code == but:
                raise
            if code in _OPERATOR_MUST_ACT:
                raise ConfigurationError(
                    f"{self._name}: SES said {code}; let the jobs function list, put and delete"
                    " suppressed destinations"
                ) from error
            raise DependencyUnavailable(
                f"{self._name}: SES said {code}; it will be asked again"
            ) from error
        except BotoCoreError as error:
            raise DependencyUnavailable(
                f"{self._name}: SES did not answer ({type(error).__name__})"
            ) from error
