"""The api function and the REST API in front of it."""

from __future__ import annotations

import json

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import limits
from infra.firewall import Firewall
from infra.gateways import REST_LOG, access_log
from infra.nag import acknowledge
from infra.python_function import PythonFunction
from infra.roles import Resources
from infra.stages import Stage

_BINARY = ["text/csv", "multipart/form-data"]  # an import may be in any encoding


class Api(Construct):
    """functions/api behind `/`, `/docs` and `/v1/...`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        resources: Resources,
        layer: lambda_.ILayerVersion,
    ) -> None:
        super().__init__(scope, construct_id)
        stage = resources.stage
        self.python = PythonFunction(
            self, "Python", name="api", limits=limits.API, resources=resources, layer=layer
        )
        self.rest = self._rest(stage)
        integration = apigateway.LambdaIntegration(self.python.function, allow_test_invoke=False)
        root = self.rest.root
        root.add_method("ANY", integration)
        docs = root.add_resource("docs")
        docs.add_method("ANY", integration)
        docs.add_resource("{proxy+}").add_method("ANY", integration)
        root.add_resource("v1").add_resource("{proxy+}").add_method("ANY", integration)
        if stage.firewall:
            Firewall(self, "Firewall", name=f"{stage.prefix}-api").protect(
                self.rest.deployment_stage
            )
        self._acknowledge(stage)

    def _rest(self, stage: Stage) -> apigateway.RestApi:
        return apigateway.RestApi(
            self,
            "Rest",
            rest_api_name=f"{stage.prefix}-api",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            binary_media_types=_BINARY,
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=stage.removal,
            deploy_options=apigateway.StageOptions(
                stage_name=stage.name,
                throttling_rate_limit=stage.requests_per_second,
                throttling_burst_limit=stage.request_burst,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,
                metrics_enabled=True,
                tracing_enabled=stage.observed,
                access_log_destination=apigateway.LogGroupLogDestination(
                    access_log(self, "api", stage)
                ),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(REST_LOG)),
            ),
        )

    def _acknowledge(self, stage: Stage) -> None:
        reasons = {
            "AwsSolutions-APIG2": "Powertools validates in the function, and names the field.",
            "AwsSolutions-APIG4": "The function checks Tidepost's own API keys: scoped, hashed.",
            "AwsSolutions-COG4": "Callers are programs with API keys, there is no user pool.",
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
            "AmazonAPIGatewayPushToCloudWatchLogs]": "API Gateway's own policy, for one role that "
            "the whole account shares.",
        }
        if not stage.firewall:
            reasons["AwsSolutions-APIG3"] = "The firewall is prod's; it costs by the month."
        acknowledge(self.rest, reasons)
