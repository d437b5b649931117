"""Who calls for help is seen and answered; what machines count and read waits where somebody looks."""

from decimal import Decimal

from playwright.async_api import Page, Route, expect

from mes.access.model import Role
from mes.intake import service as intake
from mes.kernel.clock import utc_now
from mes.kernel.ids import EquipmentId
from mes.performance import service as performance
from mes.performance.model import CountKind, CountReading
from tests.browser.access import axe
from tests.browser.conftest import Site
from tests.browser.test_terminal import consumed, eventually, opened, scan, sit_down, status
from tests.fixtures.facts import Edge


async def machine_reads(site: Site, payload: str, unit: str = "CNC-1") -> None:
    """Let the scanner of a unit read a code, and the floor worker act on it."""
    value = {"payload": payload, "symbology": None, "reader": f"{unit}-SCAN"}
    await Edge(site.floor.db).send(unit, "scan", "scan", value, utc_now())
    site.floor.now = utc_now()
    await site.floor.do(intake.absorb)
    await site.floor.do(intake.act_on_next)


async def count_jumps(site: Site, pieces: int) -> None:
    """Let the edge doubt a step of CNC-1's counter."""
    reading = CountReading(
        equipment=EquipmentId("CNC-1"),
        kind=CountKind.GOOD,
        delta=Decimal(pieces),
        raw=Decimal(1000),
        at=utc_now(),
        doubtful=True,
    )
    await site.floor.do(lambda tx: performance.record_count(tx, reading))


async def decided(site: Site) -> list[list[object]]:
    """Return the pieces of each doubtful count, and whether they were accepted."""
    sql = """
        select jsonb_agg(jsonb_build_array(delta::text, accepted) order by id)
        from mes.machine_count where doubtful
    """
    return list(await site.floor.do(lambda tx: tx.value(sql)))


async def call_for_help(page: Page) -> None:
    await page.locator(".status .who").click()
    await page.get_by_role("button", name="Call for help").click()


async def test_a_call_for_help_is_seen_answered_and_told_to_the_caller(site: Site) -> None:
    terminal = await site.page("/terminal/CNC-1", Role.OPERATOR)
    await sit_down(terminal)
    board = await site.page("/board", Role.SUPERVISOR)
    await expect(board.get_by_role("heading", name="CNC 1")).to_be_visible()
    await call_for_help(terminal)
    await expect(terminal.get_by_text("Nobody has answered yet")).to_be_visible()
    await expect(board.locator("[data-calls]")).to_contain_text("CNC 1: Name of E-1001 calls for help since")
    await expect(board.locator(".tile.calling")).to_contain_text("Name of E-1001 calls for help")
    assert await axe(board) == []

    await call_for_help(terminal)
    await expect(terminal.get_by_role("heading", name="Help is called already")).to_be_visible()

    await board.get_by_role("button", name="I am coming").click()
    await expect(terminal.get_by_text("is coming")).to_be_visible()
    await expect(terminal.get_by_text("Nobody has answered yet")).to_have_count(0)
    await expect(board.locator(".tile.calling")).to_have_count(0)
    assert site.faults == []


async def test_a_call_is_taken_back_where_it_was_made(site: Site) -> None:
    terminal = await site.page("/terminal/CNC-1", Role.OPERATOR)
    await sit_down(terminal)
    await call_for_help(terminal)
    board = await site.page("/board", Role.SUPERVISOR)
    await expect(board.locator(".tile.calling")).to_contain_text("Name of E-1001 calls for help")
    await terminal.get_by_role("button", name="Not needed any more").click()
    await expect(terminal.get_by_role("heading", name="The call is taken back")).to_be_visible()
    await expect(board.locator(".tile.calling")).to_have_count(0)
    await expect(terminal.get_by_text("Nobody has answered yet")).to_have_count(0)
    assert site.faults == []


async def arrive_late(route: Route) -> None:
    """Let a call arrive as one that waited for twenty minutes."""
    await route.continue_(headers={**route.request.headers, "x-waited-s": "1200"})


async def test_who_calls_in_vain_is_told_so(site: Site) -> None:
    terminal = await site.page("/terminal/CNC-1", Role.OPERATOR, language="zh-CN")
    await sit_down(terminal)
    long_there = "update mes.sign_on set since = since - interval '4 hours'"
    await site.floor.do(lambda tx: tx.execute(long_there))
    await terminal.route("**/equipment/CNC-1/help", arrive_late, times=1)
    await scan(terminal, "CMD:HELP")
    told = terminal.get_by_role("alert").filter(has_text="没有通知任何人")
    await expect(told).to_be_visible()
    await told.get_by_role("button", name="再次呼叫").click()
    await expect(terminal.get_by_text("还没有人应答")).to_be_visible()
    await expect(told).to_have_count(0)


async def test_who_may_not_answer_sees_who_does(site: Site) -> None:
    terminal = await site.page("/terminal/CNC-1", Role.OPERATOR)
    await sit_down(terminal)
    await call_for_help(terminal)
    planner = await site.page("/planner", Role.PLANNER)
    await expect(planner.get_by_text("CNC 1 calls for help", exact=True)).to_be_visible()
    await expect(planner.get_by_text("A supervisor or the plant engineer answers.")).to_be_visible()
    await expect(planner.get_by_role("button", name="I am coming")).to_have_count(0)


async def test_doubtful_counts_are_decided_on_the_board(site: Site) -> None:
    await count_jumps(site, 500)
    await count_jumps(site, 3)
    board = await site.page("/board", Role.SUPERVISOR)
    waits = board.get_by_role("region", name="Waits for somebody")
    await expect(waits.get_by_text("CNC 1: 500 pieces at once (Good)")).to_be_visible()
    tile = board.locator(".tile", has=board.get_by_role("heading", name="CNC 1"))
    await expect(tile.get_by_text("2 waiting")).to_be_visible()
    assert await axe(board) == []

    await waits.locator("li", has_text="500 pieces").get_by_role("button", name="Leave them out").click()
    await expect(waits.get_by_text("500 pieces")).to_have_count(0)
    await waits.get_by_role("button", name="Count the 3").click()
    await expect(waits).to_have_count(0)
    assert await decided(site) == [["500", False], ["3", True]]


async def test_doubtful_counts_are_shown_beside_the_evidence(site: Site) -> None:
    await count_jumps(site, 500)
    operator = await site.page("/board", Role.OPERATOR)
    await operator.get_by_role("button", name="OEE of CNC 1: evidence").click()
    dialog = operator.get_by_role("dialog")
    await expect(dialog.get_by_text("CNC 1: 500 pieces at once (Good)")).to_be_visible()
    await expect(dialog.get_by_text("A supervisor or the plant engineer decides.")).to_be_visible()
    await expect(dialog.get_by_role("button", name="Leave them out")).to_have_count(0)


async def test_a_lot_read_at_the_machine_is_used_and_shown(site: Site) -> None:
    page, order = await opened(site)
    await scan(page, f"WO:{order}")
    await eventually(lambda: status(site, f"{order}-10"), "Running")
    await machine_reads(site, "LOT:LOT-CAST-40-1")
    read = page.get_by_role("region", name="Read at the machine")
    await expect(read.get_by_text(f"Lot LOT-CAST-40-1 used for {order}-10")).to_be_visible()
    assert await consumed(site, f"{order}-10") == 8
    await machine_reads(site, f"WO:{order}")
    await expect(read.get_by_text(f"WO:{order} belongs to {order}-10")).to_be_visible()
    assert site.faults == []


async def test_a_scan_that_nobody_understands_is_shown_until_somebody_has_seen_it(site: Site) -> None:
    page, order = await opened(site)
    await scan(page, f"WO:{order}")
    await eventually(lambda: status(site, f"{order}-10"), "Running")
    board = await site.page("/board", Role.OPERATOR)
    await expect(board.get_by_role("heading", name="CNC 1")).to_be_visible()
    await machine_reads(site, "LOT:LOT-SEAL-1")
    read = page.get_by_role("region", name="Read at the machine")
    await expect(read.get_by_text("This material does not belong to this job")).to_be_visible()
    await expect(read.get_by_text("Put it back and scan a lot")).to_be_visible()
    waits = board.get_by_role("region", name="Waits for somebody")
    await expect(waits.get_by_text("CNC 1: the scanner read LOT:LOT-SEAL-1")).to_be_visible()
    assert await axe(page) == []
    await read.get_by_role("button", name="Seen").click()
    await expect(read.get_by_role("button", name="Seen")).to_have_count(0)
    await expect(waits).to_have_count(0)
    assert await consumed(site, f"{order}-10") == 0
