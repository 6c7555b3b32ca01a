"""What browsers are told: the content security policy, HSTS, the referrer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tornkit.checks.deploy.findings import about
from tornkit.checks.deploy.routes import handlers_of
from tornkit.checks.messages import Message
from tornkit.security.csp import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.application import Application
    from tornkit.routing import Route

__all__ = ["CHECKS"]

_ATTRIBUTE = "content_security_policy"
_POLICY = f"security.{_ATTRIBUTE}"
_SCRIPTS = ("script-src", "script-src-elem", "script-src-attr")
_UNSAFE = {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:", "data:", "blob:"}
_HASHES = ("'sha256-", "'sha384-", "'sha512-")
_STRICT = ("script-src", "object-src", "base-uri", "frame-ancestors")
_FALL_BACK = {"script-src", "object-src"}
_SIX_MONTHS = 180 * 86_400
_LEAKY = ("unsafe-url", "no-referrer-when-downgrade")


def csp_unsafe(application: Application) -> Iterator[Message]:
    """A policy that lets any script run stops none that was smuggled in."""
    settings = application.config
    directives = settings.security.content_security_policy
    site = {**DEFAULT, **directives}
    hint = "name the sources; scripts in templates have a nonce by themselves"
    known = dict(_unsafe(site))
    for name, words in known.items():
        yield about(
            settings,
            f"{_POLICY}.{name}",
            "deploy.csp-unsafe",
            f"{words} lets scripts run that somebody else put into a page",
            hint,
            found=directives.get(name, ""),
        )
    for owner, own, route in _own_policies(application):
        for name, words in _unsafe({**site, **own}):
            if name not in known:
                yield Message(
                    "deploy.csp-unsafe",
                    "warning",
                    f"{owner.__qualname__}.content_security_policy: {name}: {words} lets"
                    " scripts run that somebody else put into a page",
                    hint,
                    object=owner.__qualname__,
                    file=route.file,
                    line=route.line,
                )


def _own_policies(application: Application) -> Iterator[tuple[type, Mapping[str, str], Route]]:
    """Yield each class that sets directives once, with the first route of it or its heirs."""
    seen: set[type] = set()
    for handler, route in handlers_of(application):
        owner = next((each for each in handler.__mro__ if _ATTRIBUTE in vars(each)), None)
        own = getattr(handler, _ATTRIBUTE, None)
        if owner is not None and owner not in seen and isinstance(own, Mapping):
            seen.add(owner)
            yield owner, own, route


def _unsafe(policy: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each directive that lets any script run, and the words that do."""
    for name in _SCRIPTS:
        used = name
        if name == "script-src" and not policy.get(name, "").strip():
            used = "default-src"
        words = set(policy.get(used, "").lower().split())
        unsafe = _UNSAFE & words
        # What browsers of today ignore stands there for those of the past.
        if "'strict-dynamic'" in words:
            unsafe &= {"'unsafe-eval'"}
        elif any(word.startswith(_HASHES) for word in words):
            unsafe -= {"'unsafe-inline'"}
        if unsafe:
            yield used, " and ".join(sorted(unsafe))


def csp_missing(application: Application) -> Iterator[Message]:
    """Each of these directives closes a way around the others."""
    settings = application.config
    directives = settings.security.content_security_policy
    policy = {**DEFAULT, **directives}
    for name in _STRICT:
        sources = policy[name].split()
        if not sources and name in _FALL_BACK:
            sources = policy["default-src"].split()
        if sources and not ("*" in sources and name not in _SCRIPTS):
            continue
        yield about(
            settings,
            f"{_POLICY}.{name}",
            "deploy.csp-missing",
            "it allows everything" if sources else "it is taken out, which allows everything",
            f"the default is {DEFAULT[name]}; set it for single pages in their handler",
            found=" ".join(sources),
        )


def hsts(application: Application) -> Iterator[Message]:
    """Without it the first request of every visit can be diverted."""
    settings = application.config
    seconds = settings.security.hsts
    if seconds < _SIX_MONTHS:
        yield about(
            settings,
            "security.hsts",
            "deploy.hsts",
            "browsers are not told to stay with HTTPS"
            if seconds == 0
            else f"browsers stay with HTTPS for less than {_SIX_MONTHS // 86_400} days",
            "31536000 (a year) is the default; keep 0 only where your proxy sends the header",
            found=seconds,
        )


def referrer_policy(application: Application) -> Iterator[Message]:
    """Addresses hold what other sites should not learn."""
    settings = application.config
    # Of several, a browser takes the last that it knows.
    value = settings.security.referrer_policy.rpartition(",")[2].strip()
    if value in _LEAKY:
        yield about(
            settings,
            "security.referrer_policy",
            "deploy.referrer-policy",
            "other sites learn the whole address of the page that links to them",
            "same-origin is the default",
            found=value,
        )


CHECKS = (csp_unsafe, csp_missing, hsts, referrer_policy)
