import pytest

from shared.audience.fields import read_fields
from shared.audience.settings import AudienceSettings, AudienceSettingsService
from shared.audience.types import AttributeType, from_text, type_problem
from shared.errors import InvalidInput
from tests.fakes import FakeAudienceSettings
from tests.shared.audience.world import World

TEXT, NUMBER, BOOLEAN, DATE, LIST = AttributeType


@pytest.mark.parametrize(
    ("declared", "good", "bad"),
    [
        (TEXT, ["", "x"], [1, True, ["x"]]),
        (NUMBER, [0, -1, 1.5], ["1", True, [1]]),
        (BOOLEAN, [True, False], [1, "true"]),
        (LIST, [[], ["a"]], ["a", 1]),
        (
            DATE,
            ["2026-11-24", "2026-11-24T08:15:00Z", "2026-11-24t08:15:00.5+01:00"],
            ["24.11.2026", "2026-11-24T08:15:00", "2026-02-30", "20261124", "2026-11-24 08:15", 5],
        ),
    ],
)
def test_what_fits_a_type(declared: AttributeType, good: list[object], bad: list[object]) -> None:
    assert {type_problem(value, declared) for value in good} == {""}
    assert all(type_problem(value, declared) for value in bad)
    assert not any(type_problem(value, None) for value in [*good, *bad])


@pytest.mark.parametrize(
    ("text", "declared", "value"),
    [
        ("12", NUMBER, 12),
        ("-1.50", NUMBER, -1.5),
        ("1e3", NUMBER, 1000.0),
        ("1,5", NUMBER, "1,5"),
        ("\u0661", NUMBER, "\u0661"),
        ("Yes", BOOLEAN, True),
        ("0", BOOLEAN, False),
        ("maybe", BOOLEAN, "maybe"),
        ("a; b;;", LIST, ["a", "b"]),
        ('["a;b"]', LIST, ["a;b"]),
        ("[a", LIST, "[a"),
        ("12", TEXT, "12"),
        ("12", None, "12"),
    ],
)
def test_cells_of_declared_attributes_are_read(
    text: str, declared: AttributeType | None, value: object
) -> None:
    assert from_text(text, declared) == value
    assert type(from_text(text, declared)) is type(value)


def test_a_declared_type_holds_for_the_api_and_for_imports() -> None:
    world = World()
    world.settings.save(world.ws, AudienceSettings(attributes={"age": NUMBER, "born": DATE}))
    job = world.import_csv(
        "email,age,born,other\n"
        "ann@example.com,41,1985-04-01,7\n"
        "bob@example.com,old,,\n"
        "carl@example.com,,1.4.1985,\n"
    )
    assert world.stored("ann@example.com").attributes == {
        "age": 41, "born": "1985-04-01", "other": "7",
    }  # fmt: skip
    assert job.progress["reasons"] == {
        "attributes: must be a number, as the workspace declares it": 1,
        "attributes: must be a date such as 2026-11-24 or 2026-11-24T08:15:00Z": 1,
    }
    with pytest.raises(InvalidInput, match=r"attributes\.age"):
        read_fields({"age": "41"}, types={"age": NUMBER})


def test_settings_are_checked_and_replaced() -> None:
    store = FakeAudienceSettings()
    service = AudienceSettingsService(store)
    assert service.put("ws_x", AudienceSettings(attributes={"a": TEXT})).version == 1
    assert service.put("ws_x", AudienceSettings()).version == 2
    assert service.get("ws_x").attributes == {}
    with pytest.raises(InvalidInput, match=r"attributes\.Bad Name"):
        service.put("ws_x", AudienceSettings(attributes={"Bad Name": TEXT}))
    many = {f"a{i}": TEXT for i in range(201)}
    with pytest.raises(InvalidInput, match="more than 200"):
        service.put("ws_x", AudienceSettings(attributes=many))
