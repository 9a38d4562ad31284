from pathlib import Path

import pytest

from shared.errors import ConfigurationError
from tests.infra.synthesis import Synthesis, synthesise


def test_the_rest_api_has_these_paths_and_no_other(prod: Synthesis) -> None:
    resources = prod.all("AWS::ApiGateway::Resource")

    def path(logical_id: str) -> str:
        properties = resources[logical_id]["Properties"]
        parent = properties["ParentId"]
        above = path(parent["Ref"]) if "Ref" in parent else ""
        return f"{above}/{properties['PathPart']}"

    methods = {
        (
            method["HttpMethod"],
            path(method["ResourceId"]["Ref"]) if "Ref" in method["ResourceId"] else "/",
        )
        for method in prod.properties("AWS::ApiGateway::Method")
    }
    assert methods == {
        ("ANY", "/"),
        ("ANY", "/docs"),
        ("ANY", "/docs/{proxy+}"),
        ("ANY", "/v1/{proxy+}"),
    }


def test_imports_reach_the_function_as_the_bytes_they_are(prod: Synthesis) -> None:
    (api,) = prod.properties("AWS::ApiGateway::RestApi")
    assert api["BinaryMediaTypes"] == ["text/csv", "multipart/form-data"]


def test_the_http_apis_have_these_routes_and_no_other(prod: Synthesis) -> None:
    routes = {route["RouteKey"] for route in prod.properties("AWS::ApiGatewayV2::Route")}
    pages = {f"{method} /{page}/{{token}}" for method in ("GET", "HEAD", "POST") for page in "upcs"}
    assert routes == {"POST /webhooks/{provider}"} | pages


def test_every_gateway_is_throttled(any_stage: Synthesis) -> None:
    (rest,) = any_stage.properties("AWS::ApiGateway::Stage")
    (settings,) = rest["MethodSettings"]
    assert settings["ThrottlingRateLimit"] > 0
    assert settings["DataTraceEnabled"] is False
    http = any_stage.properties("AWS::ApiGatewayV2::Stage")
    assert len(http) == 2
    for stage in http:
        assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0


def test_prod_has_firewalls_and_the_others_none(prod: Synthesis, local: Synthesis) -> None:
    scopes = sorted(acl["Scope"] for acl in prod.properties("AWS::WAFv2::WebACL"))
    assert scopes == ["CLOUDFRONT", "REGIONAL"]
    assert len(prod.all("AWS::WAFv2::WebACLAssociation")) == 1
    (edge,) = prod.properties("AWS::CloudFront::Distribution")
    assert edge["DistributionConfig"]["WebACLId"]
    for kind in ("AWS::WAFv2::WebACL", "AWS::CloudFront::Distribution"):
        assert not local.all(kind)


def test_prod_elsewhere_asks_for_a_web_acl_in_us_east_1(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cloudfront_acl_arn"):
        synthesise("prod", tmp_path, region="eu-west-1")


def test_outputs_tell_where_everything_is(any_stage: Synthesis) -> None:
    outputs = set(any_stage.template["Outputs"])
    assert outputs >= {
        *("ApiId", "WebhooksApiId", "PublicApiId", "ApiUrl", "WebhooksUrl", "PublicUrl"),
        *("BulkQueueUrl", "TransactionalQueueUrl", "JobsQueueUrl", "SesEventsQueueUrl"),
        *("FilesBucket", "ApiFunction", "WarmingCronFunction"),
    }
