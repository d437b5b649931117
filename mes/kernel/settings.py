"""Settings: environment, then what the running supervisor resolved, then `lineside.toml`."""

from __future__ import annotations

import difflib
import ipaddress
import os
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from mes.kernel.address import page_address
from mes.kernel.home import default_home

PREFIX = "LINESIDE_"
SETTINGS_FILE = "lineside.toml"
ENDPOINTS_FILE = "run/endpoints.toml"
"""Written by the supervisor (mode 0600): every setting as resolved, with the addresses and
passwords of what it started. A process of the plant needs nothing else."""

Hidden = Annotated[str, Field(repr=False)]
"""A secret as text: it stays out of every repr and log line."""

Port = Annotated[int, Field(ge=0, le=65535)]


EXIT_CONFIG = 78
"""What a process ends with that no second try can help: a person has to change a setting.

Source: sysexits.h, EX_CONFIG.
"""


class SettingsError(ValueError):
    """A setting is unknown or has a value that cannot be used."""


class Section(BaseModel):
    """One table of `lineside.toml`; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Http(Section):
    """The API and its pages."""

    host: str = "127.0.0.1"
    port: Port = 8080
    fd: int | None = None
    """A listening socket inherited from the supervisor; it wins over host and port."""
    url: str = ""
    """Where people open the pages, without a slash at its end; behind a proxy the proxy's address."""

    @model_validator(mode="before")
    @classmethod
    def _default_url(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and not data.get("url"):
            return {**data, "url": page_address(data.get("host", "127.0.0.1"), data.get("port", 8080))}
        return data

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the pages: no other address, and no proxy in front."""
        return all(_is_loopback(host) for host in (self.host, urlsplit(self.url).hostname or ""))

    @property
    def own(self) -> str:
        """Where a process on this machine reaches the API, without a slash at its end."""
        return page_address(self.host, self.port)

    @property
    def secure(self) -> bool:
        """Whether people open the pages over TLS, here or at a proxy in front."""
        return urlsplit(self.url).scheme == "https"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Broker(Section):
    """The MQTT broker between the edges and ingest."""

    url: Hidden = ""
    """`mqtt://` or `mqtts://`; a user and password in it are used by whoever has none below.
    Empty: `lineside up` starts the embedded broker and fills it in."""
    ingest_user: str = ""
    ingest_password: Hidden = ""
    edge_user: str = ""
    edge_password: Hidden = ""
    device_user: str = ""
    device_password: Hidden = ""

    def url_for(self, role: Literal["ingest", "edge", "device"]) -> str:
        """Return the broker's address with the user and password of `role` in it."""
        user: str = getattr(self, f"{role}_user")
        if not user:
            return self.url
        password: str = getattr(self, f"{role}_password")
        parts = urlsplit(self.url)
        place = parts.netloc.rpartition("@")[2]
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return urlunsplit(parts._replace(netloc=f"{login}@{place}"))


class Erp(Section):
    """The ERP that the bridge keeps in step."""

    adapter: str = "tryton"
    url: str = ""
    """Empty: `lineside up` starts the embedded ERP and fills it in."""
    database: str = "lineside"
    user: str = "lineside"
    password: Hidden = ""
    web_url: str = ""
    """Where a person opens the ERP; empty until its web client is there."""


class Edge(Section):
    """The edge agent that `lineside up` starts."""

    id: str = "edge-suz-1"
    config: Path | None = None
    """CONFIG.toml of this edge; none: the one of the simulated plant."""


class Plant(Section):
    """The simulated plant (demo profile)."""

    seed: int = 40
    history_days: Annotated[int, Field(ge=0, le=60)] = 14
    order_interval_s: Annotated[float, Field(gt=0)] = 180.0
    """Mean time between two customer orders of the simulated sales clerk."""
    orders: bool = True
    """Whether the simulated clerk enters orders and buys material."""
    operators: bool = True
    """Whether simulated people work at the terminals."""
    pace: Annotated[float, Field(gt=0, le=100)] = 1.0
    """How fast the machines' time runs; 1 is as fast as a real plant."""
    ports: dict[str, Port] = {"machining": 48401, "assembly": 48402, "test": 48403}
    """TCP port of each cell's OPC UA server, by cell."""


class Planner(Section):
    """The planner worker."""

    seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0
    """Budget of one search on two idle cores; a small shop gains little beyond a second."""
    workers: Annotated[int, Field(ge=1, le=64)] = 4
    """Search strategies of CP-SAT; they take turns in one process."""
    seed: int = 1
    auto_publish: Literal["first", "appended-only", "always"] = "appended-only"
    """`first`: only when nothing is in force; `appended-only`: also a plan that moves nobody; `always`: any
    but one that puts off an accepted date which can be kept."""
    frozen_min: Annotated[int, Field(ge=0, le=1440)] = 3
    """Published work that starts within so many minutes keeps its unit and its order."""
    stop_min: Annotated[int, Field(ge=1, le=1440)] = 15
    """How long a unit that stopped is taken to stand still at least when nobody said."""
    debounce_s: Annotated[float, Field(ge=0, le=600)] = 2.0
    """How long events may gather before a plan is made."""


class Log(Section):
    """Structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"
    """`auto`: console on a terminal, JSON lines elsewhere."""


class _File(TomlConfigSettingsSource):
    """A settings file; where it is no TOML it is named with the place."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        try:
            return super()._read_file(file_path)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise SettingsError(f"{file_path}: {error}") from error


class Settings(BaseSettings):
    """All settings of one Lineside process. Read them by `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    home: Path = Field(default_factory=default_home)
    profile: Literal["demo", "production"] = "production"
    database_url: Hidden = ""
    historian_url: Hidden = ""
    enterprise: str = "LINDEN"
    site: str = "SUZ"
    """Code of the site; the plant file names the same one."""
    site_tz: str = "Asia/Shanghai"
    """Time zone of the site; the plant file, and so the shifts in the database, name the same one."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "CNY"
    http: Http = Http(url="http://127.0.0.1:8080")
    broker: Broker = Broker()
    erp: Erp = Erp()
    edge: Edge = Edge()
    plant: Plant = Plant()
    planner: Planner = Planner()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - named by pydantic
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, endpoints, lineside.toml."""
        home = default_home()
        return (
            init_settings,
            env_settings,
            _File(settings_cls, home / ENDPOINTS_FILE),
            _File(settings_cls, home / SETTINGS_FILE),
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.site_tz not in available_timezones():
            raise ValueError(
                f"site_tz: there is no time zone {self.site_tz!r}; take one such as Asia/Shanghai"
            )
        if not self.historian_url:
            object.__setattr__(self, "historian_url", self.database_url)
        return self

    @property
    def timezone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.site_tz)

    @property
    def demo(self) -> bool:
        """Whether demo features may exist: demo profile, and only on loopback."""
        return self.profile == "demo" and self.http.loopback


def load(**overrides: Any) -> Settings:
    """Read the settings of this process.

    `DATABASE_URL` and `HISTORIAN_URL` are read by their plain names too, and win.

    Raises:
        SettingsError: A key is unknown or a value is out of its range; the text names it.
    """
    plain = {
        key: os.environ[key.upper()]
        for key in ("database_url", "historian_url")
        if os.environ.get(key.upper())
    }
    _refuse_unknown(os.environ)
    try:
        return Settings(**{**plain, **overrides})
    except ValidationError as error:
        raise SettingsError(_explain(error)) from error


def known_variables() -> frozenset[str]:
    """Return the name of every environment variable that is a setting."""
    return frozenset(PREFIX + path for path in _paths(Settings))


def _paths(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from (f"{name.upper()}__{below}" for below in _paths(inner))
        yield name.upper()


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return known_variables()


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    given = {name for name in environment if name.startswith(PREFIX)}
    unknown = sorted(name for name in given if name.upper() not in _known())
    if unknown:
        near = difflib.get_close_matches(unknown[0], sorted(_known()), n=1)
        hint = f"; do you mean {near[0]}?" if near else ""
        raise SettingsError(f"{unknown[0]} is not a setting of Lineside{hint}")


def _explain(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"]) or "settings"
        lines.append(f"{place}: {item['msg']}")
    return "; ".join(lines)
