"""The webhooks function: takes in what the ESPs report, over HTTPS and from SES by queue."""

from __future__ import annotations

from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import limits
from infra.gateways import HttpGateway
from infra.python_function import PythonFunction
from infra.roles import Resources


class Webhooks(Construct):
    """functions/webhooks behind `POST /webhooks/{provider}` and the ses-events queue."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        resources: Resources,
        layer: lambda_.ILayerVersion,
    ) -> None:
        super().__init__(scope, construct_id)
        self.python = PythonFunction(
            self,
            "Python",
            name="webhooks",
            limits=limits.WEBHOOKS,
            resources=resources,
            layer=layer,
        )
        lambda_.EventSourceMapping(
            self,
            "SesEvents",
            target=self.python.function,
            event_source_arn=resources.queues.by_name["ses-events"].queue_arn,
            batch_size=10,
            max_concurrency=resources.stage.event_concurrency,
            report_batch_item_failures=True,
        )
        self.gateway = HttpGateway(
            self,
            "Gateway",
            name="webhooks",
            stage=resources.stage,
            function=self.python.function,
            routes=((gateway.HttpMethod.POST, "/webhooks/{provider}"),),
            open_because="ESPs cannot authenticate to AWS: the function verifies their signatures.",
        )
