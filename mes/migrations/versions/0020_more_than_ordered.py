"""More than ordered can be made, as far as the policy says, and scrap is made up for."""

from alembic import op

from mes.migrations.live import alter

revision = "mes_0020"
down_revision = "mes_0019"

CHANGES = (
    """
    alter table mes.policy
        add if not exists over_percent numeric not null default 0 check (over_percent between 0 and 100)
    """,
    "alter table mes.work_order drop constraint if exists work_order_check",
    """
    comment on column mes.work_order.quantity is
        'Ordered. What is made up for scrap or beyond it is in the quantity of the jobs.'
    """,
)


COUNTS_SCRAP = """
create or replace function mes.counts_scrap(unit text) returns boolean
    language sql stable security definer set search_path = mes as $$
    select exists (
        select from (select distinct on (edge) edge, config from mes.edge_config
                     order by edge, version desc) e
        cross join lateral jsonb_array_elements(
            case jsonb_typeof(e.config -> 'tags') when 'array' then e.config -> 'tags' else '[]' end) tag
        where tag ->> 'kind' = 'count' and split_part(tag ->> 'name', '/', 1) = unit
          and coalesce(nullif(tag ->> 'metric', ''), split_part(tag ->> 'name', '/', 2)) = 'count.scrap'
          and not exists (select from mes.edge_link gone
                          where gone.edge = e.edge and gone.at < now() - interval '7 days'))
$$;
comment on function mes.counts_scrap is 'By the edges at work: one unheard of for a week counts nothing.';
"""


def upgrade() -> None:
    alter(CHANGES)
    op.execute(COUNTS_SCRAP)
