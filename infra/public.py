"""The public function: what recipients open from their mail."""

from __future__ import annotations

from itertools import product

from aws_cdk import Fn, Stack
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import limits
from infra.firewall import Firewall
from infra.gateways import HttpGateway
from infra.nag import acknowledge
from infra.python_function import PythonFunction
from infra.roles import Resources
from shared.errors import ConfigurationError

_CLOUDFRONT_REGION = "us-east-1"
_METHODS = (gateway.HttpMethod.GET, gateway.HttpMethod.HEAD, gateway.HttpMethod.POST)
_PAGES = ("/u/{token}", "/p/{token}", "/c/{token}", "/s/{token}")


class Public(Construct):
    """functions/public behind a path per page; with a firewall, behind CloudFront.

    Args:
        cloudfront_acl_arn: a web ACL of kind CLOUDFRONT that an operator made.
            WAF keeps those in us-east-1 only; a stack there makes its own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        resources: Resources,
        layer: lambda_.ILayerVersion,
        cloudfront_acl_arn: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self.python = PythonFunction(
            self, "Python", name="public", limits=limits.PUBLIC, resources=resources, layer=layer
        )
        self.gateway = HttpGateway(
            self,
            "Gateway",
            name="public",
            stage=resources.stage,
            function=self.python.function,
            routes=tuple(product(_METHODS, _PAGES)),
            open_because="Recipients have no account: the token in the link is the authority.",
        )
        self.url = self.gateway.api.api_endpoint
        if resources.stage.firewall:
            edge = self._edge(resources, cloudfront_acl_arn or self._own_acl(resources))
            self.url = f"https://{edge.distribution_domain_name}"

    def _own_acl(self, resources: Resources) -> str:
        region = Stack.of(self).region
        if region != _CLOUDFRONT_REGION:
            raise ConfigurationError(
                f"the stack is in {region}, but WAF keeps web ACLs for CloudFront in "
                f"{_CLOUDFRONT_REGION} only: make one there and pass its ARN with "
                "-c cloudfront_acl_arn=..."
            )
        return Firewall(
            self, "Firewall", name=f"{resources.stage.prefix}-public", kind="CLOUDFRONT"
        ).arn

    def _edge(self, resources: Resources, acl_arn: str) -> cloudfront.Distribution:
        # An endpoint is https://<host>; CloudFront wants the host.
        host = Fn.select(2, Fn.split("/", self.gateway.api.api_endpoint))
        edge = cloudfront.Distribution(
            self,
            "Edge",
            comment=f"{resources.stage.prefix} public pages",
            web_acl_id=acl_arn,
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.HttpOrigin(host),
                allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
            ),
        )
        acknowledge(
            edge,
            {
                "AwsSolutions-CFR1": "Recipients may unsubscribe from anywhere.",
                "AwsSolutions-CFR3": "CloudFront's log has paths, and those hold recipients' "
                "tokens; the gateway behind it logs each request without them.",
                "AwsSolutions-CFR4": "CloudFront's own certificate stands until an operator "
                "brings a domain.",
            },
        )
        return edge
