"""Where a resource departs from cdk-nag's rules, with the reason beside the resource."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Acknowledgment, Aws, CfnElement, Stack, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accepts findings on a construct and all below it.

    Args:
        construct: where the findings are.
        reasons: by id of the rule or, for IAM, of the finding:
            `AwsSolutions-IAM5[Resource::...]`.
    """
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=rule, reason=reason) for rule, reason in reasons.items())
    )


def wildcard(resource: str, *, of: IConstruct | None = None) -> str:
    """The id of the finding that a policy names a resource with a wildcard.

    Args:
        resource: the ARN as the policy has it or, with `of`, what follows the
            ARN of that resource of the stack.
        of: a resource whose ARN stands before.
    """
    if of is not None:
        element = of.node.default_child
        if not isinstance(element, CfnElement):
            raise TypeError(f"{of.node.path} is not made of one resource")
        resource = f"<{Stack.of(of).get_logical_id(element)}.Arn>{resource}"
    for token, name in (
        (Aws.PARTITION, "<AWS::Partition>"),
        (Aws.ACCOUNT_ID, "<AWS::AccountId>"),
        (Aws.REGION, "<AWS::Region>"),
    ):
        resource = resource.replace(token, name)
    return f"AwsSolutions-IAM5[Resource::{resource}]"
