# mypy: disable-error-code="import-not-found, misc, untyped-decorator"
"""Django under gunicorn's threads, with the applications and middlewares of a new project.

Sessions are in signed cookies and pages are of Jinja2, both of them Django's own backends.
"""

from __future__ import annotations

import django
from django import forms
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from tests.benchmarks.contenders import common

settings.configure(
    DEBUG=False,
    SECRET_KEY=common.SECRET,
    ALLOWED_HOSTS=[common.HOST],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    TEMPLATES=[
        {"BACKEND": "django.template.backends.jinja2.Jinja2", "DIRS": [common.TEMPLATES]},
    ],
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": common.FOLDER / "django.db"}
    },
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    SESSION_COOKIE_HTTPONLY=True,
)
django.setup()


class Enrolment(forms.Form):
    """The form, as Django has forms."""

    name = forms.CharField(min_length=1, max_length=100)
    email = forms.RegexField(common.ADDRESS, max_length=200)
    age = forms.IntegerField(min_value=6, max_value=120)
    born = forms.DateField()
    newsletter = forms.BooleanField(required=False)


def hello(request: HttpRequest) -> JsonResponse:
    return JsonResponse(common.HELLO)


def sign_in(request: HttpRequest) -> HttpResponse:
    request.session.update(common.SESSION)
    return HttpResponse(status=204)


def page(request: HttpRequest) -> HttpResponse:
    context = {
        "title": "Students",
        "name": request.session.get("name", "nobody"),
        "visits": request.session.get("visits", 0),
        "rows": common.TABLE,
    }
    return render(request, "page.html", context)


def rows(request: HttpRequest) -> JsonResponse:
    return JsonResponse({**common.OK, "rows": [row.plain() for row in common.ROWS]})


@csrf_exempt
def form(request: HttpRequest) -> JsonResponse:
    enrolment = Enrolment(request.POST)
    if not enrolment.is_valid():
        return JsonResponse({"errors": enrolment.errors.get_json_data()}, status=422)
    return JsonResponse({**common.OK, **enrolment.cleaned_data})


VIEWS = {"page": page, "list": rows, "form": form}
urlpatterns = [path("login", sign_in), path("", VIEWS.get(common.CASE, hello))]
application = get_wsgi_application()

if __name__ == "__main__":
    common.exec_gunicorn("tests.benchmarks.contenders.django_app:application")
