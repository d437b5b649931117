"""Which role may do what, where: the whole matrix, written out."""

import itertools

import pytest

from mes.access.model import ROLE_PERMISSIONS, Caller, Grant, NotPermitted, Permission, Role

EVERYBODY = frozenset(Role)
ADMINISTRATOR = frozenset({Role.ADMINISTRATOR})
FLOOR = frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.ADMINISTRATOR})
SUPERVISOR = frozenset({Role.SUPERVISOR, Role.ADMINISTRATOR})

MATRIX: dict[Permission, frozenset[Role]] = {
    Permission.PLANT_VIEW: EVERYBODY,
    Permission.WORK_REPORT: FLOOR,
    Permission.WORK_CORRECT: FLOOR,
    Permission.TERMINAL_USE: FLOOR,
    Permission.TERMINAL_SIT_DOWN: FLOOR,
    Permission.ORDER_RELEASE: SUPERVISOR | {Role.PLANNER},
    Permission.ORDER_CHANGE: ADMINISTRATOR | {Role.PLANNER},
    Permission.LOT_HOLD: FLOOR,
    Permission.LOT_RELEASE: SUPERVISOR,
    Permission.LOT_SCRAP: SUPERVISOR,
    Permission.PERSON_CLOCK: FLOOR,
    Permission.FLOOR_OVERSEE: SUPERVISOR,
    Permission.HELP_ANSWER: SUPERVISOR | {Role.ENGINEER},
    Permission.COUNT_DECIDE: SUPERVISOR | {Role.ENGINEER},
    Permission.RESOURCE_KEEP: SUPERVISOR | {Role.PLANNER, Role.ENGINEER},
    Permission.PLAN_VIEW: EVERYBODY,
    Permission.PLAN_PROPOSE: SUPERVISOR | {Role.PLANNER},
    Permission.PLAN_PUBLISH: ADMINISTRATOR | {Role.PLANNER},
    Permission.COST_VIEW: ADMINISTRATOR | {Role.FINANCE},
    Permission.ERP_VIEW: EVERYBODY,
    Permission.ERP_REPAIR: ADMINISTRATOR | {Role.FINANCE, Role.ENGINEER},
    Permission.EDGE_VIEW: SUPERVISOR | {Role.ENGINEER},
    Permission.EDGE_CONFIGURE: ADMINISTRATOR | {Role.ENGINEER},
    Permission.STATUS_VIEW: EVERYBODY,
    Permission.TROUBLE_VIEW: EVERYBODY,
    Permission.TROUBLE_MAKE: ADMINISTRATOR,
}


def caller(*grants: Grant, site: str = "SUZ") -> Caller:
    return Caller(account="a", grants=grants, site=site, session="s")


def test_the_matrix_names_every_permission() -> None:
    assert set(MATRIX) == set(Permission)
    assert set(ROLE_PERMISSIONS) == set(Role)


@pytest.mark.parametrize(("permission", "role"), list(itertools.product(Permission, Role)))
def test_a_role_may_exactly_what_the_matrix_says(permission: Permission, role: Role) -> None:
    allowed = role in MATRIX[permission]
    assert (permission in ROLE_PERMISSIONS[role]) is allowed
    assert caller(Grant(role)).may(permission, "MACH/MC/CNC-1") is allowed
    assert (permission in caller(Grant(role)).permissions) is allowed


@pytest.mark.parametrize(
    ("grant", "scope", "covered"),
    [
        (Grant(Role.OPERATOR), "MACH/MC/CNC-1", True),
        (Grant(Role.OPERATOR, "SUZ"), "MACH/MC/CNC-1", True),
        (Grant(Role.OPERATOR, "SUZ", "MACH"), "MACH/MC/CNC-1", True),
        (Grant(Role.OPERATOR, "SUZ", "MACH/MC/CNC-1"), "MACH/MC/CNC-1", True),
        (Grant(Role.OPERATOR, "SUZ", "MACH/MC/CNC-1"), "MACH/MC/CNC-10", False),
        (Grant(Role.OPERATOR, "SUZ", "MACH/MC/CNC-1"), "MACH/MC", False),
        (Grant(Role.OPERATOR, "SUZ", "ASSY"), "MACH/MC/CNC-1", False),
        (Grant(Role.OPERATOR, "SUZ", "MACH"), "", False),
        (Grant(Role.OPERATOR, "WUX"), "MACH/MC/CNC-1", False),
    ],
)
def test_a_grant_holds_at_its_place_and_below(grant: Grant, scope: str, covered: bool) -> None:
    assert caller(grant).may(Permission.WORK_REPORT, scope) is covered


def test_a_grant_at_another_site_gives_nothing_here() -> None:
    assert caller(Grant(Role.ADMINISTRATOR, "WUX")).permissions == frozenset()


def test_one_grant_does_not_lend_its_place_to_another() -> None:
    """An operator of all lines who supervises one may not scrap lots on the others."""
    both = caller(Grant(Role.OPERATOR, "SUZ"), Grant(Role.SUPERVISOR, "SUZ", "ASSY"))
    assert both.may(Permission.LOT_SCRAP, "ASSY/AS1")
    assert not both.may(Permission.LOT_SCRAP, "MACH/MC")
    with pytest.raises(NotPermitted):
        both.check(Permission.LOT_SCRAP, "MACH/MC")


def test_a_program_has_only_what_its_token_says() -> None:
    program = Caller(
        account="plant",
        grants=(),
        site="SUZ",
        session="t",
        tokens=frozenset({Permission.WORK_REPORT}),
    )
    assert program.may(Permission.WORK_REPORT, "MACH")
    assert not program.may(Permission.EDGE_CONFIGURE, "")
    assert program.actor == "service:plant"
