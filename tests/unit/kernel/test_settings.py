"""Settings: where they come from, what is refused, what stays out of a repr."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mes.kernel.settings import Broker, Http, SettingsError, load
from tests.architecture.graph import ROOT


@pytest.fixture(autouse=True)
def _empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "HISTORIAN_URL", "LINESIDE_HTTP__PORT", "LINESIDE_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LINESIDE_HOME", str(tmp_path))


def test_an_unknown_variable_is_refused_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINESIDE_HTTP__PROT", "8081")
    with pytest.raises(SettingsError, match="LINESIDE_HTTP__PORT"):
        load()


def test_an_unknown_key_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lineside.toml").write_text("[http]\nprot = 8081\n")
    with pytest.raises(SettingsError, match=r"http\.prot"):
        load()


def make_up() -> str:
    """Return what `make up` says, which cannot begin."""
    begin = [sys.executable, str(ROOT / "mes" / "bootstrap.py"), "up"]
    done = subprocess.run(begin, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("text", "place"), [(b"[http]\nport = \n", "line 2, column 8"), (b'site = "\xe9"\n', "0xe9")]
)
def test_a_file_with_a_slip_of_the_pen_is_named_with_the_place(
    tmp_path: Path, text: bytes, place: str
) -> None:
    (tmp_path / "lineside.toml").write_bytes(text)
    with pytest.raises(SettingsError, match=f"lineside.toml: .*{place}"):
        load()
    assert re.search(f"lineside.toml: .*{place}", make_up())


@pytest.mark.parametrize("port", ["abc", "70000", "-1", ""])
def test_a_port_that_is_none_is_named_before_anything_is_installed(
    monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    monkeypatch.setenv("LINESIDE_HTTP__PORT", port)
    assert re.search(f"LINESIDE_HTTP__PORT.* is '{port}'", make_up())


def test_a_time_zone_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINESIDE_SITE_TZ", "Mars/Olympus")
    with pytest.raises(SettingsError, match="Mars/Olympus"):
        load()


def test_the_environment_wins_over_the_file_key_by_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lineside.toml").write_text('site = "HGH"\n[http]\nhost = "::1"\nport = 9000\n')
    monkeypatch.setenv("LINESIDE_HTTP__PORT", "9001")
    settings = load()
    assert (settings.site, settings.http.host, settings.http.port) == ("HGH", "::1", 9001)


def test_what_the_supervisor_resolved_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "lineside.toml").write_text("[http]\nport = 9000\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "endpoints.toml").write_text("[http]\nport = 9007\n")
    assert load().http.port == 9007


def test_the_plain_database_names_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lineside.toml").write_text('database_url = "postgresql://file/x"\n')
    monkeypatch.setenv("DATABASE_URL", "postgresql://own/x")
    settings = load()
    assert settings.database_url == settings.historian_url == "postgresql://own/x"


def test_a_value_out_of_range_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINESIDE_HTTP__PORT", "70000")
    with pytest.raises(SettingsError, match=r"http\.port"):
        load()


def test_no_secret_is_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@h/d")
    monkeypatch.setenv("LINESIDE_BROKER__INGEST_PASSWORD", "hunter2")
    monkeypatch.setenv("LINESIDE_ERP__PASSWORD", "hunter2")
    assert "hunter2" not in repr(load())


def test_a_login_is_put_into_the_brokers_address() -> None:
    broker = Broker(url="mqtts://old:login@plant.example:8883", edge_user="edge-1", edge_password="p@ss/1")
    assert broker.url_for("edge") == "mqtts://edge-1:p%40ss%2F1@plant.example:8883"
    assert broker.url_for("ingest") == "mqtts://old:login@plant.example:8883"


@pytest.mark.parametrize(
    ("host", "profile", "demo"),
    [
        ("127.0.0.1", "demo", True),
        ("localhost", "demo", True),
        ("::1", "demo", True),
        ("0.0.0.0", "demo", False),
        ("192.0.2.7", "demo", False),
        ("plant.example", "demo", False),
        ("127.0.0.1", "production", False),
    ],
)
def test_demo_features_need_the_demo_profile_and_loopback(
    host: str, profile: str, demo: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINESIDE_HTTP__HOST", host)
    monkeypatch.setenv("LINESIDE_PROFILE", profile)
    assert load().demo is demo


def test_the_address_for_other_processes_is_one_they_can_reach() -> None:
    assert Http(host="0.0.0.0", port=8081).url == "http://127.0.0.1:8081"
    assert Http(host="::1").url == "http://[::1]:8080"
    assert Http(url="https://plant.example").url == "https://plant.example"


def test_this_machine_reaches_the_api_past_the_proxy_in_front(tmp_path: Path) -> None:
    (tmp_path / "lineside.toml").write_text(
        '[http]\nhost = "0.0.0.0"\nport = 9000\nurl = "https://mes.example"\n'
    )
    http = load().http
    assert (http.own, http.url, http.secure) == ("http://127.0.0.1:9000", "https://mes.example", True)
