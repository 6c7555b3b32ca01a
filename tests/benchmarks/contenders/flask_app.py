# mypy: disable-error-code="import-not-found, misc, no-any-return, untyped-decorator"
"""Flask under gunicorn's threads."""

from __future__ import annotations

from typing import Any

from flask import Flask, render_template, request, session
from pydantic import ValidationError

from tests.benchmarks.contenders import common

app = Flask(__name__, template_folder=common.TEMPLATES, static_folder=common.STATIC)
app.secret_key = common.SECRET


def hello() -> dict[str, Any]:
    return common.HELLO


def sign_in() -> tuple[str, int]:
    session.update(common.SESSION)
    return "", 204


def page() -> str:
    return render_template(
        "page.html",
        title="Students",
        name=session.get("name", "nobody"),
        visits=session.get("visits", 0),
        rows=common.TABLE,
    )


def rows() -> dict[str, Any]:
    return {**common.OK, "rows": [row.plain() for row in common.ROWS]}


def form() -> dict[str, Any] | tuple[dict[str, Any], int]:
    try:
        return common.Enrolment.model_validate(request.form.to_dict()).plain()
    except ValidationError as error:
        return {"errors": error.errors(include_url=False, include_context=False)}, 422


VIEWS = {"page": page, "list": rows, "form": form}
app.add_url_rule("/login", view_func=sign_in)
app.add_url_rule(
    "/",
    view_func=VIEWS.get(common.CASE, hello),
    methods=["POST"] if common.CASE == "form" else ["GET"],
)

if __name__ == "__main__":
    common.exec_gunicorn("tests.benchmarks.contenders.flask_app:app")
