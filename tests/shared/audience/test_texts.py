"""The locale files: the same keys and placeholders in every language, and which one is chosen."""

from __future__ import annotations

import re

import pytest

from shared.audience.texts import accepted, language_of, read_languages

LANGUAGES = read_languages()
ENGLISH = LANGUAGES["en"]


def test_there_are_english_and_two_more() -> None:
    assert set(LANGUAGES) >= {"en", "de", "fr"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_every_text_and_no_other(language: str) -> None:
    texts = LANGUAGES[language]
    assert list(texts.by_key) == list(ENGLISH.by_key)
    for key, text in texts.by_key.items():
        assert text.strip() == text
        assert text
        assert re.findall(r"\{\w*\}", text) == re.findall(r"\{\w*\}", ENGLISH[key]), key
        assert not re.search(r"[<>]|\{\{|\{%", text), key
        assert text.isprintable(), key
    same = {key for key, text in texts.by_key.items() if text == ENGLISH[key]}
    assert language == "en" or not same, same


def test_a_version_names_language_and_wording() -> None:
    versions = {texts.version for texts in LANGUAGES.values()}
    assert len(versions) == len(LANGUAGES)
    assert all(re.fullmatch(r"[a-z]{2}-[0-9a-f]{12}", version) for version in versions)
    assert read_languages()["de"].version == LANGUAGES["de"].version


@pytest.mark.parametrize(
    ("wishes", "language"),
    [
        (("de-AT",), "de"),
        (("", "xx", "FR", "de"), "fr"),
        (("*", "../de", "d"), "en"),
        ((), "en"),
    ],
)
def test_the_first_wish_that_there_is_a_file_for(wishes: tuple[str, ...], language: str) -> None:
    assert language_of(LANGUAGES, *wishes) == language


@pytest.mark.parametrize(
    ("header", "locales"),
    [
        ("de-CH, de;q=0.9 , en;q=0.8, *;q=0.5", ["de-CH", "de", "en", "*"]),
        ("en;q=0.1,fr", ["fr", "en"]),
        ("en;q=0, de;q=x, fr;q=1.0", ["fr"]),
        ("", [""]),
        ("," * 5000, [""] * 1001),
    ],
)
def test_what_a_browser_accepts_best_first(header: str, locales: list[str]) -> None:
    assert accepted(header) == locales
