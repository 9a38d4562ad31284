"""What SES's own words mean: error types of a request, and statuses of a bulk entry."""

from __future__ import annotations

from collections.abc import Mapping

from shared.mail import Verdict

ERRORS: Mapping[str, Verdict | None] = {
    "MessageRejected": Verdict.REJECTED,
    "BadRequestException": None,  # refused: rejects the recipient if there is only one
    "AccountSuspendedException": Verdict.UNAVAILABLE,
    "SendingPausedException": Verdict.UNAVAILABLE,
    "TooManyRequestsException": Verdict.NOT_ACCEPTED,
    "LimitExceededException": Verdict.NOT_ACCEPTED,
    "ThrottlingException": Verdict.NOT_ACCEPTED,
    "Throttling": Verdict.NOT_ACCEPTED,
    "MailFromDomainNotVerifiedException": Verdict.SENDER_FAULT,
    "NotFoundException": Verdict.SENDER_FAULT,  # no such configuration set
    "AccessDeniedException": Verdict.UNAVAILABLE,
    "UnrecognizedClientException": Verdict.UNAVAILABLE,
    "InvalidClientTokenId": Verdict.UNAVAILABLE,
    "InvalidSignatureException": Verdict.UNAVAILABLE,
    "SignatureDoesNotMatch": Verdict.UNAVAILABLE,
    "IncompleteSignature": Verdict.UNAVAILABLE,
    "MissingAuthenticationToken": Verdict.UNAVAILABLE,
    "MissingAuthenticationTokenException": Verdict.UNAVAILABLE,
    "ExpiredTokenException": Verdict.UNAVAILABLE,
    "RequestExpired": Verdict.UNAVAILABLE,
    "OptInRequired": Verdict.UNAVAILABLE,
}
"""Error types of a request (`x-amzn-errortype`); they outrank the HTTP status."""

STATUSES: Mapping[str, Verdict] = {
    "SUCCESS": Verdict.ACCEPTED,
    "MESSAGE_REJECTED": Verdict.REJECTED,
    "INVALID_PARAMETER": Verdict.REJECTED,
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": Verdict.SENDER_FAULT,
    "CONFIGURATION_SET_NOT_FOUND": Verdict.SENDER_FAULT,
    "TEMPLATE_NOT_FOUND": Verdict.SENDER_FAULT,
    "INVALID_SENDING_POOL_NAME": Verdict.SENDER_FAULT,
    "ACCOUNT_SUSPENDED": Verdict.UNAVAILABLE,
    "ACCOUNT_SENDING_PAUSED": Verdict.UNAVAILABLE,
    "CONFIGURATION_SET_SENDING_PAUSED": Verdict.UNAVAILABLE,
    "ACCOUNT_THROTTLED": Verdict.NOT_ACCEPTED,
    "ACCOUNT_DAILY_QUOTA_EXCEEDED": Verdict.NOT_ACCEPTED,
    "TRANSIENT_FAILURE": Verdict.NOT_ACCEPTED,
    "FAILED": Verdict.NOT_ACCEPTED,
}
"""Statuses in `BulkEmailEntryResults`."""

UNKNOWN_STATUS = Verdict.IN_DOUBT
"""A status that is not in the table may mean anything."""

NOT_VERIFIED = "not verified"
"""SES says MessageRejected with these words for an identity, and lists which ones."""
