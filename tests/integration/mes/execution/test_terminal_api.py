"""The terminal over HTTP: one snapshot, idempotent commands, refusals that a page can show."""

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest_asyncio
from fastapi._compat import ModelField
from fastapi.routing import APIRoute
from pydantic import BaseModel

from mes.access.guard import Plant
from mes.access.model import Role
from mes.app import build_app, installed_routers
from mes.definitions import service as definitions
from mes.definitions.model import WorkMasterComponent
from mes.identification.scan import parse_scan
from mes.kernel.clock import utc_now
from mes.kernel.ids import EquipmentId, LotNumber, MaterialId
from mes.performance import service as performance
from mes.performance.model import CountKind, CountReading
from mes.resources.model import PersonLacksSkill
from mes.resources.service import person_card
from tests.fixtures.floor import Floor, work_master
from tests.fixtures.web import Web, demo_settings, key

API = "/api/v1"


class Terminal:
    """A browser at a unit, with a person signed on."""

    def __init__(self, client: Any, unit: str) -> None:
        self.client = client
        self.unit = unit

    async def show(self) -> dict[str, Any]:
        reply = await self.client.get(f"{API}/terminals/{self.unit}")
        assert reply.status_code == 200, reply.text
        shown: dict[str, Any] = reply.json()
        return shown

    async def send(self, path: str, *, headers: dict[str, str] | None = None, **body: Any) -> Any:
        return await self.client.post(
            f"{API}{path}", json=body, headers={**(headers or key()), "X-Terminal": self.unit}
        )


@pytest_asyncio.fixture
async def web(floor: Floor, tmp_path: Path) -> AsyncIterator[Web]:
    """The application over the open floor."""
    plant = Plant(floor.db, demo_settings(tmp_path), person_card)
    made = Web(build_app(plant, installed_routers()), floor.db)
    yield made
    for client in made.opened:
        await client.aclose()


@pytest_asyncio.fixture
async def at_cnc_1(web: Web, floor: Floor) -> Terminal:
    """E-1001 at the terminal of CNC-1, with an order planned there."""
    floor.now = utc_now()
    number = await floor.order(3)
    await floor.plan(number)
    return await sit_down(web, "CNC-1", "E-1001")


async def sit_down(web: Web, unit: str, person: str) -> Terminal:
    client = await web.browser(Role.OPERATOR)
    terminal = Terminal(client, unit)
    reply = await terminal.send(f"/terminals/{unit}/sit-down", person=person)
    assert reply.status_code == 200, reply.text
    return terminal


async def test_one_snapshot_shows_all(at_cnc_1: Terminal) -> None:
    shown = await at_cnc_1.show()
    (job,) = shown["queue"]
    assert shown["job"] is None
    assert (job["startable"], job["remaining"], job["status"]) == (True, "3", "Ready")
    assert job["components"][0]["lots"] == [
        {"lot": "LOT-CAST-40-1", "code": "LOT-CAST-40-1", "quantity": "200", "expires_at": None}
    ]
    assert [one["id"] for one in shown["people"]] == ["E-1001"]
    assert "dimension" in shown["reasons"]["scrap"]
    assert {"work_order", "lot", "command"} <= {one["kind"] for one in shown["tray"]["labels"]}
    assert f"WO:{job['work_order']}" in {one["text"] for one in shown["tray"]["labels"]}


async def test_lots_that_are_kept_for_others_hide_none_that_is_free(at_cnc_1: Terminal, floor: Floor) -> None:
    other = await floor.order(1)
    soon = floor.now + timedelta(days=1)
    for number in range(4):
        kept = LotNumber(f"LOT-KEPT-{number}")
        await floor.lot("CAST-40", "9", lot=kept, reserved_for=other, expires_at=soon)
    (job,) = (await at_cnc_1.show())["queue"]
    assert [one["lot"] for one in job["components"][0]["lots"]] == ["LOT-CAST-40-1"]


async def test_lots_are_used_as_the_erp_calls_them(at_cnc_1: Terminal, floor: Floor) -> None:
    job = (await at_cnc_1.show())["queue"][0]["id"]
    assert (await at_cnc_1.send(f"/job-orders/{job}/start")).status_code == 200
    names = ("Heat-7a", "批次-1", "CH 12", "A+B", "LOT_5")
    for name in names:
        first = floor.now + timedelta(days=1)
        await floor.lot("CAST-40", "1", lot=LotNumber(name), expires_at=first)
        shown = await at_cnc_1.show()
        labels = {one["text"] for one in shown["tray"]["labels"] if one["kind"] == "lot"}
        assert f"LOT:{name}" in labels
        lot = parse_scan(f"LOT:{name}").fields["lot"]
        used = await at_cnc_1.send(f"/job-orders/{job}/consume", lot=lot, quantity="1")
        assert used.status_code == 200, used.text
        floor.after(1)
    assert [one["lot"] for one in (await at_cnc_1.show())["last"]][:5] == list(reversed(names))


async def test_a_lot_read_in_other_letters_or_with_another_materials_number(
    at_cnc_1: Terminal, floor: Floor
) -> None:
    job = (await at_cnc_1.show())["queue"][0]["id"]
    await at_cnc_1.send(f"/job-orders/{job}/start")
    for material in ("SHAFT", "CAST-40"):
        await floor.lot(material, "9", lot=LotNumber("Heat-7a"))
    await floor.lot("CAST-40", "9", lot=LotNumber("heat-7b"))
    await floor.lot("CAST-40", "9", lot=LotNumber("HEAT-7B"))
    for read in ("Heat-7a", "HEAT-7A", "HEAT-7B"):
        used = await at_cnc_1.send(f"/job-orders/{job}/consume", lot=read, quantity="1")
        assert used.status_code == 200, used.text
    unclear = await at_cnc_1.send(f"/job-orders/{job}/consume", lot="Heat-7B", quantity="1")
    assert unclear.json()["error"] == "LotNotClear"
    assert unclear.json()["params"]["lots"] == "HEAT-7B, heat-7b"
    unknown = await at_cnc_1.send(f"/job-orders/{job}/consume", lot="Heat-9", quantity="1")
    assert unknown.json()["error"] == "UnknownBarcode"
    lots = [one["lot"] for one in (await at_cnc_1.show())["last"]]
    assert lots == ["HEAT-7B", "Heat-7a@CAST-40", "Heat-7a@CAST-40"]


async def test_one_number_of_two_materials_of_a_bill_means_neither(web: Web, floor: Floor) -> None:
    """The label in the tray and the button in the list say which."""
    floor.now = utc_now()
    parts = tuple(
        WorkMasterComponent(operation=10, material=MaterialId(one), quantity=Decimal(1), uom="pc")
        for one in ("CAST-40", "SEAL")
    )
    await floor.do(lambda tx: definitions.put_work_master(tx, work_master(components=parts)))
    number = await floor.order(3)
    await floor.plan(number)
    for part in parts:
        soon = floor.now + timedelta(days=1)
        await floor.lot(part.material, "9", lot=LotNumber("X-7"), expires_at=soon)
    at_cnc_1 = await sit_down(web, "CNC-1", "E-1001")
    job = f"/job-orders/{number}-10"
    await at_cnc_1.send(f"{job}/start")
    for reply in (
        await at_cnc_1.send(f"{job}/consume", lot="X-7"),
        await at_cnc_1.send("/lots/X-7/hold", reason="damaged"),
    ):
        unclear = reply.json()
        assert (unclear["error"], unclear["params"]["lots"]) == ("LotNotClear", "X-7@CAST-40, X-7@SEAL")
    shown = await at_cnc_1.show()
    labels = {one["text"] for one in shown["tray"]["labels"]}
    for part in shown["job"]["components"]:
        code = part["lots"][0]["code"]
        assert code == f"X-7@{part['material']}"
        assert f"LOT:{code}" in labels
        used = await at_cnc_1.send(f"{job}/consume", lot=parse_scan(f"LOT:{code}").fields["lot"])
        assert used.status_code == 200, used.text
        floor.after(1)
    last = {one["material"]: one["lot"] for one in (await at_cnc_1.show())["last"]}
    assert last == {"CAST-40": "X-7", "SEAL": "X-7@SEAL"}
    held = await at_cnc_1.send("/lots/X-7@CAST-40/hold", reason="damaged")
    assert held.status_code == 200, held.text


async def test_a_shift_at_the_terminal(at_cnc_1: Terminal) -> None:
    job = (await at_cnc_1.show())["queue"][0]["id"]
    for act, body in (
        ("start", {}),
        ("consume", {"lot": "LOT-CAST-40-1"}),
        ("report", {"good": 2, "scrap": "1", "reason": "porosity"}),
        ("hold", {"reason": "end-of-shift"}),
        ("resume", {}),
        ("complete", {}),
    ):
        reply = await at_cnc_1.send(f"/job-orders/{job}/{act}", **body)
        assert reply.status_code == 200, reply.text
    shown = await at_cnc_1.show()
    assert (shown["job"], shown["queue"]) == (None, [])
    assert [one["kind"] for one in shown["last"]] == ["report", "consumption"]


async def test_a_double_tap_gives_the_same_reply(at_cnc_1: Terminal) -> None:
    job = (await at_cnc_1.show())["queue"][0]["id"]
    await at_cnc_1.send(f"/job-orders/{job}/start")
    tap = key()
    first = await at_cnc_1.send(f"/job-orders/{job}/report", headers=tap, good=1)
    second = await at_cnc_1.send(f"/job-orders/{job}/report", headers=tap, good=1)
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (await at_cnc_1.show())["job"]["good"] == "1"


async def test_the_second_terminal_learns_the_state(at_cnc_1: Terminal, web: Web, floor: Floor) -> None:
    job = (await at_cnc_1.show())["queue"][0]["id"]
    await at_cnc_1.send(f"/job-orders/{job}/start")
    await floor.do(lambda tx: clocked_in(tx, "E-1002"))
    other = await sit_down(web, "CNC-2", "E-1002")
    reply = await other.send(f"/job-orders/{job}/start")
    refusal = reply.json()
    assert (reply.status_code, refusal["error"]) == (409, "JobOrderNotStartable")
    assert refusal["params"]["reason"] == "running"
    assert refusal["state"]["equipment"] == "CNC-1"
    assert refusal["remedy"]


async def test_a_start_without_the_skill_says_who_may_do_it(web: Web, floor: Floor) -> None:
    """In English from the server; the pages say it by its code, and have the words."""
    floor.now = utc_now()
    number = await floor.order(1)
    await floor.plan(number)
    assembler = await sit_down(web, "CNC-1", "E-1005")
    reply = await assembler.send(f"/job-orders/{number}-10/start")
    refusal = reply.json()
    assert (reply.status_code, refusal["error"]) == (403, "PersonLacksSkill")
    assert refusal["message"].startswith("This person does not have the skill for this work")
    assert refusal["remedy"] == PersonLacksSkill.remedy
    assert refusal["params"] == {"person": "E-1005", "skill": "MACHINING"}
    assert (await assembler.show())["job"] is None


async def clocked_in(tx: Any, person: str) -> None:
    from mes.resources import service as resources

    await resources.clock_in(tx, person)  # type: ignore[arg-type]


async def test_a_refusal_is_the_same_for_a_retry(at_cnc_1: Terminal) -> None:
    job = (await at_cnc_1.show())["queue"][0]["id"]
    await at_cnc_1.send(f"/job-orders/{job}/start")
    tap = key()
    first = await at_cnc_1.send(f"/job-orders/{job}/consume", headers=tap, lot="LOT-SEAL-1")
    second = await at_cnc_1.send(f"/job-orders/{job}/consume", headers=tap, lot="LOT-SEAL-1")
    assert (first.status_code, first.json()["error"]) == (409, "MaterialNotOnBill")
    assert first.json() == second.json()


async def test_an_offline_report_is_booked_at_its_own_time(at_cnc_1: Terminal, floor: Floor) -> None:
    job = (await at_cnc_1.show())["queue"][0]["id"]
    await floor.do(lambda tx: tx.execute("update mes.sign_on set since = since - interval '4 hours'"))
    for verb, waited_s in (("start", 10_800), ("report", 7_200)):
        before, good = utc_now(), {"good": 1} if verb == "report" else {}
        headers = {"X-Waited-S": str(waited_s), **key()}
        reply = await at_cnc_1.send(f"/job-orders/{job}/{verb}", headers=headers, **good)
        assert reply.status_code == 200, reply.text
    async with floor.db.read() as tx:
        at = await tx.value("select at from mes.report where job_order = %(job)s", {"job": job})
    assert before <= at + timedelta(hours=2) <= utc_now()


async def test_fields_that_nobody_knows_are_refused(at_cnc_1: Terminal) -> None:
    job = (await at_cnc_1.show())["queue"][0]["id"]
    reply = await at_cnc_1.send(f"/job-orders/{job}/report", good=1, colour="red")
    assert (reply.status_code, reply.json()["error"]) == (422, "RequestNotValid")


async def test_the_numbers_can_be_looked_up(at_cnc_1: Terminal, web: Web, floor: Floor) -> None:
    shown = await at_cnc_1.show()
    job = shown["queue"][0]
    await at_cnc_1.send(f"/job-orders/{job['id']}/start")
    await at_cnc_1.send(f"/job-orders/{job['id']}/consume", lot="LOT-CAST-40-1", quantity="2")
    client = await web.browser(Role.PLANNER)
    lot = (await client.get(f"{API}/lots/LOT-CAST-40-1")).json()
    assert [one["quantity"] for one in lot["movements"]] == ["200", "-2"]
    assert lot["where_used"][0]["work_order"] == job["work_order"]
    order = (await client.get(f"{API}/work-orders/{job['work_order']}")).json()
    assert (len(order["jobs"]), len(order["serials"])) == (6, 3)
    serial = (await client.get(f"{API}/serials/{order['serials'][0]['serial']}")).json()
    assert (serial["serial"]["status"], serial["as_built"]) == ("reserved", None)
    listed = (await client.get(f"{API}/work-orders", params={"status": "Running"})).json()
    assert [one["id"] for one in listed] == [job["work_order"]]
    for path in ("/equipment", "/people", "/reasons", "/stock", "/expected-receipts"):
        assert (await client.get(f"{API}{path}")).status_code == 200, path


async def test_a_lot_is_held_from_the_page(at_cnc_1: Terminal, web: Web) -> None:
    supervisor = await web.browser(Role.SUPERVISOR)
    path = f"{API}/lots/LOT-CAST-40-1/hold"
    reply = await supervisor.post(path, json={"reason": "supplier-defect"}, headers=key())
    assert reply.status_code == 200, reply.text
    (job,) = (await at_cnc_1.show())["queue"]
    assert job["components"][0]["lots"] == []


async def test_a_person_clocks_in_and_out_over_http(web: Web) -> None:
    client = await web.browser(Role.SUPERVISOR)
    for act, status in (("clock-in", 200), ("clock-in", 409), ("clock-out", 200), ("clock-out", 409)):
        reply = await client.post(f"{API}/people/E-1003/{act}", json={}, headers=key())
        assert reply.status_code == status, reply.text


async def test_a_scope_elsewhere_may_not_report_here(web: Web, floor: Floor) -> None:
    floor.now = utc_now()
    number = await floor.order(1)
    await floor.plan(number)
    client = await web.browser(Role.OPERATOR, scope="PACK")
    reply = await client.post(f"{API}/job-orders/{number}-10/start", json={}, headers=key())
    assert (reply.status_code, reply.json()["error"]) == (403, "NotPermitted")


VALUES = {
    "reason": "other",
    "lot": "LOT-CAST-40-1",
    "report": "00000000-0000-4000-8000-000000000001",
    "person": "E-1001",
    "badge": "EMP:E-1001",
    "pin": "4711",
    "accepted": True,
}
"""What the commands about equipment ask for."""


def commands_about_equipment() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the address and a body of every command on a job, a unit or a terminal."""
    for router in installed_routers():
        for route in router.routes:
            if (
                isinstance(route, APIRoute)
                and "POST" in (route.methods or ())
                and ABOUT & set(route.param_convertors)
            ):
                wanted = {name for param in route.dependant.body_params for name in fields_of(param)}
                yield route.path, {name: value for name, value in VALUES.items() if name in wanted}


def fields_of(param: ModelField) -> Iterable[str]:
    model = param.field_info.annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return model.model_fields


ABOUT = {"job_order", "equipment"}


async def test_a_right_elsewhere_opens_no_command_about_equipment_here(web: Web, floor: Floor) -> None:
    floor.now = utc_now()
    number = await floor.order(1)
    await floor.plan(number)
    client = await web.browser(*Role, scope="PACK")
    here = {"job_order": f"{number}-10", "equipment": "CNC-1"}
    asked = {path.format(**here): body for path, body in commands_about_equipment()}
    replies = {path: await client.post(path, json=body, headers=key()) for path, body in asked.items()}
    assert len(replies) >= 9
    assert {path: reply.status_code for path, reply in replies.items() if reply.status_code != 403} == {}


async def test_a_doubtful_count_is_decided_where_the_right_holds(web: Web, floor: Floor) -> None:
    reading = CountReading(
        equipment=EquipmentId("CNC-1"), kind=CountKind.GOOD, delta=Decimal(9), at=utc_now(), doubtful=True
    )
    await floor.do(lambda tx: performance.record_count(tx, reading))
    for scope, status in (("PACK", 403), ("MACH/MC", 200)):
        client = await web.browser(Role.SUPERVISOR, scope=scope)
        (count,) = (await client.get(f"{API}/counts/doubtful")).json()
        path = f"{API}/counts/{count['id']}/decide"
        reply = await client.post(path, json={"accepted": True}, headers=key())
        assert reply.status_code == status, reply.text


async def test_a_call_for_help_says_who_where_and_at_which_job(at_cnc_1: Terminal, floor: Floor) -> None:
    job = (await at_cnc_1.show())["queue"][0]["id"]
    await at_cnc_1.send(f"/job-orders/{job}/start")
    headers = key()
    for _ in range(2):
        reply = await at_cnc_1.send("/equipment/CNC-1/help", headers=headers)
        assert reply.status_code == 200, reply.text
    async with floor.db.read() as tx:
        told = await tx.value("select jsonb_agg(payload) from mes.event where type = 'HelpCalled'")
    assert told == [
        {
            "site": "SUZ",
            "scope": "MACH/MC/CNC-1",
            "equipment": "CNC-1",
            "job_order": job,
            "person": "E-1001",
        }
    ]
