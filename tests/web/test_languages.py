"""Templates in two languages: what is put in when they are compiled reads as what gettext would say."""

from collections.abc import Callable

import pytest
from flask import g
from jinja2 import DictLoader

from app.web import languages
from app.web.languages import LANGUAGES, Service, catalogue

SOURCES = {
    "constant.html": '{{ _("Back") }}',
    "filled.html": '{{ _("Version %(number)s", number=name) }}',
    "lengthy.html": '{{ _("Filed %(time)s", time="<b>now</b>"|safe) }}',
    "unknown.html": '{{ _("nobody ever wrote this") }}',
    "counted.html": '{{ ngettext("%(num)s place", "%(num)s places", count) }}',
    "chosen.html": "{{ _(word) }}",
    "plain.txt": '{{ _("Version %(number)s", number=name) }}',
}


@pytest.fixture
def show() -> Callable[..., str]:
    """A function that renders one of the sources in a language."""
    app = Service("languages")
    app.secret_key = "only for this test"
    app.jinja_loader = DictLoader(SOURCES)
    languages.set_up(app)

    def shown(name: str, language: str, /, **values: object) -> str:
        with app.test_request_context():
            g.language = language
            return app.jinja_env.get_template(name).render(**values)

    return shown


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_constant_text_reads_as_gettext_says(show: Callable[..., str], language: str) -> None:
    assert show("constant.html", language) == catalogue(language).gettext("Back")
    assert show("unknown.html", language) == "nobody ever wrote this"


def test_each_language_has_its_own_template(show: Callable[..., str]) -> None:
    assert show("constant.html", "en") != show("constant.html", "zh_Hans")
    assert show("constant.html", "en") == "Back"


@pytest.mark.parametrize("language", LANGUAGES)
def test_values_are_escaped_in_a_page_and_markup_is_not(show: Callable[..., str], language: str) -> None:
    said: str = catalogue(language).gettext("Version %(number)s")
    assert show("filled.html", language, name="<i>") == said % {"number": "&lt;i&gt;"}
    assert show("plain.txt", language, name="<i>") == said % {"number": "<i>"}
    assert "<b>now</b>" in show("lengthy.html", language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [0, 1, 2, 31])
def test_numbers_of_things_read_as_ngettext_says(show: Callable[..., str], language: str, count: int) -> None:
    said: str = catalogue(language).ngettext("%(num)s place", "%(num)s places", count)
    assert show("counted.html", language, count=count) == said % {"num": count}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_chosen_while_rendering_is_looked_up_then(show: Callable[..., str], language: str) -> None:
    assert show("chosen.html", language, word="Back") == catalogue(language).gettext("Back")
