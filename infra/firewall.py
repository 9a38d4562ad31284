"""A WAF web ACL: AWS's common rules, and a limit per source address."""

from __future__ import annotations

from typing import Literal

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

_REQUESTS_PER_FIVE_MINUTES = 10_000  # of one source address


class Firewall(Construct):
    """A web ACL, for a regional gateway or for CloudFront (then in us-east-1)."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        kind: Literal["REGIONAL", "CLOUDFRONT"] = "REGIONAL",
    ) -> None:
        super().__init__(scope, construct_id)
        self._acl = wafv2.CfnWebACL(
            self,
            "Acl",
            name=name,
            scope=kind,
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visibility(name),
            rules=[_common(), _rate()],
        )

    @property
    def arn(self) -> str:
        """The web ACL's ARN."""
        return self._acl.attr_arn

    def protect(self, stage: apigateway.Stage) -> None:
        """Puts the web ACL in front of a REST API's stage."""
        wafv2.CfnWebACLAssociation(
            self, "Association", resource_arn=stage.stage_arn, web_acl_arn=self.arn
        )


def _common() -> wafv2.CfnWebACL.RuleProperty:
    return wafv2.CfnWebACL.RuleProperty(
        name="common",
        priority=0,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        visibility_config=_visibility("common"),
        statement=wafv2.CfnWebACL.StatementProperty(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name="AWSManagedRulesCommonRuleSet",
                # Imports are larger than 8 KB, and templates are HTML by nature:
                # these two count what they see and block nothing.
                rule_action_overrides=[
                    wafv2.CfnWebACL.RuleActionOverrideProperty(
                        name=rule, action_to_use=wafv2.CfnWebACL.RuleActionProperty(count={})
                    )
                    for rule in ("SizeRestrictions_BODY", "CrossSiteScripting_BODY")
                ],
            )
        ),
    )


def _rate() -> wafv2.CfnWebACL.RuleProperty:
    return wafv2.CfnWebACL.RuleProperty(
        name="rate",
        priority=1,
        action=wafv2.CfnWebACL.RuleActionProperty(block={}),
        visibility_config=_visibility("rate"),
        statement=wafv2.CfnWebACL.StatementProperty(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP", limit=_REQUESTS_PER_FIVE_MINUTES
            )
        ),
    )


def _visibility(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
