"""One file per noun."""

from functions.api.routes.addresses import addresses, audience_settings
from functions.api.routes.audit import audit
from functions.api.routes.campaigns import campaigns
from functions.api.routes.exports import exports
from functions.api.routes.health import health
from functions.api.routes.imports import imports
from functions.api.routes.keys import keys
from functions.api.routes.lists import lists
from functions.api.routes.messages import messages
from functions.api.routes.page_settings import page_settings
from functions.api.routes.privacy import erasures, person
from functions.api.routes.recipients import recipients
from functions.api.routes.retention import retention
from functions.api.routes.routing import routing
from functions.api.routes.segments import segments
from functions.api.routes.sender_domains import sender_domains
from functions.api.routes.sending import sending
from functions.api.routes.settings import settings
from functions.api.routes.settlements import settlements
from functions.api.routes.snapshots import snapshots
from functions.api.routes.subscribers import subscribers
from functions.api.routes.suppression_files import suppression_files
from functions.api.routes.suppressions import suppressions
from functions.api.routes.templates import templates

NOUNS = (
    subscribers,
    person,
    erasures,
    imports,
    exports,
    suppressions,
    suppression_files,
    addresses,
    lists,
    segments,
    snapshots,
    templates,
    sender_domains,
    campaigns,
    recipients,
    messages,
    settlements,
    routing,
    sending,
    settings,
    audience_settings,
    page_settings,
    retention,
    keys,
    audit,
    health,
)
