"""The parts of a site, each made from the settings that it needs.

`composer` puts them together; what is wrong with a setting is said here, with its
key and origin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from argon2 import PasswordHasher

from tornkit._rates import Rate
from tornkit.accounts import Accounts
from tornkit.application.stores import LIMITS, SESSIONS, Kinds, StoreRefused, bind_of, store_at
from tornkit.cache import Cache, RedisCacheStore, store_of
from tornkit.databases import Databases, metadata_of
from tornkit.errors import CacheError, MailError, SessionError, SettingProblem, SettingsError
from tornkit.handlers.compiled import CompiledTemplates
from tornkit.handlers.site import SessionCookie
from tornkit.handlers.templates import create_environment
from tornkit.logs import NO_REQUEST, request_id
from tornkit.mail import Mailer, default_sender, default_url, transport_of
from tornkit.security.headers import SecurityHeaders
from tornkit.security.limits import Limiter, client_network
from tornkit.security.signing import Signer
from tornkit.server.proxies import TrustedProxies, plain_address
from tornkit.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    import jinja2

    from tornkit.mail import Transport
    from tornkit.sessions import SessionStore
    from tornkit.settings import Settings

__all__ = [
    "bad_setting",
    "make_accounts",
    "make_cache",
    "make_cookie",
    "make_databases",
    "make_headers",
    "make_health_watchers",
    "make_limiter",
    "make_mailer",
    "make_sessions",
    "make_templates",
    "secrets_of",
]

Store = TypeVar("Store")

_SLOW_QUERY = 0.2  # seconds
_FAST_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def secrets_of(settings: Settings) -> list[str]:
    """Return the secrets, today's first; a generated one is written to its file."""
    return [each.get_secret_value() for each in (settings.secret, *settings.secret_fallbacks)]


# --- databases ---------------------------------------------------------------------------


def make_databases(
    settings: Settings, package: str, folder: Path | None, user_model: type[Any] | None
) -> Databases:
    """Return the databases of the settings, closed.

    Raises:
        DatabaseError: a URL cannot be used, or two bases claim one bind.
        UserCodeError: the models raised while they were imported.
    """
    metadata = dict(metadata_of(package)) if package else {}
    if user_model is not None:
        metadata.setdefault("default", user_model.metadata)
    databases = Databases(
        settings.database_urls(),
        options=_options(settings),
        # Whoever is writing the site wants to know; elsewhere it is asked for.
        slow_query=_SLOW_QUERY if settings.environment == "development" else None,
        migrations=folder / "migrations" if folder else None,
        metadata=metadata,
        library=_library_binds(settings, user_model),
    )
    for service in databases.http.values():
        service.outgoing_headers = _passed_on
    return databases


def _passed_on() -> dict[str, str]:
    """Return the id of the request that is handled, so that logs of services can be joined."""
    known = request_id.get()
    return {} if known == NO_REQUEST else {"X-Request-ID": known}


def _options(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the options of each bind that the settings name some for."""
    return {
        name: options.model_dump(exclude_none=True)
        for name, options in settings.database_options.items()
    }


def _library_binds(settings: Settings, user_model: type[Any] | None) -> set[str]:
    """Return the binds with tables of tornkit's own: sessions, limits, reset tokens."""
    binds = {bind_of(settings.session.store), bind_of(settings.limits.store)}
    if user_model is not None:
        binds.add("default")
    return {bind for bind in settings.databases if bind in binds}


# --- sessions, limits, users --------------------------------------------------------------


def make_sessions(
    settings: Settings, databases: Databases, given: SessionStore | None
) -> Sessions:
    """Return the sessions, in the store that was given or else that of the setting.

    Raises:
        SettingsError: ``session.store`` names none.
    """
    session = settings.session
    if given is None:
        given = _store(settings, "session.store", session.store, SESSIONS, databases)
    return Sessions(
        given,
        idle_timeout=session.idle_timeout,
        absolute_timeout=session.absolute_timeout,
        remember_timeout=session.remember_timeout,
        touch_interval=session.touch_interval,
        signer=Signer(lambda: secrets_of(settings), "session"),
    )


def make_limiter(
    settings: Settings, databases: Databases, *, own_sessions: bool, has_users: bool
) -> Limiter:
    """Return the limiter; its store is that of the sessions unless a setting names another.

    Raises:
        SettingsError: ``limits.store`` names none.
    """
    url = settings.limits.store or settings.session.store
    if own_sessions and not settings.limits.store:
        # The setting of the sessions counts for nothing; tries to sign in must be shared.
        url = "database://default" if has_users else "memory://"
    return Limiter(_store(settings, "limits.store", url, LIMITS, databases))


def make_accounts(
    settings: Settings,
    user_model: type[Any],
    known_roles: Collection[str],
    *,
    databases: Databases,
    limiter: Limiter,
    sessions: Sessions,
) -> Accounts[Any]:
    """Return the accounts of a user model."""
    accounts = settings.accounts
    return Accounts(
        user_model,
        databases.sql["default"].session,
        known_roles,
        in_block=lambda: databases.sql["default"].in_block,
        # Tests sign users in by the dozen; their passwords guard nothing.
        hasher=_FAST_HASHER if settings.environment == "testing" else None,
        password_length=accounts.password_length,
        reset_timeout=accounts.reset_timeout,
        sign_in_per_account=Rate.parse(accounts.sign_in_per_account),
        sign_in_per_address=Rate.parse(accounts.sign_in_per_address),
        limiter=limiter,
        network_of=client_network,
        end_sessions=sessions.revoke_user,
    )


def _store(
    settings: Settings, key: str, url: str, kinds: Kinds[Store], databases: Databases
) -> Store:
    try:
        return store_at(url, kinds, databases.sql)
    except StoreRefused as refused:
        problem = (refused.shown, refused.expected, refused.hint)
        raise bad_setting(settings, key, *problem) from None


# --- cache -------------------------------------------------------------------------------


def make_cache(settings: Settings, package: str) -> Cache:
    """Return the cache, closed.

    Raises:
        SettingsError: ``cache.store`` names no store, or nothing names the site's keys in it.
    """
    cache = settings.cache
    site = cache.prefix or package
    try:
        store = store_of(
            cache.store, site=site, max_entries=cache.max_entries, max_bytes=cache.max_bytes
        )
    except (CacheError, SessionError) as refused:
        scheme, colon, _ = cache.store.partition("://")
        shown = f"{scheme}://…" if colon else cache.store  # the rest may hold a password
        raise bad_setting(settings, "cache.store", shown, refused.message, refused.hint) from None
    if isinstance(store, RedisCacheStore) and not site:
        # Sites that begin their keys alike would show each other's values, and clear them.
        raise bad_setting(
            settings,
            "cache.prefix",
            cache.prefix,
            "expected a name for the site's keys in Redis",
            "give it one, or pass modules= as the name of a package",
        )
    return Cache(store)


# --- pages -------------------------------------------------------------------------------


def make_templates(
    settings: Settings, folder: Path | None, modules: Mapping[str, Path]
) -> jinja2.Environment:
    """Return the environment of the site's templates; in production what it compiles is kept.

    Args:
        settings: those of the site.
        folder: the project's templates.
        modules: the folder of each module that has templates, by its namespace.
    """
    compiled = None
    if settings.environment == "production":
        place = settings.paths.data / "templates"
        compiled = CompiledTemplates(place, lambda: secrets_of(settings))
    return create_environment(folder, modules, debug=settings.debug, compiled=compiled)


# --- mail and headers --------------------------------------------------------------------


def make_mailer(settings: Settings, transport: Transport | None) -> Mailer:
    """Return what sends mail, by the transport that was given or else that of the setting.

    Raises:
        SettingsError: ``mail.url`` or ``mail.sender`` cannot be used.
    """
    url = settings.mail.url or default_url(settings.environment)
    sender = settings.mail.sender or default_sender(settings.allowed_hosts)
    try:
        transport = transport or transport_of(url, settings.project_dir)
    except MailError as refused:
        scheme, colon, _ = url.partition(":")
        shown = f"{scheme}://…" if colon else url  # the rest may hold a password
        raise bad_setting(settings, "mail.url", shown, refused.message, refused.hint) from None
    try:
        return Mailer(transport, sender=sender)
    except MailError as refused:
        raise bad_setting(settings, "mail.sender", sender, refused.hint) from None


def bad_setting(
    settings: Settings, key: str, shown: str, expected: str, hint: str = ""
) -> SettingsError:
    """Return the error for a setting that has no use, with where it comes from."""
    origin = settings.origins.get(key, "default")
    return SettingsError([SettingProblem(key, origin, repr(shown), expected, hint)])


def make_cookie(settings: Settings, package: str) -> SessionCookie:
    """Return how the session's id travels."""
    secure = settings.environment == "production"
    name = settings.session.cookie_name or f"{package.replace('.', '_') or 'tornkit'}_session"
    return SessionCookie(f"__Host-{name}" if secure else name, secure)


def make_headers(settings: Settings) -> SecurityHeaders:
    """Return the headers that every answer begins with."""
    security = settings.security
    return SecurityHeaders(
        content_security_policy=security.content_security_policy,
        referrer_policy=security.referrer_policy,
        # Whatever protocol this process sees: HTTPS usually ends at a proxy before it.
        hsts=security.hsts if settings.environment == "production" else 0,
        hsts_subdomains=security.hsts_subdomains,
    )


def make_health_watchers(settings: Settings) -> Callable[[str], bool]:
    """Return what tells by an address who is told which part of the site does not answer."""
    local = ("127.0.0.0/8", "::1", "unix") if settings.environment == "development" else ()
    known = TrustedProxies.parse((*settings.server.health_details, *local))
    return lambda address: known.trusts(plain_address(address) or "")
