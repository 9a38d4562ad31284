"""One tree of errors, with stable codes and messages that help."""

from __future__ import annotations

from shared import errors
from shared.errors import (
    FieldProblem,
    InvalidInput,
    NotFound,
    RateLimited,
    TemplateInvalid,
    TidepostError,
)

CODES = {
    "already-exists",
    "bad-payload",
    "bad-signature",
    "configuration-error",
    "confirmation-required",
    "conflict",
    "dependency-unavailable",
    "forbidden",
    "forged-token",
    "internal-error",
    "invalid-input",
    "not-found",
    "rate-limited",
    "stale-write",
    "template-invalid",
    "unauthenticated",
    "webhook-rejected",
    "wrong-state",
}


def test_every_error_is_of_one_tree_and_has_a_code_of_its_own() -> None:
    classes = [
        one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, Exception)
    ]
    ours = [one for one in classes if issubclass(one, TidepostError)]
    assert ours == classes
    codes = [one.code for one in ours]
    assert len(codes) == len(set(codes))
    assert set(codes) == CODES


def test_invalid_input_names_every_field() -> None:
    one = InvalidInput(FieldProblem("name", "is empty"))
    assert one.problems == (FieldProblem("name", "is empty"),)
    both = InvalidInput([FieldProblem("name", "is empty"), FieldProblem("lists.0", "is unknown")])
    assert str(both) == "name: is empty; lists.0: is unknown"


def test_a_template_error_names_the_part_and_the_line() -> None:
    assert str(TemplateInvalid("html", "loops", 3)) == "html (line 3): loops"
    assert str(TemplateInvalid("subject", "is empty")) == "subject: is empty"


def test_what_is_not_there_and_when_to_come_back_can_be_read() -> None:
    missing = NotFound("list", "lst_1")
    assert (missing.kind, missing.identifier) == ("list", "lst_1")
    assert "lst_1" in str(missing)
    assert RateLimited("too many requests", 7).retry_after == 7
