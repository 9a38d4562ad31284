"""One stage of Tidepost: joins the constructs and owns no resource itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aws_cdk import Aws, CfnOutput, Stack
from constructs import Construct

from infra.aggregator import Aggregator
from infra.api import Api
from infra.dispatcher import Dispatcher
from infra.files import Files
from infra.jobs import Jobs
from infra.monitoring import Monitoring
from infra.parameters import Parameters, own_ses
from infra.public import Public
from infra.python_function import PackageLayer, PythonFunction
from infra.queues import Queues, SesEvents, ses_topic_name
from infra.roles import Resources, provider_secrets
from infra.scheduler import Scheduler
from infra.secret_store import SecretStore
from infra.stages import Stage
from infra.tables import Tables
from infra.warming_cron import WarmingCron
from infra.webhooks import Webhooks
from shared.config import Deployment, Providers, SesProvider, WarmingSchedules, delivery_rules


@dataclass(frozen=True, slots=True)
class Choices:
    """What an operator may choose; empty texts mean the default.

    `public_url` defaults to the address of this stack's public pages.
    `cloudfront_acl_arn` is needed where a stage with a firewall is not in
    us-east-1. `dns_servers` are `address:port`. `upload_origins`
    are those of web pages that may upload files. `deployment` holds further
    fields of `Deployment`, as text.
    """

    providers: Path
    warming_schedule: Path
    delivery_rules: Path
    public_url: str = ""
    alarm_email: str = ""
    cloudfront_acl_arn: str = ""
    dns_servers: tuple[str, ...] = ()
    upload_origins: tuple[str, ...] = ()
    deployment: Mapping[str, str] = field(default_factory=dict)


class TidepostStack(Stack):
    """All of one stage."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, choices: Choices, **kwargs: Any
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        written = Providers.parse(choices.providers.read_text(encoding="utf-8"))
        configuration_set = stage.prefix
        providers = own_ses(
            written,
            configuration_set=configuration_set,
            topic_arn=f"arn:{Aws.PARTITION}:sns:{Aws.REGION}:{Aws.ACCOUNT_ID}:"
            f"{ses_topic_name(stage)}",
        )
        resources = Resources(
            stage=stage,
            tables=Tables(self, "Tables", stage=stage),
            queues=Queues(self, "Queues", stage=stage),
            files=Files(self, "Files", stage=stage, upload_origins=choices.upload_origins),
            providers=providers,
        )
        SesEvents(
            self,
            "SesEvents",
            stage=stage,
            queue=resources.queues.by_name["ses-events"],
            configuration_sets=sorted(
                {
                    provider.configuration_set or configuration_set
                    for provider in written.providers
                    if isinstance(provider, SesProvider) and not provider.topic_arns
                }
            ),
        )
        SecretStore(self, "Secrets", stage=stage, provider_secrets=provider_secrets(providers))
        layer = PackageLayer(self, "Packages", stage=stage)
        api = Api(self, "Api", resources=resources, layer=layer)
        webhooks = Webhooks(self, "Webhooks", resources=resources, layer=layer)
        public = Public(
            self,
            "Public",
            resources=resources,
            layer=layer,
            cloudfront_acl_arn=choices.cloudfront_acl_arn,
        )
        functions = [
            api.python,
            webhooks.python,
            public.python,
            Jobs(self, "Jobs", resources=resources, layer=layer).python,
            Scheduler(self, "Scheduler", resources=resources, layer=layer).python,
            Dispatcher(self, "Dispatcher", resources=resources, layer=layer).python,
            Aggregator(self, "Aggregator", resources=resources, layer=layer).python,
            WarmingCron(self, "WarmingCron", resources=resources, layer=layer).python,
        ]
        Parameters(
            self,
            "Parameters",
            stage=stage,
            providers=providers,
            deployment=Deployment.parse(
                json.dumps(
                    {
                        "public_url": choices.public_url or public.url,
                        "dns_servers": choices.dns_servers,
                        **choices.deployment,
                    }
                )
            ),
            rules=delivery_rules(choices.delivery_rules.read_text(encoding="utf-8"), providers),
            schedule=WarmingSchedules.parse(choices.warming_schedule.read_text(encoding="utf-8")),
        )
        Monitoring(
            self,
            "Monitoring",
            stage=stage,
            queues=resources.queues.by_name,
            functions=functions,
            email=choices.alarm_email,
        )
        self._outputs(resources, api, webhooks, public, functions)

    def _outputs(
        self,
        resources: Resources,
        api: Api,
        webhooks: Webhooks,
        public: Public,
        functions: list[PythonFunction],
    ) -> None:
        queues = resources.queues.by_name
        outputs = {
            "ApiId": api.rest.rest_api_id,
            "WebhooksApiId": webhooks.gateway.api.api_id,
            "PublicApiId": public.gateway.api.api_id,
            "ApiUrl": api.rest.url,
            "WebhooksUrl": webhooks.gateway.api.api_endpoint,
            "PublicUrl": public.url,
            "FilesBucket": resources.files.bucket.bucket_name,
            "BulkQueueUrl": queues["bulk"].queue_url,
            "TransactionalQueueUrl": queues["transactional"].queue_url,
            "JobsQueueUrl": queues["jobs"].queue_url,
            "SesEventsQueueUrl": queues["ses-events"].queue_url,
        }
        for function in functions:
            camel = "".join(part.capitalize() for part in function.name.split("_"))
            outputs[f"{camel}Function"] = function.function.function_name
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
