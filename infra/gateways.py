"""What the three gateways have in common: an access log that names nobody."""

from __future__ import annotations

import json

from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.nag import acknowledge
from infra.stages import Stage

# Route patterns and not paths (tokens stand in those), and no source address.
REST_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "method": "$context.httpMethod",
    "route": "$context.resourcePath",
    "status": "$context.status",
    "latency": "$context.responseLatency",
    "bytes": "$context.responseLength",
}
_HTTP_LOG = {**REST_LOG, "route": "$context.routeKey"}


def access_log(scope: Construct, name: str, stage: Stage) -> logs.LogGroup:
    """A log group for a gateway.

    The `/aws/vendedlogs` prefix spares CloudWatch's resource policy, which has
    room for few groups.
    """
    return logs.LogGroup(
        scope,
        "AccessLog",
        log_group_name=f"/aws/vendedlogs/{stage.prefix}-{name}",
        retention=stage.log_retention,
        removal_policy=stage.removal,
    )


class HttpGateway(Construct):
    """An HTTP API in front of one function, throttled as a whole.

    `routes` are (method, path) pairs; any other request is a 404 of the gateway.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        stage: Stage,
        function: lambda_.IFunction,
        routes: tuple[tuple[gateway.HttpMethod, str], ...],
        open_because: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self.api = gateway.HttpApi(
            self, "Api", api_name=f"{stage.prefix}-{name}", create_default_stage=False
        )
        http_stage = gateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=gateway.ThrottleSettings(
                rate_limit=stage.requests_per_second, burst_limit=stage.request_burst
            ),
        )
        _log_access(http_stage, access_log(self, name, stage))
        integration = integrations.HttpLambdaIntegration("Function", function)
        for method, path in routes:
            self.api.add_routes(path=path, methods=[method], integration=integration)
        acknowledge(self.api, {"AwsSolutions-APIG4": open_because})


def _log_access(stage: gateway.HttpStage, log_group: logs.ILogGroup) -> None:
    """Set on the resource itself: the construct's own way needs an interface of four methods."""
    resource = stage.node.default_child
    if not isinstance(resource, gateway.CfnStage):
        raise TypeError(f"{stage.node.path} is not made of one AWS::ApiGatewayV2::Stage")
    resource.access_log_settings = gateway.CfnStage.AccessLogSettingsProperty(
        destination_arn=log_group.log_group_arn, format=json.dumps(_HTTP_LOG)
    )
