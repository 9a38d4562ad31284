"""What DynamoDB's failures mean, in the words of `shared.errors`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pynamodb.exceptions import PynamoDBException

from shared.errors import ConfigurationError, DependencyUnavailable

_OPERATOR_MUST_ACT = frozenset({"AccessDeniedException", "ResourceNotFoundException"})
_COME_BACK = frozenset(
    {
        None,  # no answer at all: time-out, connection refused
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)


def code_of(error: PynamoDBException) -> str | None:
    """DynamoDB's error code, or None if there was no answer.

    PynamoDB's own property fails where botocore's error has an empty `response`, as a read
    time-out has.
    """
    response = getattr(error.cause, "response", None) or {}
    code: str | None = response.get("Error", {}).get("Code")
    return code


@contextmanager
def speaking_our_errors(table: str) -> Iterator[None]:
    """Turns PynamoDB's errors about a table into ours; what is neither stays as it is."""
    try:
        yield
    except PynamoDBException as error:
        code = code_of(error)
        if code in _OPERATOR_MUST_ACT:
            raise ConfigurationError(
                f"table {table} cannot be used ({code}): check the function's role and the stack"
            ) from error
        if error.cause is not None and code in _COME_BACK:
            reason = code or type(error.cause).__name__
            raise DependencyUnavailable(
                f"DynamoDB did not serve table {table} ({reason}); try again later"
            ) from error
        raise
