"""The pages that recipients see: plain HTML without scripts, for any screen and screen reader.

All words come from the locale files. Whatever a workspace, a person or a
request brings in is escaped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from shared.audience.model import ListState
from shared.audience.page_settings import PageSettings
from shared.audience.preferences import Preference
from shared.audience.texts import Languages, Texts

EVERYTHING = "everything"
"""What a form sends to leave every list."""

SAVE = "save"
TRAP = "topic"
"""A field that people do not see and programs fill in."""

TEXT, BACKGROUND, ERROR = "#1a1a1a", "#ffffff", "#a4000f"
DARK_TEXT, DARK_BACKGROUND, DARK_ERROR = "#f2f2f2", "#161616", "#ffb4ab"

_STYLE = f"""
:root {{ color-scheme: light dark; --text: {TEXT}; --back: {BACKGROUND}; --error: {ERROR} }}
@media (prefers-color-scheme: dark) {{
:root {{ --text: {DARK_TEXT}; --back: {DARK_BACKGROUND}; --error: {DARK_ERROR} }}
}}
* {{ box-sizing: border-box }}
body {{ background: var(--back); color: var(--text); font: 1.125rem/1.5 system-ui, sans-serif;
margin: 0; padding: 2rem 1rem }}
main, header {{ margin: 0 auto; max-width: 32rem }}
header img {{ display: block; max-height: 4rem; max-width: 100% }}
h1 {{ font-size: 1.5rem; line-height: 1.25 }}
h2 {{ font-size: 1.25rem; line-height: 1.25; margin-top: 2rem }}
a {{ color: inherit }}
button {{ background: var(--accent); border: 1px solid var(--text); border-radius: .25rem;
color: var(--on-accent);
font: inherit; min-height: 3rem; padding: .5rem 1.25rem; width: 100% }}
input[type=email], select {{ background: var(--back); border: 1px solid var(--text);
border-radius: .25rem; color: inherit; font: inherit; min-height: 3rem; padding: .5rem;
width: 100% }}
fieldset {{ border: 1px solid var(--text); border-radius: .25rem; margin: 1rem 0 }}
.choice {{ display: grid; grid-template-columns: 2rem 1fr; padding: .5rem 0 }}
.choice input {{ height: 1.5rem; margin: 0; width: 1.5rem }}
.choice p {{ grid-column: 2; margin: 0 }}
:focus-visible {{ outline: 3px solid var(--text); outline-offset: 3px }}
.status, .error {{ border: 2px solid; border-radius: .25rem; padding: .75rem }}
.error {{ color: var(--error) }}
.trap {{ height: 1px; left: -100rem; overflow: hidden; position: absolute; width: 1px }}
"""


@dataclass(frozen=True, slots=True)
class Look:
    """In whose colours and in which language pages are made."""

    settings: PageSettings
    texts: Texts
    languages: Languages

    def message(self, key: str, *, title: str = "", role: str = "") -> str:
        """A page with a title and one text of `<key>`."""
        shown = f' role="{role}"' if role else ""
        text = escape(self.texts[key if title else f"{key}.text"])
        return self._page(self.texts[title or f"{key}.title"], f"<p{shown}>{text}</p>\n")

    def ask_unsubscribe(self, preferences: str, *, one_list: bool) -> str:
        """Asks for the click that unsubscribes; opening the page changed nothing."""
        texts = self.texts
        if not one_list:
            parts = [self._text("unsubscribe.ask_all"), self._leave("unsubscribe.title")]
        else:
            parts = [
                self._text("unsubscribe.ask_list"),
                self._leave("unsubscribe.button_list", scope="list"),
                self._text("unsubscribe.or_all"),
                self._leave("unsubscribe.button_all"),
            ]
        return self._page(texts["unsubscribe.title"], *parts, self._preferences(preferences))

    def unsubscribed(self, preferences: str, *, one_list: bool) -> str:
        """Confirms it."""
        parts = [self._status("unsubscribe.done_list" if one_list else "unsubscribe.done_all")]
        if one_list:
            parts.append(self._text("unsubscribe.done_or_all"))
            parts.append(self._leave("unsubscribe.button_all"))
        return self._page(
            self.texts["unsubscribe.done_title"], *parts, self._preferences(preferences)
        )

    def preferences(
        self, preferences: Sequence[Preference], *, status: str = "", error: str = ""
    ) -> str:
        """The lists with their check boxes; `status` and `error` are keys of what just came of it.

        They name no address, since a mail may have been forwarded.
        """
        parts = [self._status(status) if status else "", self._error(error) if error else ""]
        parts.append('<form method="post">\n')
        if preferences:
            parts.append(self._text("preferences.intro"))
            parts.append(f"<fieldset>\n<legend>{self._escaped('preferences.lists')}</legend>\n")
            parts += [self._choice(number, one) for number, one in enumerate(preferences)]
            parts.append("</fieldset>\n")
        else:
            parts.append(self._text("preferences.none"))
        parts.append(self._language_field())
        parts.append(_button(self._escaped("preferences.save"), "do", SAVE))
        parts.append("</form>\n")
        parts.append(f"<h2>{self._escaped('preferences.all_title')}</h2>\n")
        parts.append(self._text("preferences.all_text"))
        everything = _button(self._escaped("unsubscribe.button_all"), "do", EVERYTHING)
        parts.append(f'<form method="post">\n{everything}</form>\n')
        return self._page(self.texts["preferences.title"], *parts)

    def ask_confirmation(self, list_name: str) -> str:
        """Asks for the click that subscribes."""
        button = _button(self._escaped("confirm.button"), "do", "confirm")
        return self._page(
            self.texts["confirm.title"],
            self._text("confirm.ask", list_name),
            f'<form method="post">\n{button}</form>\n',
        )

    def confirmed(self, list_name: str) -> str:
        """She is subscribed."""
        return self._page(self.texts["confirm.done_title"], self._status("confirm.done", list_name))

    def sign_up(self, list_name: str, description: str, *, email: str = "", error: str = "") -> str:
        """The form of a list; `error` is the key of what was wrong with `email`."""
        bad = ' aria-invalid="true" aria-describedby="hint error"' if error else ""
        described = bad or ' aria-describedby="hint"'
        return self._page(
            self.texts["form.title"].replace("{list}", list_name),
            f"<p>{escape(description)}</p>\n" if description else "",
            '<form method="post">\n',
            self._error(error) if error else "",
            f'<p><label for="email">{self._escaped("form.email")}</label>\n'
            f'<input type="email" id="email" name="email" value="{escape(email)}" required '
            f'autocomplete="email" maxlength="320"{described}></p>\n',
            f'<p id="hint">{self._escaped("form.hint")}</p>\n',
            f'<div class="trap" aria-hidden="true"><label for="{TRAP}">'
            f"{self._escaped('form.trap')}</label>\n"
            f'<input type="text" id="{TRAP}" name="{TRAP}" tabindex="-1" autocomplete="off">'
            "</div>\n",
            f'<p><button type="submit">{self._escaped("form.button")}</button></p>\n',
            "</form>\n",
        )

    def _page(self, title: str, *parts: str) -> str:
        settings = self.settings
        colors = f"--accent: {settings.color}; --on-accent: {settings.text_color}"
        head = (
            f'<!doctype html>\n<html lang="{self.texts.language}">\n<head>\n'
            '<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="robots" content="noindex">\n'
            f"<title>{escape(title)}</title>\n"
            f"<style>:root {{ {colors} }}{_STYLE}</style>\n</head>\n<body>\n"
        )
        main = f"<main>\n<h1>{escape(title)}</h1>\n"
        return "".join((head, self._header(), main, *parts, "</main>\n</body>\n</html>\n"))

    def _header(self) -> str:
        name, logo = escape(self.settings.name), escape(self.settings.logo_url)
        if logo:
            return f'<header><img src="{logo}" alt="{name}"></header>\n'
        return f"<header><p>{name}</p></header>\n" if name else ""

    def _escaped(self, key: str, list_name: str = "") -> str:
        return escape(self.texts[key].replace("{list}", list_name))

    def _text(self, key: str, list_name: str = "") -> str:
        return f"<p>{self._escaped(key, list_name)}</p>\n"

    def _status(self, key: str, list_name: str = "") -> str:
        return f'<p class="status" role="status">{self._escaped(key, list_name)}</p>\n'

    def _error(self, key: str) -> str:
        return f'<p class="error" role="alert" id="error">{self._escaped(key)}</p>\n'

    def _leave(self, key: str, scope: str = EVERYTHING) -> str:
        """Posts to the page's own address, with what RFC 8058 makes mail clients post."""
        return (
            '<form method="post">\n'
            '<input type="hidden" name="List-Unsubscribe" value="One-Click">\n'
            f"{_button(self._escaped(key), 'from', scope)}</form>\n"
        )

    def _preferences(self, address: str) -> str:
        label = self._escaped("unsubscribe.preferences")
        return f'<p><a href="{escape(address)}">{label}</a></p>\n'

    def _choice(self, number: int, preference: Preference) -> str:
        one = preference.mailing_list
        checked = " checked" if preference.state is ListState.SUBSCRIBED else ""
        notes = [one.description] if one.description else []
        if preference.state is ListState.PENDING:
            notes.append(f"({self.texts['preferences.pending']})")
        described = f' aria-describedby="note{number}"' if notes else ""
        note = f'<p id="note{number}">{escape(" ".join(notes))}</p>\n' if notes else ""
        value = escape(one.id)
        return (
            f'<div class="choice"><input type="hidden" name="shown" value="{value}">\n'
            f'<input type="checkbox" id="list{number}" name="list" value="{value}"'
            f"{checked}{described}>\n"
            f'<label for="list{number}">{escape(one.name)}</label>\n{note}</div>\n'
        )

    def _language_field(self) -> str:
        options = "".join(
            f'<option value="{language}" lang="{language}"'
            f"{' selected' if language == self.texts.language else ''}>"
            f"{escape(texts['language.name'])}</option>\n"
            for language, texts in self.languages.items()
        )
        return (
            f'<input type="hidden" name="language_was" value="{self.texts.language}">\n'
            f'<p><label for="language">{self._escaped("language")}</label>\n'
            f'<select id="language" name="language">\n{options}</select></p>\n'
        )


def _button(label: str, name: str, value: str) -> str:
    return f'<p><button type="submit" name="{name}" value="{value}">{label}</button></p>\n'
