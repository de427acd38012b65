"""Languages of the pages: which one a reader has chosen, its catalogue, and templates compiled once for each.

A page has some two hundred texts, and looking each up while it is rendered costs more than all the rest of it.
So a template is compiled for each language apart, with its constant texts already in that language.
"""

import re
from collections.abc import Callable, MutableMapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from babel.support import NullTranslations, Translations
from flask import Flask, g, has_request_context, session
from flask.templating import DispatchingJinjaLoader
from flask.templating import Environment as FlaskEnvironment
from flask_babel import Babel, Domain
from jinja2 import Environment, Template, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

#: the first is the default
LANGUAGES: Final = ("zh_Hans", "en")
_FOLDER: Final = Path(__file__).parents[1] / "translations"
_PLACEHOLDER: Final = re.compile(r"%\((\w+)\)s|(%%)")


def language() -> str:
    """The language of this request's reader; the default one outside a request."""
    if not has_request_context():
        return LANGUAGES[0]
    if "language" not in g:
        chosen = session.get("language")
        g.language = chosen if chosen in LANGUAGES else LANGUAGES[0]
    return str(g.language)


@cache
def catalogue(name: str) -> NullTranslations:
    """The texts of a language."""
    return Translations.load(_FOLDER, [name])


def gettext(msgid: str, **values: object) -> str:
    """`msgid` in the reader's language, its placeholders filled."""
    said: str = catalogue(language()).gettext(msgid)
    return said % values if values else said


def ngettext(singular: str, plural: str, num: int, **values: object) -> str:
    """The same for a number of things; `num` is a placeholder too."""
    said: str = catalogue(language()).ngettext(singular, plural, num)
    return said % {"num": num, **values}


class _Catalogues(Domain):
    """What Flask-Babel's own functions, the lazy ones among them, look texts up in."""

    def get_translations(self) -> NullTranslations:
        return catalogue(language())


class _Languages(Babel):
    """Flask-Babel over the catalogues above."""

    domain_instance = _Catalogues(str(_FOLDER))


class _Loader(DispatchingJinjaLoader):
    """Finds the file behind the name with its language."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        return super().get_source(environment, template.partition(":")[2])


class _Environment(FlaskEnvironment):
    """Finds the template of the reader's language, and translates it when it is compiled."""

    def get_template(
        self,
        name: str | Template,
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002 -- Jinja's word
    ) -> Template:
        if isinstance(name, str):
            name = f"{language()}:{name}"
        return super().get_template(name, parent, globals)

    def _generate(self, source: nodes.Template, name: str | None, *args: Any, **options: Any) -> str:
        known = (name or "").partition(":")[0]
        if known in LANGUAGES:
            source = _Translator(catalogue(known), self.autoescape_of(name)).visit(source)
        return super()._generate(source, name, *args, **options)

    def autoescape_of(self, name: str | None) -> bool:
        """Whether values are escaped in the template `name`."""
        return self.autoescape(name) if callable(self.autoescape) else self.autoescape


class Service(Flask):
    """A Flask application whose templates are compiled for each language."""

    jinja_environment = _Environment

    def create_global_jinja_loader(self) -> DispatchingJinjaLoader:
        """The loader of "zh_Hans:base.html" and "en:base.html": one file, two templates."""
        return _Loader(self)


def set_up(app: Flask) -> None:
    """Let every text of `app` be in its reader's language."""
    _Languages(app, locale_selector=language)


class _Translator(NodeTransformer):
    """Puts the text in the place of a call of gettext whose msgid is constant."""

    def __init__(self, texts: NullTranslations, autoescape: bool) -> None:  # noqa: FBT001 -- Jinja's setting
        self._texts = texts
        self._safe: Callable[[str], str] = Markup if autoescape else str

    def visit_Call(self, call: nodes.Call) -> nodes.Node:  # noqa: N802 -- Jinja's naming
        self.generic_visit(call)
        if not isinstance(call.node, nodes.Name) or call.dyn_args or call.dyn_kwargs:
            return call
        values = {pair.key: pair.value for pair in call.kwargs}
        match call.node.name, call.args:
            case "_" | "gettext", [nodes.Const(value=str(msgid))]:
                return self._text(self._texts.gettext(msgid), values, call.lineno) or call
            case "ngettext", [nodes.Const(value=str(one)), nodes.Const(value=str(many)), num]:
                return self._number(one, many, num, values, call.lineno) or call
        return call

    def _number(
        self, one: str, many: str, num: nodes.Expr, values: dict[str, nodes.Expr], line: int
    ) -> nodes.Expr | None:
        """A text for a number of things: one for all numbers, or one for 1 and one for the others."""
        values = {"num": num, **values}
        said = {self._texts.ngettext(one, many, number) for number in range(200)}
        if said == {self._texts.ngettext(one, many, 1)}:
            return self._text(said.pop(), values, line)
        if said != {one, many}:
            return None
        first, others = self._text(one, values, line), self._text(many, values, line)
        if first is None or others is None:
            return None
        is_one = nodes.Compare(num, [nodes.Operand("eq", nodes.Const(1))], lineno=line)
        return nodes.CondExpr(is_one, first, others, lineno=line)

    def _text(self, text: str, values: dict[str, nodes.Expr], line: int) -> nodes.Expr | None:
        """`text` with the values in their places; None where only the call itself can fill it."""
        if values and all(_is_constant(value) for value in values.values()):
            return None  # Jinja would join the constants as text and escape the text's own marks
        parts: list[nodes.Expr] = []
        at = 0
        for place in _PLACEHOLDER.finditer(text):
            parts.append(nodes.Const(self._safe(text[at : place.start()])))
            if place[2]:
                parts.append(nodes.Const(self._safe("%")))
            elif place[1] in values:
                parts.append(values[place[1]])
            else:
                return None
            at = place.end()
        if "%" in _PLACEHOLDER.sub("", text):
            return None
        if not parts:
            return nodes.Const(self._safe(text), lineno=line)
        parts.append(nodes.Const(self._safe(text[at:])))
        return nodes.Concat([part for part in parts if part != nodes.Const(self._safe(""))], lineno=line)


def _is_constant(value: nodes.Expr) -> bool:
    try:
        value.as_const()
    except nodes.Impossible:
        return False
    return True
