"""Time series: samples, newest values, rollups; with TimescaleDB where the database has it."""

from alembic import op
from sqlalchemy import text

revision = "historian_0001"
down_revision = None

TABLES = """
create table historian.tag (
    tag_id     int generated always as identity primary key,
    path       text not null unique,
    site       text not null,
    edge       text not null,
    equipment  text not null,
    metric     text not null,
    kind       text not null,
    datatype   smallint not null,
    unit       text not null default '',
    born_at    timestamptz not null default now()
);
comment on column historian.tag.path is '<equipment>/<signal>';

create table historian.sample (
    time     timestamptz not null,
    tag_id   int not null,
    value    double precision,
    quality  smallint not null
) {by_time};
create table historian.sample_text (
    time     timestamptz not null,
    tag_id   int not null,
    value    jsonb not null,
    quality  smallint not null
) {by_time};
create index sample_by_tag on historian.sample (tag_id, time);
create index sample_text_by_tag on historian.sample_text (tag_id, time);
comment on index historian.sample_by_tag is
    'Not unique: two readings with the same time are two readings. Exactly once is the cursor''s.';

create table historian.last_value (
    tag_id   int primary key,
    time     timestamptz not null,
    value    double precision,
    text     jsonb,
    quality  smallint not null
) with (fillfactor = 70);

create table historian.rollup_1m (
    tag_id   int not null,
    bucket   timestamptz not null,
    n        int not null,
    n_good   int not null,
    sum      double precision,
    min      double precision,
    max      double precision,
    first    double precision,
    last     double precision,
    twa      double precision,
    primary key (tag_id, bucket)
);
comment on column historian.rollup_1m.twa is 'Time-weighted mean of the good values in the bucket.';
create table historian.rollup_1h (like historian.rollup_1m including all);
create table historian.rollup_dirty (
    minutes  smallint not null check (minutes in (1, 60)),
    tag_id   int not null,
    bucket   timestamptz not null,
    primary key (minutes, tag_id, bucket)
);

create table historian.ingest_cursor (
    edge    text not null,
    epoch   uuid not null,
    stream  text not null,
    seq     bigint not null,
    at      timestamptz not null default now(),
    primary key (edge, epoch, stream)
);
create table historian.ingest_total (
    edge     text primary key,
    samples  bigint not null default 0,
    at       timestamptz not null default now()
);
create table historian.gap (
    id         bigint generated always as identity primary key,
    edge       text not null,
    stream     text not null,
    epoch      uuid not null,
    from_seq   bigint not null,
    to_seq     bigint not null,
    reason     text not null,
    samples    bigint,
    at         timestamptz not null default now(),
    unique (edge, stream, epoch, from_seq)
);
create table historian.quarantine (
    id           bigint generated always as identity primary key,
    edge         text not null,
    stream       text not null,
    epoch        uuid,
    seq          bigint,
    idx          int not null default -1,
    reason       text not null,
    payload      bytea not null,
    detail       jsonb not null default '{{}}',
    at           timestamptz not null default now(),
    resolved_at  timestamptz,
    unique (edge, stream, epoch, seq, idx)
);
comment on column historian.quarantine.idx is 'Metric in the batch; -1 for the whole of it.';
"""

HYPERTABLES = """
select create_hypertable('historian.sample', by_range('time', interval '1 day'),
                         create_default_indexes => false);
select create_hypertable('historian.sample_text', by_range('time', interval '1 day'),
                         create_default_indexes => false);
"""
COLUMNSTORE = """
alter table historian.sample set (timescaledb.enable_columnstore, timescaledb.segmentby = 'tag_id',
                                  timescaledb.orderby = 'time');
call add_columnstore_policy('historian.sample', after => interval '3 days');
"""
DEFAULTS = """
create table historian.sample_default partition of historian.sample default;
create table historian.sample_text_default partition of historian.sample_text default;
"""


def upgrade() -> None:
    bind = op.get_bind()
    timescale = bind.execute(text("select 1 from pg_extension where extname = 'timescaledb'")).scalar()
    op.execute(TABLES.format(by_time="" if timescale else "partition by range (time)"))
    if not timescale:
        op.execute(DEFAULTS)
        return
    op.execute(HYPERTABLES)
    licence = bind.execute(text("select current_setting('timescaledb.license', true)")).scalar()
    if licence == "timescale":
        op.execute(COLUMNSTORE)
