"""An operator at the terminal: by scanner, with gloves, and without a network."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from mes.access.model import Role
from mes.execution import service as execution
from mes.kernel.clock import utc_now
from mes.kernel.ids import EquipmentId, LotNumber
from mes.performance import service as performance
from mes.performance.model import StateReading
from mes.resources import service as resources
from mes.workorders import service as workorders
from mes.workorders.model import JobOrder
from tests.browser.access import axe_by_day_and_night
from tests.browser.conftest import Site

OPERATOR = "E-1001"


async def press_keys(page: Page, text: str, gap_s: float) -> None:
    """Send trusted keys with the times that a real keyboard would have, however busy this machine is."""
    session = await page.context.new_cdp_session(page)
    at, events = time.time(), []
    for character in [*text, "Enter"]:
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        if character != "Enter":
            key = {"key": character, "text": character}
        events.append({"type": "keyDown", "timestamp": at, **key})
        events.append({"type": "keyUp", "timestamp": at, "key": key["key"]})
        at += gap_s
    await asyncio.gather(*(session.send("Input.dispatchKeyEvent", event) for event in events))
    await session.detach()


async def scan_by_keys(page: Page, text: str) -> None:
    """Send a code as a keyboard scanner does, key by key."""
    await press_keys(page, text, 0.008)


SCANNED = """(text) => {
    const target = document.activeElement ?? document.body
    let at = performance.now()
    for (const key of [...text, 'Enter']) {
        at += 8
        for (const type of ['keydown', 'keyup']) {
            const event = new KeyboardEvent(type, { key, bubbles: true, cancelable: true })
            Object.defineProperty(event, 'timeStamp', { value: at })
            target.dispatchEvent(event)
        }
    }
}"""


async def scan(page: Page, text: str) -> None:
    """Send a code at once: a busy machine cannot pull its keys apart, as it can those of a keyboard."""
    await page.evaluate(SCANNED, text)


async def type_slowly(page: Page, text: str) -> None:
    """Send a code as a person types it."""
    await press_keys(page, text, 0.11)


async def sit_down(page: Page, person: str = OPERATOR) -> None:
    """Work as the demo person."""
    await page.get_by_role("button", name=re.compile(f"Name of {person}")).click()
    await expect(page.get_by_role("toolbar")).to_be_visible()


async def job(site: Site, number: str) -> JobOrder:
    return await site.floor.do(lambda tx: workorders.get_job(tx, number))


async def eventually(true: Callable[[], Awaitable[object]], expected: object) -> None:
    """Wait for what the server comes to say."""
    assert await settled(true, expected, 60.0) == expected


async def settled(true: Callable[[], Awaitable[object]], expected: object, patience_s: float) -> object:
    """Return what the server says once it says what is expected, or after so long."""
    for _ in range(round(patience_s / 0.1)):
        if await true() == expected:
            break
        await expect_nothing(0.1)
    return await true()


async def expect_nothing(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def reports(site: Site, number: str) -> int:
    """Count the reports that the server has booked on a job."""
    sql = "select count(*) from mes.report where job_order = %(job)s"
    return int(await site.floor.do(lambda tx: tx.value(sql, {"job": number})))


async def opened(site: Site, unit: str = "CNC-1", quantity: int = 8, **options: object) -> tuple[Page, str]:
    """Return the terminal of a unit with a planned order, somebody signed on."""
    order = await site.floor.order(quantity=quantity)
    await site.floor.plan(order)
    page = await site.page(f"/terminal/{unit}", Role.OPERATOR, **options)
    await sit_down(page)
    return page, order


async def started(site: Site) -> tuple[Page, str]:
    """Return the terminal with the order running and its material used."""
    page, order = await opened(site)
    await scan(page, f"WO:{order}")
    await page.get_by_role("button", name="Use lot LOT-CAST-40-1").click()
    await eventually(lambda: consumed(site, f"{order}-10"), 8)
    return page, f"{order}-10"


async def consumed(site: Site, number: str) -> int:
    sql = "select coalesce(sum(quantity), 0) from mes.material_actual where job_order = %(job)s"
    return int(await site.floor.do(lambda tx: tx.value(sql, {"job": number})))


async def test_a_whole_job_with_the_scanner_alone(site: Site) -> None:
    page, order = await opened(site, quantity=3)
    await scan(page, f"WO:{order}")
    await expect(page.get_by_role("article", name=f"{order}-10")).to_be_visible()
    await scan(page, "LOT:LOT-CAST-40-1")
    for done in range(1, 3):
        await scan(page, "CMD:GOOD")
        await eventually(lambda: reports(site, f"{order}-10"), done)
        await page.evaluate("() => new Promise((done) => setTimeout(done, 1600))")
    await scan(page, "CMD:SCRAP")
    await page.get_by_role("button", name="Porosity").click()
    await scan(page, "CMD:CONFIRM")
    await eventually(lambda: reports(site, f"{order}-10"), 3)
    await scan(page, "CMD:COMPLETE")
    await eventually(lambda: status(site, f"{order}-10"), "Completed")
    found = await job(site, f"{order}-10")
    assert [str(found.good), str(found.scrap)] == ["2", "1"]
    assert site.faults == []


async def test_an_old_picture_that_comes_late_takes_no_job_away(site: Site) -> None:
    page, order = await opened(site)
    asked, released = asyncio.Event(), asyncio.Event()

    async def come_late(route: Route) -> None:
        """Fetch what the server says now, and give it to the page when it is old."""
        old = await route.fetch()
        asked.set()
        await released.wait()
        await route.fulfill(response=old)

    await page.route("**/api/v1/terminals/CNC-1", come_late, times=1)
    await page.evaluate("() => dispatchEvent(new Event('online'))")
    await asked.wait()
    await scan(page, f"WO:{order}")
    await eventually(lambda: status(site, f"{order}-10"), "Running")
    await expect(page.locator("[data-waiting]")).to_have_count(0)
    await expect_nothing(2.0)
    async with page.expect_response("**/api/v1/terminals/CNC-1"):
        released.set()
    await page.evaluate("() => new Promise((done) => setTimeout(done, 300))")
    await scan(page, "LOT:LOT-CAST-40-1")
    await eventually(lambda: consumed(site, f"{order}-10"), 8)


async def status(site: Site, number: str) -> str:
    return (await job(site, number)).status.value


async def test_good_and_scrap_with_a_reason_in_one_gesture(site: Site) -> None:
    page, number = await started(site)
    await page.get_by_role("button", name="Report", exact=True).click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="3", exact=True).click()
    await dialog.get_by_role("button", name=re.compile("^Scrap")).click()
    await dialog.get_by_role("button", name="2", exact=True).click()
    await expect(dialog.get_by_role("button", name="Book it")).to_be_disabled()
    await dialog.get_by_role("button", name="Surface").click()
    await dialog.get_by_role("button", name="Book it").click()
    await eventually(lambda: reports(site, number), 1)
    found = await job(site, number)
    assert [str(found.good), str(found.scrap)] == ["3", "2"]
    await expect(page.get_by_text("Nothing planned after this job yet")).to_have_count(1)
    await expect(page.get_by_text("Nothing planned here now")).to_have_count(0)
    for width, height in ((1024, 768), (800, 1280)):
        await page.set_viewport_size({"width": width, "height": height})
        await expect(page.get_by_role("button", name="Undo", exact=True)).to_be_in_viewport(ratio=1)


async def test_slow_typing_is_no_scan(site: Site) -> None:
    page, order = await opened(site)
    await type_slowly(page, f"WO:{order}")
    await expect_nothing(0.5)
    assert await status(site, f"{order}-10") != "Running"


async def test_a_scan_into_a_focused_field_leaves_nothing_there(site: Site) -> None:
    page, order = await opened(site)
    await page.evaluate(
        "() => { const f = document.createElement('input'); f.id = 'x'; document.body.append(f); f.focus() }"
    )
    for _ in range(6):  # this machine may stop for so long amid the keys that the code falls into two
        await page.fill("#x", "")
        await scan_by_keys(page, f"WO:{order}")
        if await settled(lambda: status(site, f"{order}-10"), "Running", 10.0) == "Running":
            break
    assert await status(site, f"{order}-10") == "Running"
    assert await page.input_value("#x") == ""


async def test_a_double_tap_counts_once(site: Site) -> None:
    page, number = await started(site)
    await page.get_by_role("button", name="1 good").dblclick()
    await eventually(lambda: reports(site, number), 1)
    await expect(page.locator("[data-waiting]")).to_have_count(0)
    await expect_nothing(1.0)
    assert await reports(site, number) == 1


async def test_without_a_network_the_terminal_says_who_can_go_on(site: Site) -> None:
    page = await site.page("/terminal/CNC-1", Role.OPERATOR)
    await expect(page.get_by_role("heading", name="Scan your badge")).to_be_visible()
    await waits_for_shell(page)
    await page.context.set_offline(True)
    await page.reload()
    await expect(page.get_by_text("nobody can sign on now")).to_be_visible()
    await page.context.set_offline(False)
    await expect(page.get_by_text("nobody can sign on now")).to_have_count(0)


async def test_a_refused_report_is_dropped_by_the_second_tap_only(site: Site) -> None:
    page, number = await started(site)
    await page.context.set_offline(True)
    await page.get_by_role("button", name="1 good").click()
    await expect(page.locator("[data-waiting]")).to_contain_text("1")
    await site.floor.do(lambda tx: execution.hold(tx, number, "other"), OPERATOR, "CNC-1")
    await page.context.set_offline(False)
    card = page.get_by_role("alert").filter(has_text="This job is not running")
    await card.get_by_role("button", name="Drop it").click()
    await card.get_by_role("button", name="Really drop?").click()
    await expect(card).to_have_count(0)
    assert await reports(site, number) == 0


async def waits_for_shell(page: Page) -> None:
    """Wait until the device can open the page without a network."""
    await page.evaluate("() => navigator.serviceWorker.ready.then(() => undefined)")
    await page.wait_for_function("() => navigator.serviceWorker.controller !== null")


async def pass_minutes(page: Page, minutes: int) -> None:
    """Let the page's clock go on."""
    await page.clock.run_for(minutes * 60_000)


async def tap_good(page: Page) -> None:
    await page.get_by_role("button", name="1 good").click()
    await page.clock.run_for(1_000)


async def test_five_minutes_without_a_network_lose_and_double_nothing(site: Site) -> None:
    order = await site.floor.order(quantity=8)
    await site.floor.plan(order)
    context = await site.context(Role.OPERATOR)
    page = await context.new_page()
    await page.clock.install()
    await page.goto(f"{site.url}/terminal/CNC-1")
    await sit_down(page)
    await scan_and_use(page, site, order)
    await waits_for_shell(page)

    await context.set_offline(True)
    await tap_good(page)
    await tap_good(page)
    await pass_minutes(page, 3)
    await expect(page.get_by_text("offline, keep working")).to_be_visible()
    await expect(page.locator("[data-waiting]")).to_contain_text("2")

    await page.reload()
    await expect(page.locator("[data-waiting]")).to_contain_text("2")
    await expect(page.get_by_role("article", name=f"{order}-10")).to_be_visible()
    await tap_good(page)
    await pass_minutes(page, 2)
    assert await reports(site, f"{order}-10") == 0

    await context.set_offline(False)
    await pass_minutes(page, 1)
    await eventually(lambda: reports(site, f"{order}-10"), 3)
    await expect(page.locator("[data-waiting]")).to_have_count(0)
    await page.reload()
    await expect_nothing(1.0)
    assert await reports(site, f"{order}-10") == 3
    assert (await job(site, f"{order}-10")).good == 3


async def test_one_job_after_the_other_without_a_network(site: Site) -> None:
    page, first = await started(site)
    second = await site.floor.order(quantity=2)
    await site.floor.plan(second)
    waiting = page.locator("[data-waiting]")
    await expect(page.get_by_text(f"{second}-10")).to_be_visible()
    await page.context.set_offline(True)
    await page.get_by_role("button", name="Report", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="8", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Book it").click()
    await expect(waiting).to_contain_text("1")
    await expect_nothing(0.6)
    await page.get_by_role("button", name="Complete").click()
    await expect(waiting).to_contain_text("2")
    await expect_nothing(0.6)
    await page.get_by_role("toolbar").get_by_role("button", name="Start").click()
    await expect(page.get_by_role("article", name=f"{second}-10")).to_be_visible()
    await scan(page, "LOT:LOT-CAST-40-1")
    await expect(waiting).to_contain_text("4")
    await expect_nothing(0.6)
    await page.get_by_role("button", name="1 good").click()
    await expect(waiting).to_contain_text("5")
    await page.context.set_offline(False)
    await eventually(lambda: reports(site, f"{second}-10"), 1)
    assert await status(site, first) == "Completed"
    assert await status(site, f"{second}-10") == "Running"


async def scan_and_use(page: Page, site: Site, order: str) -> None:
    await page.get_by_role("button", name="Start").first.click()
    await eventually(lambda: status(site, f"{order}-10"), "Running")
    await page.get_by_role("button", name=re.compile("LOT:LOT-CAST-40-1")).click()
    await eventually(lambda: consumed(site, f"{order}-10"), 8)
    await page.clock.run_for(1_000)


async def test_an_answer_that_got_lost_is_not_booked_twice(site: Site) -> None:
    page, number = await started(site)
    lost = 0

    async def swallow(route: object) -> None:
        nonlocal lost
        lost += 1
        if lost == 1:
            await route.fetch()  # type: ignore[attr-defined]
            await route.abort()  # type: ignore[attr-defined]
        else:
            await route.continue_()  # type: ignore[attr-defined]

    await page.route("**/report", swallow)
    await page.get_by_role("button", name="1 good").click()

    async def asked() -> int:
        return lost

    await eventually(asked, 2)
    await expect(page.locator("[data-waiting]")).to_have_count(0, timeout=30_000)
    assert await reports(site, number) == 1


async def machine(site: Site, state: str, reason: str | None = None) -> None:
    """Let CNC-1 tell what it does."""
    reading = StateReading(equipment=EquipmentId("CNC-1"), state=state, at=utc_now(), reason=reason)
    await site.floor.do(lambda tx: performance.record_state(tx, reading))


async def back_at(site: Site) -> datetime | None:
    """Return when the plant expects CNC-1 back: plans do without it until then."""
    states = await site.floor.do(resources.equipment_states)
    return states[EquipmentId("CNC-1")].back_at


async def say_back(site: Site, page: Page, choice: str) -> timedelta:
    """Say by the dialog of a stop when the machine is back; return how long from now the plant expects."""
    before = await back_at(site)
    await expect_nothing(0.6)  # a glove taps twice: what comes sooner is the same tap
    await page.get_by_role("toolbar").get_by_role("button", name="Stop").click()
    await page.get_by_role("dialog").get_by_role("button", name=choice, exact=True).click()
    said = utc_now()
    await expect(page.get_by_role("dialog")).to_have_count(0)

    async def told() -> bool:
        return await back_at(site) != before

    await eventually(told, True)
    found = await back_at(site)
    assert found is not None
    shown = found.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%H:%M")
    await expect(page.get_by_text(re.compile(rf"^back \d\d \w{{3,4}}, {shown}$"))).to_be_visible()
    return found - said


async def test_who_reports_a_stop_says_when_the_machine_is_back(site: Site) -> None:
    await machine(site, "Execute")
    page = await site.page("/terminal/CNC-1", Role.OPERATOR)
    await sit_down(page)
    await scan(page, "CMD:STOP")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Why does the machine stand?")
    await expect(dialog.get_by_text("Expected back in")).to_have_count(0)
    await scan(page, "CMD:CANCEL")
    await expect(dialog).to_have_count(0)

    await machine(site, "Aborted", "breakdown")
    await page.reload()
    await expect(page.get_by_role("toolbar")).to_be_visible()
    await scan(page, "CMD:STOP")
    await expect(dialog.get_by_text("Expected back in")).to_be_visible()
    assert await axe_by_day_and_night(page) == []
    await scan(page, "CMD:CANCEL")
    close = timedelta(seconds=30)
    assert abs(await say_back(site, page, "2 h 00") - timedelta(hours=2)) < close
    assert abs(await say_back(site, page, "30 min") - timedelta(minutes=30)) < close

    await machine(site, "Execute")
    assert await back_at(site) is None
    await page.reload()
    await expect(page.get_by_role("toolbar")).to_be_visible()
    await expect(page.get_by_text(re.compile("^back "))).to_have_count(0)
    assert site.faults == []


async def test_a_refusal_is_shown_with_what_to_do_and_holds_what_comes_after(site: Site) -> None:
    page, number = await started(site)
    context: BrowserContext = page.context
    await context.set_offline(True)
    await page.get_by_role("button", name="1 good").click()
    await expect(page.locator("[data-waiting]")).to_contain_text("1")
    await site.floor.do(lambda tx: execution.hold(tx, number, "other"), OPERATOR, "CNC-1")
    await expect_nothing(0.6)
    await page.get_by_role("button", name="1 good").click()
    await expect(page.locator("[data-waiting]")).to_contain_text("2")
    await context.set_offline(False)
    card = page.get_by_role("alert").filter(has_text="This job is not running")
    await expect(card).to_contain_text("Start or resume the job on this terminal", timeout=30_000)
    await expect(card).to_contain_text("1 later reports of this order wait behind it.")
    assert await axe_by_day_and_night(page) == []
    assert await reports(site, number) == 0
    await site.floor.do(lambda tx: execution.resume(tx, number, None), OPERATOR, "CNC-1")
    await card.get_by_role("button", name="Try again").click()
    await eventually(lambda: reports(site, number), 2)
    await expect(card).to_have_count(0)


@pytest.mark.parametrize(
    ("code", "says", "do"),
    [
        ("LOT:LOT-SHAFT-1", "该物料不属于此任务", "请放回原处"),
        ("LOT:LOT-NOPE-9", "工厂里没有这个码", "请再扫一次"),
        ("LOT:LOT-BAD-1", "该批次已冻结", "换一个批次"),
        ("LOT:LOT-OLD-1", "该批次已过有效期", "换一个批次"),
        ("WO:WO-999999", "不在 CNC-1 的任务中", "询问计划员"),
        ("FOO:BAR", "无法识别此码", "请扫描工单"),
        ("9521234543213", "扫码枪没有发送码制标识", "扫码枪"),
    ],
)
async def test_bad_scans_say_what_to_do_in_the_readers_language(
    site: Site, code: str, says: str, do: str
) -> None:
    from mes.inventory import service as inventory

    floor = site.floor
    await floor.lot("CAST-40", "9", lot=LotNumber("LOT-OLD-1"), expires_at=floor.now - timedelta(days=1))
    await floor.lot("CAST-40", "9", lot=LotNumber("LOT-BAD-1"))
    await floor.do(lambda tx: inventory.hold_lot(tx, LotNumber("LOT-BAD-1"), "damaged"))
    order = await floor.order(quantity=8)
    await floor.plan(order)
    page = await site.page("/terminal/CNC-1", Role.OPERATOR, language="zh-CN")
    await sit_down(page)
    await scan(page, f"WO:{order}")
    await eventually(lambda: status(site, f"{order}-10"), "Running")
    await scan(page, code)
    await expect(page.get_by_text(says).first).to_be_visible()
    await expect(page.get_by_text(do).first).to_be_visible()
    assert await consumed(site, f"{order}-10") == 0


@pytest.mark.parametrize(
    ("language", "says", "do"),
    [
        ("en", "This person does not have the skill for this work", "Let somebody with the skill do it"),
        ("zh-CN", "该人员没有此工作的技能", "请由有技能的人操作，或请班组长登记培训。"),
    ],
)
async def test_who_lacks_the_skill_is_told_so_in_the_readers_language(
    site: Site, language: str, says: str, do: str
) -> None:
    order = await site.floor.order(quantity=8)
    await site.floor.plan(order)
    page = await site.page("/terminal/CNC-1", Role.OPERATOR, language=language)
    await sit_down(page, "E-1005")
    await scan(page, f"WO:{order}")
    card = page.get_by_role("alert").filter(has_text=says)
    await expect(card).to_contain_text(do)
    assert await status(site, f"{order}-10") != "Running"


async def test_two_terminals_cannot_run_one_job(site: Site) -> None:
    first, order = await opened(site)
    await scan(first, f"WO:{order}")
    await eventually(lambda: status(site, f"{order}-10"), "Running")
    second = await site.page("/terminal/CNC-2", Role.OPERATOR)
    await sit_down(second)
    await scan(second, f"WO:{order}")
    await expect(second.get_by_role("heading", name=f"{order} is not in the queue of CNC-2")).to_be_visible()


async def test_a_badge_needs_its_pin(site: Site) -> None:
    from mes.access import service as access
    from mes.access.service import hash_pin
    from mes.kernel.ids import PersonId

    kept = await hash_pin("4711")
    await site.floor.do(
        lambda tx: access.issue_badge(tx, person=PersonId(OPERATOR), badge=f"EMP:{OPERATOR}", pin_hash=kept)
    )
    page = await site.page("/terminal/CNC-1", Role.OPERATOR)
    await expect(page.get_by_role("heading", name="Scan your badge")).to_be_visible()
    await scan(page, f"EMP:{OPERATOR}")
    for digit in "4712":
        await page.get_by_role("button", name=digit, exact=True).click()
    await page.get_by_role("button", name="Sign on").click()
    await expect(page.get_by_role("alert")).to_contain_text("Badge and PIN do not match")
    for digit in "4711":
        await page.get_by_role("button", name=digit, exact=True).click()
    await page.get_by_role("button", name="Sign on").click()
    await expect(page.get_by_role("button", name=re.compile(f"Name of {OPERATOR}"))).to_be_visible()


async def test_what_one_terminal_does_another_page_shows_by_itself(site: Site) -> None:
    page, order = await opened(site)
    watcher = await site.page("/board", Role.PLANNER)
    await expect(watcher.get_by_role("heading", name="CNC 1")).to_be_visible()
    await scan(page, f"WO:{order}")
    await expect(watcher.get_by_text(f"{order}-10")).to_be_visible(timeout=30_000)


async def test_a_tablet_that_was_taken_over_starts_nothing(site: Site) -> None:
    page, order = await opened(site)
    other = await site.page("/terminal/CNC-1", Role.OPERATOR)
    await other.get_by_role("button", name="Sit down here").click()
    await sit_down(other, "E-1005")
    await expect(page.locator(".banner.watch")).to_contain_text("Name of E-1005")
    await scan(page, f"WO:{order}")
    await expect(page.get_by_text("Somebody else works at this terminal now")).to_be_visible()
    await expect(page.locator("[data-waiting], .conflicts")).to_have_count(0)
    assert await status(site, f"{order}-10") != "Running"
    await page.get_by_role("button", name="Sit down here").click()
    await sit_down(page)
    await scan(page, f"OP:{order}-10")
    await eventually(lambda: status(site, f"{order}-10"), "Running")
