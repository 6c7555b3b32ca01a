"""The settings class of a project, and what can be asked of a loaded one."""

from __future__ import annotations

import re
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict, Unpack

from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tornkit.errors import SettingProblem, SettingsError
from tornkit.settings._folders import absolute_url, make_folder, sqlite_file
from tornkit.settings._listing import SettingRow, rows
from tornkit.settings._load import Plan, plan
from tornkit.settings._masking import reveal
from tornkit.settings._problems import NOT_SET, origin_of, problems_of
from tornkit.settings._secret import GENERATED, GeneratedSecret, deploy_problems
from tornkit.settings._sections import (
    AccountSettings,
    CacheSettings,
    DatabaseOptions,
    LimitSettings,
    MailSettings,
    PathSettings,
    SecuritySettings,
    ServerSettings,
    SessionSettings,
    TaskSettings,
)
from tornkit.settings._types import (
    BindName,
    DatabaseUrl,
    Host,
    LogLevel,
    Origin,
    Port,
    default_databases,
    in_development,
    local_hosts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Settings"]

_PLAN = "_plan"


class _Loaded(TypedDict):
    """What a settings object remembers of its load; no values."""

    project_dir: Path
    prefix: str
    origins: dict[tuple[str, ...], str]
    warnings: list[SettingProblem]


# Set while pydantic builds a settings object, so that a project's validators find it loaded.
_loading: ContextVar[_Loaded | None] = ContextVar("tornkit_settings_loading", default=None)


class Settings(BaseSettings):
    """The settings of a site, frozen; subclass it and add typed fields of your own.

    ``env_prefix`` starts the names of environment variables; it is ``TORNKIT_`` unless a
    subclass says otherwise. Calling the class is the same as `load` with overrides.

    Example:
        >>> class SchoolSettings(Settings, env_prefix="SCHOOL_"):
        ...     classes: int = 12
        >>> SchoolSettings.load("testing", overrides={"port": 0}).classes
        12

    Raises:
        SettingsError: with every bad value of every layer.
    """

    model_config = SettingsConfigDict(
        env_prefix="TORNKIT_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    environment: Literal["development", "testing", "production"] = "development"
    debug: bool = Field(default_factory=in_development)
    host: str = Field(default="127.0.0.1", min_length=1)
    port: Port = 8888
    secret: SecretStr = SecretStr("")
    secret_fallbacks: list[SecretStr] = Field(default_factory=list)
    allowed_hosts: list[Host] = Field(default_factory=local_hosts)
    trusted_origins: list[Origin] = Field(default_factory=list)
    paths: PathSettings = Field(default_factory=PathSettings)
    databases: dict[BindName, DatabaseUrl] = Field(default_factory=default_databases)
    database_options: dict[BindName, DatabaseOptions] = Field(default_factory=dict)
    session: SessionSettings = Field(default_factory=SessionSettings)
    accounts: AccountSettings = Field(default_factory=AccountSettings)
    limits: LimitSettings = Field(default_factory=LimitSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    tasks: TaskSettings = Field(default_factory=TaskSettings)
    security: SecuritySettings = Field(default_factory=SecuritySettings)
    mail: MailSettings = Field(default_factory=MailSettings)
    server: ServerSettings = Field(default_factory=ServerSettings)
    installed_modules: list[str] = Field(default_factory=list)
    logging: dict[str, Any] = Field(default_factory=dict)
    log_level: LogLevel = "INFO"

    _loaded: _Loaded | None = PrivateAttr(default_factory=lambda: _loading.get())  # noqa: PLW0108 - mypy cannot type the method

    if TYPE_CHECKING:

        def __init_subclass__(cls, *, env_prefix: str = ..., **kwargs: Unpack[ConfigDict]) -> None:
            """Take pydantic's configuration as keywords of the class."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a prefix that no variable can have."""
        super().__pydantic_init_subclass__(**kwargs)
        prefix = cls.model_config.get("env_prefix", "")
        if not re.fullmatch(r"([A-Z][A-Z0-9_]*_)?", prefix):
            raise TypeError(
                f"class {cls.__name__}: env_prefix is {prefix!r}; expected upper-case letters "
                'and digits that end with _, such as "MYSCHOOL_"'
            )

    def __init__(self, /, **values: Any) -> None:
        read = values.pop(_PLAN, None)
        if read is None:
            read = plan(type(self), _prefix(type(self)), None, None, values)
        # Past BaseSettings' own constructor: its sources and its debug log would see values.
        problems = _validate(self, read)
        if problems:
            # Here, where no local variable holds a value: tracebacks may show those.
            raise SettingsError(problems)

    @classmethod
    def load(
        cls,
        environment: str | None = None,
        *,
        project_dir: Path | str | None = None,
        overrides: Mapping[str, object] | None = None,
    ) -> Self:
        """Read all layers; nothing is written.

        Args:
            environment: else the command line's, else ``<PREFIX>ENVIRONMENT``, else development.
            project_dir: where the files lie; else the folder of the nearest ``pyproject.toml``
                above the file of this class, else the current folder.
            overrides: nested or dotted keys that win over all but the command line.

        Raises:
            SettingsError: with every bad value of every layer.
        """
        read = plan(cls, _prefix(cls), environment, project_dir, overrides or {})
        return cls(**{_PLAN: read})

    @property
    def project_dir(self) -> Path:
        """The folder that relative paths start at."""
        return self._remembered["project_dir"]

    @property
    def origins(self) -> Mapping[str, str]:
        """Where each value comes from, by dotted key: a row of `listing` each."""
        return MappingProxyType({row.key: row.origin for row in self.listing()})

    @property
    def warnings(self) -> list[SettingProblem]:
        """What looks wrong but does not stop the load: unknown variables with the prefix."""
        return list(self._remembered["warnings"])

    @property
    def _remembered(self) -> _Loaded:
        if self._loaded is None:
            raise RuntimeError("these settings were not loaded; make them with Settings.load()")
        return self._loaded

    def listing(self) -> list[SettingRow]:
        """Return every value with its origin, secrets as None, passwords in URLs as ``***``."""
        origins = self._remembered["origins"]
        return list(rows(self, lambda path: _nearest(path, origins)))

    def database_urls(self) -> dict[str, str]:
        """Return the URL of each bind with its password; SQLite files as absolute paths."""
        return {
            name: absolute_url(url.get_secret_value(), self.project_dir)
            for name, url in self.databases.items()
        }

    def task_queue_url(self) -> str:
        """Return the URL of the task queue with its password; an SQLite file as absolute path."""
        return absolute_url(self.tasks.queue, self.project_dir)

    def create_paths(self) -> None:
        """Create the folders of ``paths`` and of SQLite files; the application calls it at start.

        Raises:
            SettingsError: with every folder that cannot be had.
        """
        wanted: dict[str, Path] = {}
        for name, folder in self.paths:
            if isinstance(folder, Path):
                wanted[f"paths.{name}"] = folder
        for name, url in self.database_urls().items():
            file = sqlite_file(url)
            if file is not None:
                wanted[f"databases.{name}"] = file.parent
        problems = [
            SettingProblem(key, self.origins.get(key, "default"), "", message)
            for key, folder in wanted.items()
            if (message := make_folder(folder))
        ]
        if problems:
            raise SettingsError(problems)

    def check_deploy(self) -> list[SettingProblem]:
        """Return what production would refuse in these settings; empty if nothing."""
        generated = isinstance(self.secret, GeneratedSecret)
        return deploy_problems(
            secret=None if generated else self.secret.get_secret_value(),
            debug=self.debug,
            allowed_hosts=self.allowed_hosts,
            origin=lambda key: _nearest((key,), self._remembered["origins"]),
            prefix=self._remembered["prefix"],
        )

    def __repr__(self) -> str:
        """Name the environment only: fields may hold passwords."""
        return f"{type(self).__name__}(environment={self.__dict__.get('environment')!r})"

    __str__ = __repr__


def _prefix(cls: type[Settings]) -> str:
    return str(cls.model_config.get("env_prefix", ""))


def _nearest(path: tuple[str, ...], origins: Mapping[tuple[str, ...], str]) -> str:
    known = (origins.get(path[:length]) for length in range(len(path), 0, -1))
    return next((origin for origin in known if origin is not None), "default")


def _validate(settings: Settings, read: Plan) -> list[SettingProblem]:
    """Fill the object from the plan; return everything that is wrong."""
    cls, layers = type(settings), read.layers
    data = {**layers.data(), "environment": read.environment}
    loaded = _remember(read)
    if reveal(data.get("secret")) in ("", None) and read.environment != "production":
        data.pop("secret", None)
    token = _loading.set(loaded)
    try:
        # By name: an alias would be a second name for a key.
        settings.__pydantic_validator__.validate_python(
            data,
            self_instance=settings,
            context={"project_dir": read.project_dir},
            by_alias=False,
            by_name=True,
        )
        invalid = []
    except ValidationError as error:
        invalid = problems_of(cls, error, layers.entries, read.prefix)
    finally:
        _loading.reset(token)
    problems = layers.problems + invalid
    if read.environment == "production":
        problems += _refused(data, loaded, {problem.key for problem in problems})
    if not problems and not settings.secret.get_secret_value():
        file = settings.paths.data / "secret.key"
        settings.__dict__["secret"] = GeneratedSecret(file)  # frozen for everybody else
        loaded["origins"]["secret",] = GENERATED
    return problems


def _remember(read: Plan) -> _Loaded:
    origins = {
        path: origin_of(path, read.entries)
        for path, entry in read.entries.items()
        if entry.raw != {} or not path
    }
    origins["environment",] = read.environment_origin
    return _Loaded(
        project_dir=read.project_dir,
        prefix=read.prefix,
        origins=origins,
        warnings=list(read.layers.warnings),
    )


def _refused(data: dict[str, Any], loaded: _Loaded, known: set[str]) -> list[SettingProblem]:
    """Return what production refuses, judged on raw values: others of them may be bad."""
    try:
        debug = TypeAdapter(bool).validate_python(data.get("debug", False))
    except ValidationError:
        debug = False
    hosts = data.get("allowed_hosts", [])
    problems = deploy_problems(
        secret=str(reveal(data.get("secret", ""))),
        debug=debug,
        allowed_hosts=hosts if isinstance(hosts, list) else [hosts],
        origin=lambda key: loaded["origins"].get((key,), NOT_SET),
        prefix=loaded["prefix"],
    )
    return [problem for problem in problems if problem.key not in known]
