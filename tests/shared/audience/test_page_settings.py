"""How public pages look: whatever colour is set, its text can be read."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audience.page_settings import PageSettings, PageSettingsService, contrast
from shared.audience.texts import read_languages
from shared.errors import InvalidInput
from tests.fakes import FakePageSettings


@given(st.integers(0, 0xFFFFFF))
def test_the_text_on_every_colour_can_be_read(color: int) -> None:
    settings = PageSettings(color=f"#{color:06x}")
    assert contrast(settings.text_color, settings.color) >= 4.5


def test_contrast_is_wcags() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#ffffff") == pytest.approx(1)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@given(st.text(max_size=60))
def test_no_logo_can_end_an_attribute_or_a_policy(text: str) -> None:
    service = PageSettingsService(FakePageSettings(), read_languages())
    with suppress(InvalidInput):
        saved = service.put("ws_x", PageSettings(logo_url=f"https://img.example.com/{text}"))
        assert saved.logo_origin == "https://img.example.com"
        assert set(saved.logo_url).isdisjoint(" ;,\"'<>\\\r\n")


def test_every_field_at_fault_is_named_and_nothing_is_saved() -> None:
    store = FakePageSettings()
    bad = PageSettings("x" * 101, "ftp://x", "blue", "xx")
    with pytest.raises(InvalidInput) as refused:
        PageSettingsService(store, read_languages()).put("ws_x", bad)
    fields = [problem.field for problem in refused.value.problems]
    assert fields == ["name", "logo_url", "color", "locale"]
    assert store.by_workspace == {}
