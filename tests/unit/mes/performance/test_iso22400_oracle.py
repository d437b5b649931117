"""Every published or constructed case of the ISO 22400 oracle comes out to its last digit."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mes.performance import iso22400 as iso
from mes.performance.iso22400 import Elements, Figure, NoValue, Output, Times

ORACLE = json.loads(
    (Path(__file__).parents[3] / "data" / "oracles" / "kpi_iso22400.json").read_text(encoding="utf-8"),
    parse_float=Decimal,
)
CASES: dict[str, Any] = {case["id"]: case for case in ORACLE["cases"]}


def shift() -> Elements:
    given = CASES["K1"]["given"]
    number = {key: Decimal(value) for key, value in given.items()}
    times = Times(
        pot=number["POT_min"],
        pdot=number["PDOT_min"],
        apt=number["APT_min"],
        aust=number["AUST_min"],
        adet=number["ADET_min"],
    )
    output = Output(
        pri=number["PRI_min"],
        produced=number["PQ"],
        good=number["GQ"],
        scrap=number["SQ"],
        rework=number["RQ"],
    )
    return Elements(times, (output,))


def six(figure: Figure) -> Decimal:
    assert figure.value is not None
    return round(figure.value, 6)


def test_the_full_model_k1() -> None:
    elements, expected = shift(), CASES["K1"]["expect"]
    times = elements.times
    assert (times.pbt, times.adot, times.aupt, times.aubt) == tuple(
        expected[key] for key in ("PBT_min", "ADOT_min", "AUPT_min", "AUBT_min")
    )
    figures = {
        "A": iso.availability(elements),
        "E": iso.effectiveness(elements),
        "Q": iso.quality_ratio(elements),
        "OEE": iso.oee(elements),
        "NEE": iso.nee(elements),
        "AE": iso.allocation_efficiency(elements),
        "UE": iso.utilization_efficiency(elements),
        "TE": iso.technical_efficiency(elements),
        "SR": iso.setup_ratio(elements),
        "scrap_ratio": iso.scrap_ratio(elements),
        "rework_ratio": iso.rework_ratio(elements),
        "TEEP": iso.teep(elements, Decimal(CASES["K1"]["given"]["calendar_min"])),
    }
    assert {key: six(figure) for key, figure in figures.items()} == {key: expected[key] for key in figures}


def test_the_order_view_k2() -> None:
    elements, expected = shift(), CASES["K2"]["expect"]
    aoet = Decimal(CASES["K2"]["given"]["AOET_min"])
    assert six(iso.throughput_rate(elements, aoet)) == expected["throughput_rate_per_min"]
    assert six(iso.allocation_ratio(elements, aoet)) == expected["allocation_ratio"]
    assert six(iso.process_ratio(elements, aoet)) == expected["process_ratio"]


def test_mixed_items_k3() -> None:
    given = CASES["K3"]["given"]
    outputs = tuple(
        Output(pri=Decimal(item["PRI_min"]), produced=Decimal(item["PQ"]), good=Decimal(item["PQ"]))
        for item in given["items"]
    )
    elements = Elements(Times(apt=Decimal(given["APT_min"])), outputs)
    assert six(iso.effectiveness(elements)) == CASES["K3"]["expect"]["E"]


def test_a_published_shift_k5() -> None:
    given = CASES["K5"]["given"]
    good = Decimal(given["PQ"] - given["SQ"])
    output = Output(pri=Decimal(given["PRI_s"]), produced=Decimal(given["PQ"]), good=good)
    elements = Elements(Times(pot=Decimal(given["PBT_min"] * 60)), (output,))
    assert six(iso.oee(elements)) == CASES["K5"]["expect"]["OEE"]


def test_a_published_press_k7() -> None:
    given, expected = CASES["K7"]["given"], CASES["K7"]["expect"]
    apt = Decimal(given["PBT_min"] - given["stops_min"] - given["changeover_min"])
    cycles = Decimal(given["cycles"])
    output = Output(pri=Decimal(given["PRI_min"]), produced=cycles, good=cycles)
    times = Times(
        pot=Decimal(given["PBT_min"]),
        apt=apt,
        aust=Decimal(given["changeover_min"]),
        adet=Decimal(given["stops_min"]),
    )
    elements = Elements(times, (output,))
    assert six(iso.availability(elements)) == expected["A"]
    assert six(iso.effectiveness(elements)) == expected["E_over_whole_cycles_possible"]
    assert times.adot == 0


def test_reliability_k9() -> None:
    given, expected = CASES["K9"]["given"], CASES["K9"]["expect"]
    complete = [Decimal(given["operating_h"]) / given["failures"]] * given["failures"]
    mtbf = iso.mean_time(complete)
    assert mtbf.value == expected["MTBF_h"]
    assert six(iso.inherent_availability(mtbf.value, Decimal(given["MTTR_h"]))) == expected["availability"]


def test_batches_k11() -> None:
    given = CASES["K11"]["given"]
    sizes = iso.batch_sizes(Decimal(given["quantity"]), Decimal(given["batch_size"]))
    assert list(sizes) == CASES["K11"]["expect"]["job_sizes"]


def test_inspection_k14() -> None:
    given, expected = CASES["K14"]["given"], CASES["K14"]["expect"]
    made = Output(pri=Decimal(1), produced=Decimal(given["made"]), good=Decimal(given["accepted"]))
    assert (made.good, made.rejected) == (expected["to_accepted_stock"], expected["to_rejected_stock"])


def test_nothing_planned_gives_no_figures_but_reasons_k15() -> None:
    idle = Elements(Times())
    figures = [iso.availability(idle), iso.effectiveness(idle), iso.quality_ratio(idle), iso.oee(idle)]
    assert [figure.value for figure in figures] == list(CASES["K15"]["expect"].values())
    assert [figure.reason for figure in figures] == [
        NoValue.NO_PLANNED_BUSY_TIME,
        NoValue.NO_PRODUCTION_TIME,
        NoValue.NO_PRODUCED_QUANTITY,
        NoValue.NO_PLANNED_BUSY_TIME,
    ]


def test_faster_than_standard_is_not_capped_k16() -> None:
    given = CASES["K16"]["given"]
    quantity = Decimal(given["PQ"])
    output = Output(pri=Decimal(given["PRI_min"]), produced=quantity, good=quantity)
    elements = Elements(Times(apt=Decimal(given["APT_min"])), (output,))
    assert iso.effectiveness(elements) == Figure(CASES["K16"]["expect"]["E"])


def test_every_case_of_the_oracle_has_a_test() -> None:
    tested = {"K1", "K2", "K3", "K5", "K7", "K9", "K11", "K14", "K15", "K16"}
    assert set(CASES) == tested


def test_a_unit_that_stood_still_all_its_planned_time_has_an_oee_of_zero() -> None:
    stopped = Elements(Times(pot=Decimal(60), adet=Decimal(60)))
    assert iso.oee(stopped) == Figure(Decimal(0))
    assert iso.nee(stopped).reason is NoValue.NO_PRODUCTION_TIME


def test_machine_capability_of_a_known_sample() -> None:
    cm, cmk = iso.machine_capability(9.0, 11.0, [9.9, 10.0, 10.1, 10.2, 9.8])
    assert (six(cm), six(cmk)) == (Decimal("2.108185"), Decimal("2.108185"))
    assert iso.machine_capability(9.0, 11.0, [10.0, 10.0])[0].reason is NoValue.NO_SPREAD


@pytest.mark.parametrize("good", [0, 7])
def test_first_pass_yield(good: int) -> None:
    assert iso.first_pass_yield(Decimal(good), Decimal(10)).value == Decimal(good) / 10


def test_unknown_time_is_told_and_not_taken_for_a_stop() -> None:
    half = Elements(Times(pot=Decimal(60), apt=Decimal(30), unknown=Decimal(30)))
    assert (half.times.pbt, half.times.adot) == (30, 0)
    assert iso.availability(half) == Figure(Decimal(1))
    nothing = Elements(Times(pot=Decimal(60), unknown=Decimal(60)))
    assert iso.availability(nothing) == iso.oee(nothing) == Figure(None, NoValue.NOTHING_KNOWN)
