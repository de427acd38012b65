"""The style guide: every macro with realistic text, and sample pages made of them, for eyes and for axe.

Not a part of the product: an application of its own over the product's templates, with its security policy.
`python -m tests.web.shots` takes pictures of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

from flask import Flask, Response, abort, g, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from flask_wtf.csrf import CSRFProtect, generate_csrf
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined
from werkzeug.serving import make_server
from werkzeug.wsgi import FileWrapper
from wtforms import BooleanField, PasswordField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # the stubs lag behind WTForms 3.3
from wtforms.validators import InputRequired

from app.web import formats, languages, pieces
from app.web.guard import CONTENT_SECURITY_POLICY
from app.web.languages import Service

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
#: every page there is; "offices-…" are of the offices' portal
PAGES = ("components", "sign-in", "tasks", "edit", "confirm", "receipt", "refusal", "offices-completeness")
NOW = datetime.fromisoformat("2017-06-28T14:02:11+08:00")
CLOSES = NOW + timedelta(days=4, hours=3, minutes=57, seconds=49)


class SampleForm(FlaskForm):
    """One field of each kind."""

    number = StringField("考生号", validators=[InputRequired("请输入 14 位考生号。")])
    password = PasswordField("密码", validators=[InputRequired("请输入密码。")])
    subject = SelectField("科类", choices=[SelectChoice("1", "文史"), SelectChoice("5", "理工")])
    adjust = RadioField(
        "是否服从专业调剂",
        choices=[SelectChoice("1", "服从"), SelectChoice("0", "不服从")],
        validators=[InputRequired("请选择是否服从。")],
    )
    remark = TextAreaField("联系记录")
    read = BooleanField("我已阅读并理解填报须知")


def create_style_guide() -> Flask:
    """The application."""
    app = Service("style-guide", static_folder=str(APP / "static"))
    app.config.update(
        SECRET_KEY="style guide",
        WTF_CSRF_SSL_STRICT=False,
    )
    app.jinja_loader = ChoiceLoader(
        [FileSystemLoader(APP / "templates"), FileSystemLoader(Path(__file__).parent / "templates")]
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    CSRFProtect(app)
    languages.set_up(app)
    formats.set_up(app)
    pieces.set_up(app)
    app.jinja_env.globals["form_mark"] = lambda: getattr(_frame()["visitor"], "form_mark", "")
    app.before_request(_speak)
    app.context_processor(_frame)
    app.add_url_rule("/", view_func=lambda: redirect(url_for("show", page="components")), endpoint="home")
    app.add_url_rule("/show/<page>", view_func=show, endpoint="show", methods=["GET", "POST"])
    app.add_url_rule("/session/extend", view_func=lambda: ("", 204), endpoint="extend", methods=["POST"])
    for name in ("appearance", "language"):
        app.add_url_rule(f"/{name}", view_func=_remember, endpoint=name, methods=["POST"])

    @app.after_request
    def _headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        if isinstance(response.response, FileWrapper):
            # a browser closed in the middle of an answer would leave the file open
            file = response.response
            response.direct_passthrough = False
            response.set_data(response.get_data())
            file.close()
        return response

    return app


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve `app` on a free port; yields its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def show(page: str) -> str:
    """One page of the guide, its form checked so that the errors show."""
    if page not in PAGES:
        abort(404)
    form = SampleForm(meta={"csrf": False}) if request.args.get("errors") else None
    if form is not None:
        form.validate()
    plain = SampleForm(meta={"csrf": False}, formdata=None)
    template = "refusal.html" if page == "refusal" else f"{page}.html"
    words = {
        "title": "本批次填报已经截止",
        "text": "本次没有提交任何志愿。截止前最后一次确认的志愿有效，请到“我的档案”查看。",
    }
    return render_template(
        template, form=form or plain, seconds=None, place="", request_id="6f1c09ab27e4", page=page, **words
    )


def _frame() -> dict[str, Any]:
    page = (request.view_args or {}).get("page", "")
    offices = page.startswith("offices")
    candidate = SimpleNamespace(name="欧阳梓涵", masked_no="1743******0001", form_mark="m", waiting=None)
    officer = SimpleNamespace(
        name="周敏",
        office_name="长沙市芙蓉区招生办",
        role_name="审核员" if _language() != "en" else "approver",
        form_mark="",
    )
    return {
        "portal": "offices" if offices else "candidates",
        "site": SimpleNamespace(
            province="湖南省",
            hotline="0731-12345678",
            hours="8:00–20:00",
            banner="",
        ),
        "rehearsal": "banner" in request.args,
        "visitor": None if page == "sign-in" else officer if offices else candidate,
        "appearance": request.args.get("appearance", request.cookies.get("appearance", "")),
        "language": _language(),
        "server_now": NOW,
        "idle_seconds": int(request.args.get("idle", "900")),
        "csrf_token": generate_csrf,
        "now": NOW,
        "closes": CLOSES if not request.args.get("closes") else NOW + timedelta(seconds=int(request.args["closes"])),
        "t": lambda chinese, english: english if _language() == "en" else chinese,
    }


def _language() -> str:
    return request.args.get("language") or request.cookies.get("language") or "zh_Hans"


def _speak() -> None:
    g.language = _language()


def _remember() -> Response:
    name = str(request.endpoint)
    answer = redirect(request.form["next"], 303)
    answer.set_cookie(name, request.form[name])
    assert isinstance(answer, Response)
    return answer
