from local.demo import mail
from shared.content.compiled import compile_template, render_directly
from shared.content.model import TemplateSource

SOURCE = TemplateSource(mail.SUBJECT, mail.HTML, mail.TEXT)


def context(**attributes: object) -> dict[str, object]:
    subscriber = {"id": "s", "email": "a@b.example", "attributes": attributes, "tags": ["vip"]}
    return {"subscriber": subscriber, "campaign": {"name": "c"}, "unsubscribe_url": "https://u"}


def test_it_compiles_and_has_slots() -> None:
    compiled = compile_template(SOURCE)
    full = context(first_name="Zoë", city="Zürich", plan="team", orders=3)
    for person in (full, context()):
        assert compiled.render(person) == render_directly(SOURCE, person)


def test_the_plan_decides_the_offer() -> None:
    html = render_directly(SOURCE, context(plan="business")).html
    assert html is not None
    assert "account manager" in html
    assert "plan=business" not in html
