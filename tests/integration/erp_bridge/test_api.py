"""The repair desk over HTTP."""

import pytest
from fastapi import APIRouter

from dashboards.app import api as pages_router
from dashboards.trouble import router as trouble_router
from erp_bridge import store
from erp_bridge.adapters.memory import MemoryAdapter
from erp_bridge.api import router
from mes.access.api import router as access_router
from mes.access.model import Role
from mes.kernel.db import Database
from tests.conformance.test_erp_memory import demo_books
from tests.fixtures.postgres import cause
from tests.fixtures.web import Web, key
from tests.integration.erp_bridge.test_outbound import consume, labour, outbound, work_order


@pytest.fixture
def web_routers() -> list[APIRouter]:
    return [access_router, router, pages_router, trouble_router]


async def refuse_one(db: Database) -> None:
    worker = outbound(db, MemoryAdapter(demo_books()))
    await work_order(db, "WO-1")
    await consume(db, "WO-1", lot="LOT-UNKNOWN")
    await worker.collect()
    while await worker.deliver():
        pass


async def test_finance_sees_why_a_document_was_refused_and_sends_it_again(web: Web, db: Database) -> None:
    await refuse_one(db)
    browser = await web.browser(Role.FINANCE)
    (dead,) = (await browser.get("/api/v1/erp/documents", params={"state": "dead"})).json()
    assert dead["code"] == "ErpLotMissing"
    assert dead["work_order"] == "WO-1"
    assert (await browser.get("/api/v1/erp/status")).json()["dead_letters"] == 1
    (lane,) = (await browser.get("/api/v1/erp/lanes")).json()
    assert lane["code"] == "ErpLotMissing"
    path = f"/api/v1/erp/documents/{dead['id']}/retry"
    assert (await browser.post(path, json={}, headers=key())).status_code == 200
    refused = await browser.post(path, json={}, headers=key())
    assert refused.status_code == 409
    assert refused.json()["error"] == "DocumentNotDead"


async def test_all_that_was_refused_for_one_reason_is_sent_again_at_once(web: Web, db: Database) -> None:
    await refuse_one(db)
    browser = await web.browser(Role.FINANCE)
    path = "/api/v1/erp/documents/retry"
    other = await browser.post(path, json={"code": "ErpPeriodClosed"}, headers=key())
    assert other.json() == {"documents": 0}
    assert (await browser.post(path, json={"code": "ErpLotMissing"}, headers=key())).json() == {
        "documents": 1
    }
    assert (await browser.get("/api/v1/erp/documents", params={"state": "dead"})).json() == []
    assert (await browser.get("/api/v1/erp/status")).json()["dead_letters"] == 0


async def test_an_operator_looks_but_does_not_repair(web: Web, db: Database) -> None:
    await refuse_one(db)
    browser = await web.browser(Role.OPERATOR)
    reply = await browser.post("/api/v1/erp/documents/1/retry", json={}, headers=key())
    assert reply.status_code == 403


async def test_amounts_are_for_those_who_may_see_costs(web: Web, db: Database) -> None:
    worker = outbound(db, MemoryAdapter(demo_books()))
    await work_order(db, "WO-1")
    await labour(db, "WO-1", "98.70")
    await worker.collect()
    await refuse_one(db)
    await found_different(db)
    for role, sees in ((Role.FINANCE, True), (Role.OPERATOR, False), (Role.ENGINEER, False)):
        browser = await web.browser(role)
        documents = await browser.get("/api/v1/erp/documents")
        assert {"CostPosting", "MaterialActual"} <= {one["noun"] for one in documents.json()}
        compared = await browser.get("/api/v1/erp/reconciliation")
        assert {case["kind"] for case in compared.json()["cases"]} >= {"quantity"}
        for answer in (documents, compared, await browser.get("/api/v1/erp/status")):
            assert any(amount in answer.text for amount in ("98.70", "197.40")) == sees


async def test_sums_are_for_those_who_may_see_costs_and_that_the_books_differ_for_all(
    web: Web, db: Database
) -> None:
    await found_different(db)
    for role, difference in ((Role.FINANCE, "197.40"), (Role.OPERATOR, None)):
        browser = await web.browser(role)
        told = (await browser.get("/api/v1/erp/status")).json()
        compared = (await browser.get("/api/v1/erp/reconciliation")).json()
        status = (await browser.get("/api/v1/status")).json()["erp"]
        drawer = (await browser.get("/api/v1/trouble")).json()["counters"]
        for one in (told, compared, status):
            assert (one["value_difference"], one["value_waiting"]) == (difference, difference)
            assert one["quantity_difference"] == "0.00"
        assert (told["books_agree"], status["books_agree"], drawer["agree"]) == (False, False, False)
        assert drawer["difference"] == difference
    await found_different(db, "0.00")
    assert (await browser.get("/api/v1/trouble")).json()["counters"]["difference"] == "0.00"
    for path in ("/api/v1/erp/status", "/api/v1/erp/reconciliation"):
        assert (await browser.get(path)).json()["value_difference"] == "0.00"


async def test_a_difference_is_explained_by_those_who_may_see_it(web: Web, db: Database) -> None:
    await found_different(db)
    path, body = "/api/v1/erp/reconciliation/explain", {"subject": "s", "reason": "price rose on Monday"}
    for role, status, kinds in (
        (Role.OPERATOR, 403, set()),
        (Role.ENGINEER, 200, {"quantity"}),
        (Role.FINANCE, 200, {"quantity", "value"}),
    ):
        browser = await web.browser(role)
        assert (await browser.post(path, json=body, headers=key())).status_code == status
        async with db.read() as tx:
            kept = await store.explained.explained(tx)
        assert {one.kind for one in kept} == kinds
    assert {one.reason for one in kept} == {"price rose on Monday"}
    assert (await browser.post(path, json={**body, "reason": ""}, headers=key())).status_code == 422
    unknown = await browser.post(path, json={**body, "subject": "t"}, headers=key())
    assert unknown.json()["error"] == "DifferenceUnknown"


async def found_different(db: Database, sum_of_values: str = "197.40") -> None:
    case = {"work_order": "WO-1", "what": "x", "mine": "98.70", "theirs": "0", "subject": "s"}
    outcome = {
        "at": "2026-11-22T00:00:00Z",
        "quantity_difference": "0.00",
        "value_difference": sum_of_values,
        "value_waiting": sum_of_values,
        "cases": [{"kind": "value", **case}, {"kind": "quantity", **case, "mine": "1"}],
        "accounts": [{"account": "wip", "mine": "98.70", "theirs": "0"}],
    }
    async with db.transaction(cause()) as tx:
        await store.link.put_link(tx, "tryton", "Tryton", reachable=True, detail="", ms=1.0)
        await store.comparison.put_comparison(tx, "tryton", outcome)


async def test_skipping_needs_a_reason(web: Web, db: Database) -> None:
    await refuse_one(db)
    browser = await web.browser(Role.FINANCE)
    (dead,) = (await browser.get("/api/v1/erp/documents", params={"state": "dead"})).json()
    path = f"/api/v1/erp/documents/{dead['id']}/skip"
    assert (await browser.post(path, json={}, headers=key())).status_code == 422
    reply = await browser.post(path, json={"reason": "booked by hand"}, headers=key())
    assert reply.status_code == 200
    async with db.transaction(cause()) as tx:
        found = await store.lanes.document(tx, dead["id"])
    assert found is not None
    assert found.state == "skipped"


async def test_before_anything_happened_the_figures_are_there(web: Web) -> None:
    browser = await web.browser(Role.FINANCE)
    status = (await browser.get("/api/v1/erp/status")).json()
    assert status["documents_posted"] == 0
    assert status["value_difference"] is None
    assert (await browser.get("/api/v1/erp/reconciliation")).json()["cases"] == []
    assert (await browser.get("/api/v1/erp/refusals")).json() == []
