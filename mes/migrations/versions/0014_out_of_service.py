"""Equipment, people and calendars that the plant has no more: out of service, with their history."""

from mes.migrations.live import alter

revision = "mes_0014"
down_revision = "mes_0013"

CHANGES = (
    "alter table mes.equipment add if not exists until timestamptz",
    "comment on column mes.equipment.until is 'Out of service since then; null: in service.'",
    "alter table mes.person add if not exists until timestamptz",
    "comment on column mes.person.until is 'In no plant file since then; `active` is HR''s.'",
    "alter table mes.calendar add if not exists until timestamptz",
    "comment on column mes.calendar.until is 'Kept for the figures of equipment that is out of service.'",
    "alter table mes.terminal add if not exists active boolean not null default true",
    "alter table mes.badge add if not exists resting boolean not null default false",
    "comment on column mes.badge.resting is 'Signs nobody on while its person does not work here.'",
    "update mes.badge set resting = true where person in (select id from mes.person where not active)",
)


def upgrade() -> None:
    alter(CHANGES)
