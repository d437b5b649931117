"""A lot comes in several receipts and is counted; two materials may have lots of the same number."""

from alembic import op

from mes.migrations.live import alter

revision = "mes_0015"
down_revision = "mes_0014"

CHANGES = (
    "alter table mes.lot add if not exists number text",
    """
    comment on column mes.lot.number is
        'What the ERP calls it, where the lot of another material is called so too; null: as id.'
    """,
    """
    create unique index if not exists lot_of_material
        on mes.lot (material, (coalesce(number, id)), simulated)
    """,
    """
    create index if not exists lot_in_any_letters
        on mes.lot (upper(normalize(coalesce(number, id), nfkc)))
    """,
    """
    alter table mes.stock_movement
        drop constraint if exists stock_movement_kind_check,
        drop constraint if exists stock_movement_check,
        drop constraint if exists stock_movement_signed,
        add constraint stock_movement_kind_check
            check (kind in ('receipt', 'consumption', 'return', 'scrap', 'count')) not valid,
        add constraint stock_movement_signed
            check (kind = 'count' or (quantity > 0) = (kind in ('receipt', 'return'))) not valid
    """,
    "alter table mes.stock_movement validate constraint stock_movement_kind_check",
    "alter table mes.stock_movement validate constraint stock_movement_signed",
)

RECEIPTS = """
create table if not exists mes.stock_receipt (
    key       text primary key,
    site      text not null,
    scope     text not null default '',
    movement  uuid not null unique references mes.stock_movement
);
comment on table mes.stock_receipt is 'The ERP''s movement behind a receipt or a count: booked once.';
revoke update, delete on mes.stock_receipt from lineside_app;
insert into mes.stock_receipt (key, site, movement)
select l.receipt, l.site, m.id from mes.lot l
join mes.stock_movement m on m.lot = l.id and m.kind = 'receipt' where l.receipt is not null
on conflict do nothing;
"""


def upgrade() -> None:
    alter(CHANGES)
    op.execute(RECEIPTS)
