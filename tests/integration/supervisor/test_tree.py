"""The supervisor with real processes: order, restarts, a clean end, and no orphans."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from mes.kernel.settings import EXIT_CONFIG
from mes.supervisor import control, notify
from mes.supervisor.children import Identity, Spawn, end_leftovers, remember
from mes.supervisor.paths import Paths
from mes.supervisor.tree import NoSuchProcess, State, Tree, Unit

READY_CHILD = """
import os, signal, socket, sys, time
from mes.supervisor.notify import notify
open(sys.argv[2], "a").write(sys.argv[1] + "\\n")
def end(*_):
    open(sys.argv[2], "a").write("end " + sys.argv[1] + "\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
notify(sys.argv[1])
time.sleep(600)
"""

SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from mes.supervisor.children import Spawn, remember, spawn
async def main():
    argv = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
    child = await spawn(Spawn("child", argv, {}, Path(sys.argv[1]) / "child.log"))
    remember(Path(sys.argv[1]), "child", child.pid, 15)
    print(child.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""

DEAF_SERVICE = """
import asyncio, os, signal
from mes.kernel.plugins import Service
from mes.supervisor import worker
async def work(settings):
    os.kill(os.getpid(), signal.SIGTERM)
    while True:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            print("I go on", flush=True)
worker.END_S = 0.5
worker.run_here(Service("deaf", "deaf run", run=work))
"""

Wait = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path)
    made.make()
    return made


@pytest.fixture
async def eventually() -> Wait:
    async def wait(true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not true():
                await asyncio.sleep(0.02)

    return wait


def _unit(paths: Paths, name: str, *needs: str) -> Unit:
    async def start() -> Spawn:
        env = {**os.environ, notify.VARIABLE: str(paths.notify)}
        argv = (sys.executable, "-c", READY_CHILD, name, str(paths.home / "order"))
        return Spawn(name, argv, env, paths.logs / f"{name}.log")

    return Unit(name, start, needs=needs)


def _order(paths: Paths) -> list[str]:
    return (paths.home / "order").read_text().split("\n")[:-1]


@pytest.fixture
async def tree(paths: Paths) -> AsyncIterator[Tree]:
    tree = Tree(paths, [_unit(paths, "pages", "base"), _unit(paths, "base")])
    transport = await notify.listen(paths.notify, tree.heard)
    yield tree
    transport.close()


async def test_a_process_starts_after_those_it_needs_and_stops_before_them(paths: Paths, tree: Tree) -> None:
    async with tree.running():
        async with asyncio.timeout(60):
            await tree.wait_ready("pages")
        assert tree.ready
        assert {state["name"]: state["state"] for state in tree.states()} == {
            "pages": "ready",
            "base": "ready",
        }
        assert all(state["rss_mb"] > 1 for state in tree.states())
    assert _order(paths) == ["base", "pages", "end pages", "end base"]
    assert not list(paths.pids.iterdir())


async def test_a_killed_process_comes_back_and_is_counted(tree: Tree, eventually: Wait) -> None:
    async with tree.running():
        await tree.wait_ready("pages")
        before = {state["name"]: state["pid"] for state in tree.states()}
        tree.kill("base")
        await eventually(lambda: tree.states()[1]["restarts"] == 1 and tree.ready)
        after = {state["name"]: state["pid"] for state in tree.states()}
        assert after["base"] != before["base"]
        assert after["pages"] == before["pages"]
        assert tree.states()[1]["exit_code"] == -signal.SIGKILL


async def test_a_paused_process_comes_back_by_itself(paths: Paths, tree: Tree, eventually: Wait) -> None:
    async with tree.running():
        await tree.wait_ready("pages")
        await tree.pause("base", 0.2)
        assert tree.states()[1]["state"] == "stopped"
        await eventually(lambda: tree.states()[1]["state"] == "ready")
    assert [name for name in _order(paths) if name != "pages"][:3] == ["base", "end base", "base"]


async def test_a_process_that_always_dies_is_tried_less_and_less_often(
    paths: Paths, eventually: Wait
) -> None:
    async def start() -> Spawn:
        return Spawn("bad", (sys.executable, "-c", "raise SystemExit(7)"), os.environ, paths.logs / "bad.log")

    tree = Tree(paths, [Unit("bad", start)])
    async with tree.running():
        await eventually(lambda: tree.states()[0]["restarts"] >= 3)
        assert tree.failing("bad")
        assert not tree.ready
        assert tree.states()[0]["exit_code"] == 7


async def test_a_task_runs_once_and_opens_the_way(paths: Paths) -> None:
    async def start() -> Spawn:
        argv = (sys.executable, "-c", f"open({str(paths.home / 'order')!r}, 'a').write('task\\n')")
        return Spawn("task", argv, os.environ, paths.logs / "task.log")

    tree = Tree(paths, [Unit("task", start, task=True), _unit(paths, "base", "task")])
    transport = await notify.listen(paths.notify, tree.heard)
    async with tree.running(), asyncio.timeout(60):
        await tree.wait_ready("base")
        assert [state["name"] for state in tree.states()] == ["base"]
        assert dict(tree.stages())["task"] is State.DONE
    transport.close()
    assert _order(paths) == ["task", "base", "end base"]


async def test_a_process_that_ignores_its_stop_signal_is_killed(paths: Paths, eventually: Wait) -> None:
    deaf = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )

    async def start() -> Spawn:
        return Spawn("deaf", (sys.executable, "-c", deaf), os.environ, paths.logs / "deaf.log")

    async def heard() -> bool:
        return "deaf" in (paths.logs / "deaf.log").read_text()

    tree = Tree(paths, [Unit("deaf", start, ready=heard, stop_s=0.3)])
    async with tree.running():
        await eventually(lambda: tree.ready)
        pid = tree.states()[0]["pid"]
    assert Identity.of(pid) is None


def test_a_need_that_nobody_offers_is_an_error(paths: Paths) -> None:
    with pytest.raises(NoSuchProcess, match="needs base"):
        Tree(paths, [_unit(paths, "pages", "base")])


async def test_the_control_socket_stops_starts_and_kills(paths: Paths, tree: Tree, eventually: Wait) -> None:
    down = asyncio.Event()
    server = await control.serve(paths.control, tree, down.set, {"url": "http://here"})
    assert paths.control.stat().st_mode & 0o777 == 0o600
    async with tree.running():
        await tree.wait_ready("pages")
        await control.ask(paths.home, "stop", "pages")
        status = await control.ask(paths.home, "status")
        assert (status["url"], status["ready"]) == ("http://here", True)
        assert status["processes"][0]["state"] == "stopped"
        await control.ask(paths.home, "start", "pages")
        await eventually(lambda: tree.states()[0]["state"] == "ready")
        assert tree.states()[0]["restarts"] == 0
        await control.ask(paths.home, "kill", "pages")
        await eventually(lambda: tree.states()[0]["restarts"] == 1)
        with pytest.raises(control.ControlRefused, match="no process 'nobody'"):
            await control.ask(paths.home, "kill", "nobody")
        await control.ask(paths.home, "down")
        assert down.is_set()
    server.close()
    paths.control.unlink(missing_ok=True)
    with pytest.raises(control.NotRunning):
        await control.ask(paths.home, "status")


async def test_a_killed_supervisor_takes_its_children_with_it(tmp_path: Path, eventually: Wait) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    child = Identity.of(int(supervisor.stdout.readline()))
    assert child is not None
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    await eventually(lambda: not child.alive)


def test_a_service_that_does_not_end_says_where_it_is_and_is_ended() -> None:
    argv = [sys.executable, "-c", DEAF_SERVICE]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "I go on" in done.stdout
    assert "run_forever" in done.stderr


async def test_only_our_own_leftovers_are_ended(tmp_path: Path) -> None:
    ours = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(600)")
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(600)")
    remember(tmp_path, "ours", ours.pid, signal.SIGTERM)
    (tmp_path / "other.json").write_text(f'{{"pid": {other.pid}, "started": "1", "stop_signal": 15}}')
    try:
        assert await end_leftovers(tmp_path) == ["ours"]
        assert await ours.wait() == -signal.SIGTERM
        assert other.returncode is None
        assert not list(tmp_path.glob("*.json"))
    finally:
        other.kill()
        await other.wait()


async def test_a_task_that_no_second_try_can_help_is_told_apart(paths: Paths, eventually: Wait) -> None:
    async def start() -> Spawn:
        code = f"import sys; print('the zones differ'); sys.exit({EXIT_CONFIG})"
        return Spawn("settle", (sys.executable, "-c", code), {}, paths.logs / "settle.log")

    tree = Tree(paths, [Unit("settle", start, task=True), _unit(paths, "one", "settle")])
    async with tree.running():
        await eventually(lambda: tree.refused is not None)
        assert (tree.refused, tree.ready) == ("settle", False)
    assert "the zones differ" in (paths.logs / "settle.log").read_text()
