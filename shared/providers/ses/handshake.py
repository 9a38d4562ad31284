"""Confirming an SNS subscription, through the SNS API and never by a URL from a message."""

from __future__ import annotations

from collections.abc import Callable

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.errors import BadPayload, ConfigurationError, DependencyUnavailable

Confirm = Callable[[str, str], None]
"""From TopicArn and Token; returns when the subscription is confirmed."""

_FORBIDDEN, _TOO_MANY, _SERVER_FAULT = 403, 429, 500


def sns_confirm(region: str, base_url: str) -> Confirm:
    """Confirms with SNS in `region`, or at `base_url` if it is not empty.

    The client is made when it is first needed: once in a subscription's life.
    """

    def confirm(topic_arn: str, token: str) -> None:
        # Confirming twice is harmless, so here one retry is safe.
        config = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
        client = boto3.client(
            "sns", region_name=region, endpoint_url=base_url or None, config=config
        )
        try:
            # Else anybody who sees a notification could unsubscribe us by its UnsubscribeURL.
            client.confirm_subscription(
                TopicArn=topic_arn, Token=token, AuthenticateOnUnsubscribe="true"
            )
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == _FORBIDDEN:
                raise ConfigurationError(
                    "SNS refuses sns:ConfirmSubscription to the webhooks function; allow it for"
                    " the provider's topic_arns"
                ) from error
            if status == _TOO_MANY or status >= _SERVER_FAULT:
                raise DependencyUnavailable("SNS did not confirm the subscription") from error
            raise BadPayload(
                "SNS did not take the subscription's token; it may have expired: subscribe again"
            ) from error
        except BotoCoreError as error:
            raise DependencyUnavailable("SNS did not answer in time") from error
        finally:
            client.close()

    return confirm
