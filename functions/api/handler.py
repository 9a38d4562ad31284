"""The REST API's Lambda."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.api.app import as_answer, log_unexpected
from functions.api.problems import problem_of
from functions.api.wiring import api, logger
from shared.errors import TidepostError


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answers one request of API Gateway's REST proxy integration."""
    try:
        application = api()
    except TidepostError as error:  # the deployment is not usable: say so, and let the next try
        log_unexpected(logger(), error, context.aws_request_id)
        return as_answer(problem_of(error), context.aws_request_id)
    return application.handle(event, context)
