"""Every error Tidepost raises on purpose, in one tree.

::

    TidepostError
    ├── InvalidInput              what a caller sent is wrong; names the fields
    │   └── TemplateInvalid       a template does not compile or render; names part and line
    ├── Unauthenticated           no API key, or none that we know
    ├── Forbidden                 the key lacks the scope
    ├── RateLimited               the key has used up its requests; says when to come back
    ├── NotFound                  nothing of that id in this workspace
    ├── Conflict                  the request does not fit the present state
    │   ├── AlreadyExists         an item of that name or id is there already
    │   ├── WrongState            e.g. launching a campaign twice
    │   └── ConfirmationRequired  a launch to very many people; say that it is meant
    ├── StaleWrite                somebody else wrote first: read again, then decide
    ├── ForgedToken               an id or token whose MAC does not verify
    ├── WebhookRejected
    │   ├── BadSignature          answered with 401
    │   └── BadPayload            answered with 400 or 413
    ├── ConfigurationError        the deployment is set up wrongly; an operator must act
    └── DependencyUnavailable     AWS or an ESP did not answer; the work will be tried again

A message says what was wrong, where, and what to do. It never holds an
address, a token or a secret, since messages are logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class TidepostError(Exception):
    """Root of the tree. `code` is stable and part of the API (problem `type`)."""

    code = "internal-error"


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with one field. `field` is a path such as `sender.email`."""

    field: str
    reason: str


class InvalidInput(TidepostError):
    """What a caller sent is wrong. `problems` names each field."""

    code = "invalid-input"

    def __init__(self, problems: Sequence[FieldProblem] | FieldProblem) -> None:
        self.problems: tuple[FieldProblem, ...] = (
            (problems,) if isinstance(problems, FieldProblem) else tuple(problems)
        )
        super().__init__("; ".join(f"{p.field}: {p.reason}" for p in self.problems))


class TemplateInvalid(InvalidInput):
    """A template does not compile, loops for ever or renders something unsafe."""

    code = "template-invalid"

    def __init__(self, part: str, reason: str, line: int | None = None) -> None:
        self.part = part
        self.line = line
        where = part if line is None else f"{part} (line {line})"
        super().__init__(FieldProblem(where, reason))


class Unauthenticated(TidepostError):
    """No API key was sent, or none that is known and active."""

    code = "unauthenticated"


class Forbidden(TidepostError):
    """The API key is good but lacks the scope that the call needs."""

    code = "forbidden"


class RateLimited(TidepostError):
    """The caller has used up its requests. `retry_after` is in whole seconds."""

    code = "rate-limited"

    def __init__(self, message: str, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class NotFound(TidepostError):
    """Nothing of that kind and id exists in the caller's workspace."""

    code = "not-found"

    def __init__(self, kind: str, identifier: str) -> None:
        self.kind = kind
        self.identifier = identifier
        super().__init__(f"there is no {kind} {identifier!r} in this workspace")


class Conflict(TidepostError):
    """The request is well formed but does not fit the present state."""

    code = "conflict"


class AlreadyExists(Conflict):
    """An item of that id or name is there already."""

    code = "already-exists"


class WrongState(Conflict):
    """The item's state does not allow this, e.g. launching a campaign twice."""

    code = "wrong-state"


class ConfirmationRequired(Conflict):
    """A launch that would reach more people than the workspace lets pass unasked."""

    code = "confirmation-required"

    def __init__(self, recipients: int, ask_above: int) -> None:
        self.recipients = recipients
        super().__init__(
            f"this would go to about {recipients} people, more than the {ask_above} above which"
            f' the workspace asks; send {{"confirm_recipients": {recipients}}} if it is meant'
        )


class StaleWrite(TidepostError):
    """A conditional write lost: somebody else wrote first."""

    code = "stale-write"


class ForgedToken(TidepostError):
    """A message id or link token does not carry a MAC of ours."""

    code = "forged-token"


class WebhookRejected(TidepostError):
    """A webhook call is not taken in."""

    code = "webhook-rejected"


class BadSignature(WebhookRejected):
    """The webhook's signature or credential is missing, malformed or wrong."""

    code = "bad-signature"


class BadPayload(WebhookRejected):
    """The webhook's body is not what this ESP sends."""

    code = "bad-payload"


class ConfigurationError(TidepostError):
    """The deployment is set up wrongly; the message says what an operator must do."""

    code = "configuration-error"


class DependencyUnavailable(TidepostError):
    """AWS or an ESP did not answer in time; the work is tried again later."""

    code = "dependency-unavailable"
