"""Files of other products, as they come."""

import json

import pytest

from shared.audience.importers.foreign import attribute_name
from shared.audience.model import ListState, SuppressionReason
from shared.audience.rows import FileFormat
from shared.errors import InvalidInput
from shared.jobs import Job
from tests.shared.audience.world import World

SUBSCRIBED, UNSUBSCRIBED = ListState.SUBSCRIBED, ListState.UNSUBSCRIBED
NDJSON = "application/x-ndjson"

MAILCHIMP_HEAD = (
    '"Email Address","First Name","Größe (cm)",MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,'
    "CONFIRM_IP,LATITUDE,LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES"
)
MAILCHIMP_REST = (
    '2,"2024-05-01 10:00:00",1.2.3.4,"2024-05-01 10:00:05",1.2.3.4,52.5,13.4,1,2,'
    'Europe/berlin,DE,BE,"2024-05-02 10:00:00",100,abc,""'
)


def mailchimp(world: World, kind: str, *list_ids: str) -> Job:
    extra = {
        "subscribed": ("", ""),
        "unsubscribed": (
            ",UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER",
            ',"2024-06-01 09:00:00",News,c1,"NORMAL",""',
        ),
        "cleaned": (
            ",CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID",
            ',"2024-06-02 09:00:00",News,c1',
        ),
    }[kind]
    body = (
        f"{MAILCHIMP_HEAD}{extra[0]},TAGS\n"
        f"{kind}@example.com,Ann,170,{MAILCHIMP_REST}{extra[1]},"
        '"""VIP"",""Friend of A"""\n'
    )
    return world.run_import(world.upload(body, *list_ids, product="mailchimp"))


def test_mailchimps_three_files() -> None:
    world = World()
    news = world.a_list()
    for kind in ("subscribed", "unsubscribed", "cleaned"):
        assert mailchimp(world, kind, news).progress["created"] == 1
    ann = world.stored("subscribed@example.com")
    assert ann.lists == {news: SUBSCRIBED}
    assert ann.tags == ("VIP", "Friend of A")
    assert ann.time_zone == "Europe/Berlin"
    assert ann.attributes == {
        "first_name": "Ann",
        "grosse_cm": "170",
        "member_rating": "2",
        "optin_time": "2024-05-01T10:00:00Z",
        "optin_ip": "1.2.3.4",
        "confirm_time": "2024-05-01T10:00:05Z",
        "confirm_ip": "1.2.3.4",
        "country": "DE",
        "region": "BE",
    }
    left = world.stored("unsubscribed@example.com")
    assert (left.lists, left.suppressed) == ({news: UNSUBSCRIBED}, None)
    assert left.attributes["unsub_reason"] == "NORMAL"
    gone = world.stored("cleaned@example.com")
    assert (gone.lists, gone.suppressed) == ({}, SuppressionReason.HARD_BOUNCE)
    assert world.members(news) == {ann.id}
    assert world.suppressions.get(world.ws, gone.id)


def test_who_left_mailchimp_and_no_list_is_named_is_suppressed() -> None:
    world = World()
    mailchimp(world, "unsubscribed")
    assert world.stored("unsubscribed@example.com").suppressed is SuppressionReason.UNSUBSCRIBED


@pytest.mark.parametrize("policy", ["merge", "overwrite", "skip"])
def test_an_opt_out_of_a_file_counts_under_every_policy(policy: str) -> None:
    world = World()
    news = world.a_list()
    world.add("a@example.com", news)
    world.add("b@example.com", news)
    body = (
        "Email Address,First Name,status\n"
        "a@example.com,A,unsubscribed\nb@example.com,B,cleaned\nc@example.com,C,transactional\n"
        "d@example.com,D,pending\n"
    )
    for _ in range(2):
        world.run_import(world.upload(body, news, product="mailchimp", policy=policy))
    assert world.stored("a@example.com").lists == {news: UNSUBSCRIBED}
    assert world.stored("b@example.com").suppressed is SuppressionReason.HARD_BOUNCE
    assert world.stored("c@example.com").lists == {}
    assert world.stored("d@example.com").lists == {news: ListState.PENDING}
    assert world.members(news) == {world.id_of("b@example.com"), world.id_of("d@example.com")}


def test_columns_that_come_to_the_same_name_get_numbers() -> None:
    world = World()
    body = "Email Address,A-B,A B,A_B\na@example.com,1,2,3\n"
    world.run_import(world.upload(body, product="mailchimp"))
    assert world.stored("a@example.com").attributes == {"a_b": "1", "a_b_2": "2", "a_b_3": "3"}


LISTMONK_CSV = (
    "uuid,email,name,attributes,status,created_at,updated_at\n"
    'u1,ann@example.com,Ann,"{""city"": ""Ulm"", ""plan"": {""name"": ""pro""}, '
    '""likes"": [""a"", ""b""], ""age"": 41, ""vip"": true, ""none"": null}",enabled,x,y\n'
    "u2,bob@example.com,Bob,{},blocklisted,x,y\n"
    "u3,dis@example.com,Dis,{},disabled,x,y\n"
    "u4,bad@example.com,Bad,{nope,enabled,x,y\n"
    "u5,odd@example.com,Odd,{},retired,x,y\n"
)


def test_listmonks_csv() -> None:
    world = World()
    news = world.a_list()
    job = world.run_import(world.upload(LISTMONK_CSV, news, product="listmonk"))
    ann = world.stored("ann@example.com")
    assert ann.attributes == {
        "name": "Ann", "city": "Ulm", "plan_name": "pro", "likes": ["a", "b"], "age": 41,
        "vip": True,
    }  # fmt: skip
    assert ann.lists == {news: SUBSCRIBED}
    assert world.stored("bob@example.com").suppressed is SuppressionReason.MANUAL
    assert world.stored("dis@example.com").suppressed is SuppressionReason.UNSUBSCRIBED
    assert world.members(news) == {ann.id}
    assert job.progress["rejected"] == 2


def test_listmonks_objects_bring_the_state_on_each_list() -> None:
    world = World()
    news, offers = world.a_list(), world.a_list()
    states = {
        "ann": [("News", 1, "confirmed", "double"), ("Offers", 2, "unsubscribed", "single")],
        "bob": [("News", 1, "unconfirmed", "double"), ("Offers", 2, "unconfirmed", "single")],
        "left": [("Other", 3, "unsubscribed", "single")],
        "none": [],
    }
    lines = "\n".join(
        json.dumps(
            {
                "id": 1, "email": f"{name}@example.com", "name": "", "attribs": {"x": 1},
                "status": "enabled",
                "lists": [
                    {"name": n, "id": i, "subscription_status": s, "optin": o}
                    for n, i, s, o in lists
                ],
            }
        )
        for name, lists in states.items()
    )  # fmt: skip
    job = world.upload(
        lines, product="listmonk", content_type=NDJSON, list_names={"News": news, "2": offers}
    )
    world.run_import(job)
    assert world.stored("ann@example.com").lists == {news: SUBSCRIBED, offers: UNSUBSCRIBED}
    assert world.stored("bob@example.com").lists == {news: ListState.PENDING, offers: SUBSCRIBED}
    assert world.stored("left@example.com").suppressed is SuppressionReason.UNSUBSCRIBED
    assert world.stored("none@example.com").lists == {}


PINPOINT = {
    "ChannelType": "EMAIL",
    "Address": "ann@example.com",
    "EndpointStatus": "ACTIVE",
    "OptOut": "NONE",
    "Id": "endpoint-1",
    "EffectiveDate": "2024-05-01T00:00:00.000Z",
    "Location": {"Country": "DE", "City": "Ulm", "PostalCode": "89073"},
    "Demographic": {"Locale": "de_DE", "Timezone": "Europe/Berlin", "Platform": "ios"},
    "Attributes": {"Interests": ["music", "travel"], "Plan": ["pro"]},
    "Metrics": {"purchases": 3.0},
    "User": {"UserId": "u-1", "UserAttributes": {"Plan": ["team"], "First Name": ["Ann"]}},
}


def test_pinpoints_endpoints() -> None:
    world = World()
    news = world.a_list()
    endpoints = [
        PINPOINT,
        {**PINPOINT, "Address": "out@example.com", "OptOut": "ALL"},
        {**PINPOINT, "Address": "idle@example.com", "EndpointStatus": "INACTIVE"},
        {**PINPOINT, "Address": "+491701234567", "ChannelType": "SMS"},
        {"Address": "bare@example.com", "ChannelType": "EMAIL", "User": None},
    ]
    lines = "\n".join(map(json.dumps, endpoints))
    job = world.run_import(world.upload(lines, news, product="pinpoint", content_type=NDJSON))
    ann = world.stored("ann@example.com")
    assert ann.attributes == {
        "interests": ["music", "travel"], "plan": "pro", "user_plan": "team",
        "first_name": "Ann", "purchases": 3.0, "country": "DE", "city": "Ulm",
        "postal_code": "89073", "user_id": "u-1",
    }  # fmt: skip
    assert (ann.locale, ann.time_zone) == ("de-DE", "Europe/Berlin")
    assert ann.lists == {news: SUBSCRIBED}
    out = world.stored("out@example.com")
    assert (out.lists, out.suppressed) == ({news: UNSUBSCRIBED}, SuppressionReason.UNSUBSCRIBED)
    assert world.stored("idle@example.com").lists == {}
    assert world.members(news) == {ann.id, world.id_of("bare@example.com")}
    assert job.progress["reasons"] == {"ChannelType: is not EMAIL": 1}


def test_pinpoints_csv_with_dotted_columns() -> None:
    world = World()
    body = (
        "ChannelType,Address,OptOut,Location.Country,Demographic.Timezone,User.UserId,"
        "User.UserAttributes.Favourite.Colour,Attributes.Plan,Metrics.purchases\n"
        "EMAIL,ann@example.com,NONE,DE,Europe/Berlin,u-1,red,pro,3\n"
        "EMAIL,out@example.com,ALL,,,,,,\n"
    )
    world.run_import(world.upload(body, product="pinpoint"))
    ann = world.stored("ann@example.com")
    assert ann.attributes == {
        "plan": "pro", "favourite_colour": "red", "purchases": 3.0, "country": "DE",
        "user_id": "u-1",
    }  # fmt: skip
    assert ann.time_zone == "Europe/Berlin"
    assert world.stored("out@example.com").suppressed is SuppressionReason.UNSUBSCRIBED


@pytest.mark.parametrize("product", ["mailchimp", "listmonk", "pinpoint", "tidepost"])
def test_a_file_of_something_else_is_refused_whole(product: str) -> None:
    world = World()
    with pytest.raises(InvalidInput, match="has no column"):
        world.upload("name,mail\nAnn,ann@example.com\n", product=product)


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"Address": 5, "Attributes": [], "User": 3, "Location": "x"},
        {"email": None, "lists": [1, {}], "attribs": 5, "attributes": 7},
        {"email": "a@example.com", "lists": {"lst_x": "subscribed"}},
        {"email": "a@example.com", "lists": 3},
        {"email": "a@example.com", "suppressed": "because", "tags": 3},
    ],
)
@pytest.mark.parametrize("product", ["mailchimp", "listmonk", "pinpoint", "tidepost"])
def test_any_object_is_a_row_or_rejected(product: str, line: dict[str, object]) -> None:
    world = World()
    job = world.upload(json.dumps(line), product=product, content_type=NDJSON)
    progress = world.run_import(job).progress
    assert progress["rejected"] + progress["created"] == progress["rows"] == 1


def test_a_mapping_names_columns_and_paths() -> None:
    world = World()
    mapping = {"E-Mail": "email", "Vorname": "attributes.first_name", "Zone": "time_zone"}
    job = world.upload("Vorname,E-Mail,Rest,Zone\nAnn,ann@example.com,x,UTC\n", mapping=mapping)
    world.run_import(job)
    ann = world.stored("ann@example.com")
    assert (ann.attributes, ann.time_zone) == ({"first_name": "Ann"}, "UTC")
    job = world.upload(
        '{"profile": {"mail": "bob@example.com", "a.b": 2}, "x": 1}',
        content_type=FileFormat.NDJSON,
        mapping={"profile.mail": "email", "profile.a.b": "attributes.ab", "no.way": "tags"},
    )
    world.run_import(job)
    assert world.stored("bob@example.com").attributes == {"ab": 2}


@pytest.mark.parametrize(
    ("text", "name"),
    [("First Name", "first_name"), ("Größe (cm)", "grosse_cm"), ("中", "unnamed"), ("-x-", "x")],
)
def test_names_for_attributes(text: str, name: str) -> None:
    assert attribute_name(text) == name
