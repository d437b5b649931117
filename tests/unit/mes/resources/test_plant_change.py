"""A file is applied without undoing what people changed since it was applied last."""

from dataclasses import replace
from decimal import Decimal

from mes.resources.model import PersonPlacement, PlantDefinition, Policy, Reason, ReasonKind
from mes.resources.plantchange import changes, merged
from mes.resources.plantfile import load_plant

FILE = load_plant()
SEAL = Reason(kind=ReasonKind.SCRAP, code="seal-torn", loss="handling")


def skilled(plant: PlantDefinition, person: str, *skills: str) -> PlantDefinition:
    """The plant, in which one person has other skills."""
    people = (replace(one, skills=skills) if one.id == person else one for one in plant.people)
    return replace(plant, people=tuple(people))


def skills(plant: PlantDefinition, person: str) -> tuple[str, ...]:
    return next(tuple(sorted(one.skills)) for one in plant.people if one.id == person)


def test_a_file_that_did_not_change_changes_nothing() -> None:
    people = skilled(FILE, "E-1001", "MACHINING", "TESTING")
    now = replace(people, policy=replace(FILE.policy, close_after_min=60), reasons=(*FILE.reasons, SEAL))
    again = merged(FILE, now, FILE)
    assert changes(now, again) == []
    assert skills(again, "E-1001") == ("MACHINING", "TESTING")


def test_what_the_file_changed_comes_and_what_people_changed_stays() -> None:
    slower = replace(FILE, policy=replace(FILE.policy, close_after_min=60))
    now = skilled(slower, "E-1001", "MACHINING", "PACKING")
    newer = skilled(replace(FILE, policy=replace(FILE.policy, dispatch_horizon_min=60)), "E-1001", "TESTING")
    result = merged(FILE, now, newer)
    assert result.policy == replace(FILE.policy, close_after_min=60, dispatch_horizon_min=60)
    assert skills(result, "E-1001") == ("PACKING", "TESTING")


def test_a_row_that_people_removed_stays_away_until_the_file_changes_it() -> None:
    now = replace(FILE, reasons=tuple(one for one in FILE.reasons if one.code != "porosity"))
    assert merged(FILE, now, FILE).reasons == now.reasons
    other = tuple(replace(one, loss="process") if one.code == "porosity" else one for one in FILE.reasons)
    assert len(merged(FILE, now, replace(FILE, reasons=other)).reasons) == len(FILE.reasons)


def test_a_row_that_the_file_dropped_goes_unless_people_changed_it() -> None:
    shorter = replace(FILE, setups=FILE.setups[1:])
    assert merged(FILE, FILE, shorter).setups == shorter.setups
    slower = replace(FILE, setups=(replace(FILE.setups[0], seconds=90), *FILE.setups[1:]))
    assert len(merged(FILE, slower, shorter).setups) == len(FILE.setups)


def test_without_a_known_file_what_is_there_stays_and_what_is_missing_comes() -> None:
    there = replace(
        FILE,
        policy=Policy(serial_prefix="P-"),
        people=(PersonPlacement(id=FILE.people[0].id, crew="C", skills=("PACKING",)),),
        rates=tuple(replace(one, per_hour=Decimal(99)) for one in FILE.rates),
    )
    result = merged(None, there, FILE)
    assert result.policy == there.policy
    assert (result.people[0].crew, result.people[0].skills) == ("C", ("PACKING",))
    assert len(result.people) == len(FILE.people)
    assert {one.per_hour for one in result.rates} == {Decimal(99)}


def test_a_start_takes_no_equipment_out_of_service_and_puts_none_back() -> None:
    fewer = replace(FILE, equipment=tuple(one for one in FILE.equipment if one.id != "CNC-4"))
    assert "CNC-4" in {one.id for one in merged(FILE, FILE, fewer).equipment}
    assert [str(one) for one in changes(FILE, fewer)] == ["retire equipment CNC-4"]
    now = replace(FILE, equipment=fewer.equipment)
    newer = replace(FILE, policy=replace(FILE.policy, close_after_min=60))
    assert "CNC-4" not in {one.id for one in merged(FILE, now, newer).equipment}
