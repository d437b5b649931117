"""The plant's tables: master data, stock, genealogy, orders, plan heads, execution.

Ledgers are append-only for the application role, and what they add up to (stock of a lot, good and
scrap of a job, consumption of a component) is written by their triggers alone: the application has
no right to those columns.
"""

from alembic import op

revision = "mes_0003"
down_revision = "mes_0002"

RESOURCES = """
create table mes.equipment (
    id              text primary key,
    site            text not null,
    scope           text not null,
    level           text not null
                    check (level in ('enterprise', 'site', 'area', 'work_center', 'work_unit')),
    name            text not null,
    parent          text references mes.equipment,
    work_center     text references mes.equipment,
    cost_center     text not null default '',
    skill           text,
    calendar        text,
    assigns_serial  boolean not null default false,
    position        integer not null default 0,
    check (level <> 'work_unit' or work_center is not null)
);
create index equipment_of_work_center on mes.equipment (work_center);

create table mes.equipment_status (
    equipment   text primary key references mes.equipment,
    site        text not null,
    scope       text not null,
    state       text not null,
    since       timestamptz not null,
    reason      text
);

create table mes.calendar (
    site    text not null,
    code    text not null,
    shifts  jsonb not null,
    breaks  jsonb not null,
    primary key (site, code)
);

create table mes.skill (
    site  text not null,
    code  text not null,
    primary key (site, code)
);

create table mes.person (
    id          text primary key,
    site        text not null,
    name        text not null,
    crew        text,
    rate_class  text not null default 'L1',
    active      boolean not null default true,
    erp_ref     text not null default ''
);

create table mes.person_skill (
    person      text not null references mes.person,
    skill       text not null,
    valid_from  timestamptz not null default '-infinity',
    valid_to    timestamptz not null default 'infinity' check (valid_to > valid_from),
    primary key (person, skill, valid_from)
);

create table mes.attendance (
    id         uuid primary key,
    site       text not null,
    person     text not null references mes.person,
    in_at      timestamptz not null,
    out_at     timestamptz check (out_at >= in_at),
    reason     text,
    simulated  boolean not null default false
);
create unique index one_open_attendance on mes.attendance (person, simulated) where out_at is null;
create index attendance_of_person on mes.attendance (person, in_at desc);

create table mes.reason (
    site      text not null,
    kind      text not null
              check (kind in ('scrap', 'stop', 'hold', 'reversal', 'lot', 'absence')),
    code      text not null,
    loss      text not null default '',
    position  integer not null default 0,
    primary key (site, kind, code)
);

create table mes.setup_family (
    site      text not null,
    material  text not null,
    family    text not null,
    primary key (site, material)
);

create table mes.setup_rule (
    site         text not null,
    work_center  text not null references mes.equipment,
    from_family  text not null,
    to_family    text not null,
    seconds      integer not null check (seconds >= 0),
    primary key (work_center, from_family, to_family)
);

create table mes.rate (
    site        text not null,
    kind        text not null check (kind in ('labour', 'machine')),
    code        text not null,
    valid_from  timestamptz not null,
    per_hour    numeric not null check (per_hour >= 0),
    currency    text not null check (currency ~ '^[A-Z]{3}$'),
    primary key (site, kind, code, valid_from)
);

create table mes.policy (
    site                  text primary key,
    timezone              text not null,
    auto_release          boolean not null,
    dispatch_horizon_min  integer not null check (dispatch_horizon_min > 0),
    close_after_min       integer not null check (close_after_min >= 0),
    serial_prefix         text not null
);
"""

DEFINITIONS = """
create table mes.material (
    id        text primary key,
    site      text not null,
    name      text not null,
    kind      text not null check (kind in ('product', 'component')),
    uom       text not null check (uom <> ''),
    tracking  text not null check (tracking in ('none', 'lot', 'serial')),
    erp_ref   text not null default ''
);

create table mes.standard_price (
    material    text not null references mes.material,
    site        text not null,
    valid_from  timestamptz not null,
    price       numeric not null check (price >= 0),
    currency    text not null check (currency ~ '^[A-Z]{3}$'),
    primary key (material, valid_from)
);

create table mes.work_master (
    id              text not null,
    version         integer not null check (version > 0),
    site            text not null,
    material        text not null references mes.material,
    base_quantity   numeric not null check (base_quantity > 0),
    effective_from  timestamptz not null,
    digest          text not null,
    erp_ref         text not null default '',
    primary key (id, version)
);
create index work_master_of_material on mes.work_master (material, effective_from);

create table mes.work_master_operation (
    work_master   text not null,
    version       integer not null,
    operation     integer not null check (operation > 0),
    name          text not null,
    work_center   text not null references mes.equipment,
    run_s         numeric not null check (run_s >= 0),
    setup_s       numeric not null check (setup_s >= 0),
    skill         text,
    labour_class  text not null,
    instructions  text not null,
    primary key (work_master, version, operation),
    foreign key (work_master, version) references mes.work_master (id, version)
);

create table mes.work_master_component (
    work_master  text not null,
    version      integer not null,
    operation    integer not null,
    material     text not null references mes.material,
    quantity     numeric not null check (quantity > 0),
    uom          text not null,
    primary key (work_master, version, operation, material),
    foreign key (work_master, version, operation)
        references mes.work_master_operation (work_master, version, operation)
);
revoke update, delete on mes.standard_price, mes.work_master, mes.work_master_operation,
    mes.work_master_component from lineside_app;
"""

ORDERS = """
create sequence mes.work_order_number;
create sequence mes.serial_number;
grant usage, select on mes.work_order_number, mes.serial_number to lineside_app;

create table mes.customer_order (
    id             text primary key,
    site           text not null,
    customer       text not null,
    customer_name  text not null,
    due_at         timestamptz not null,
    ordered_at     timestamptz not null,
    erp_ref        text not null default '',
    simulated      boolean not null default false
);

create table mes.work_order (
    id                   text primary key,
    site                 text not null,
    scope                text not null default '',
    material             text not null references mes.material,
    quantity             numeric not null check (quantity > 0),
    uom                  text not null,
    due_at               timestamptz not null,
    priority             smallint not null check (priority between 1 and 9),
    customer_order       text references mes.customer_order,
    erp_ref              text not null unique,
    work_master          text not null,
    work_master_version  integer not null,
    status               text not null check (status in
                         ('Waiting', 'Released', 'Running', 'Completed', 'Cancelled', 'Closed')),
    good                 numeric not null default 0 check (good >= 0),
    scrap                numeric not null default 0 check (scrap >= 0),
    received_at          timestamptz not null,
    released_at          timestamptz,
    started_at           timestamptz,
    completed_at         timestamptz,
    closed_at            timestamptz,
    promised_at          timestamptz,
    simulated            boolean not null default false,
    check (good + scrap <= quantity),
    foreign key (work_master, work_master_version) references mes.work_master (id, version)
);
create index work_order_open on mes.work_order (due_at)
    where status in ('Waiting', 'Released', 'Running');
create index work_order_by_age on mes.work_order (received_at desc);
create index work_order_of_customer_order on mes.work_order (customer_order);
revoke update, delete on mes.work_order from lineside_app;
grant update (quantity, due_at, priority, customer_order, status, released_at, started_at,
    completed_at, closed_at, promised_at, work_master, work_master_version)
    on mes.work_order to lineside_app;

create table mes.job_order (
    id              text primary key,
    site            text not null,
    scope           text not null,
    work_order      text not null references mes.work_order,
    operation       integer not null check (operation > 0),
    from_operation  integer not null check (from_operation >= 0 and from_operation < operation),
    last            boolean not null,
    name            text not null,
    instructions    text not null,
    material        text not null references mes.material,
    family          text,
    work_center     text not null references mes.equipment,
    cost_center     text not null,
    skill           text,
    labour_class    text not null,
    setup_s         numeric not null check (setup_s >= 0),
    run_s           numeric not null check (run_s >= 0),
    quantity        numeric not null check (quantity > 0),
    uom             text not null,
    status          text not null check (status in
                    ('Waiting', 'Pending', 'Cancelled', 'Dispatched', 'Ready', 'Running',
                     'Completed', 'Aborted', 'Held', 'Suspended', 'Closed')),
    good            numeric not null default 0 check (good >= 0),
    scrap           numeric not null default 0 check (scrap >= 0),
    equipment       text references mes.equipment,
    planned_start   timestamptz,
    planned_end     timestamptz check (planned_end >= planned_start),
    sequence        integer,
    locked          boolean not null default false,
    serial_from     integer,
    hold_reason     text,
    started_at      timestamptz,
    completed_at    timestamptz,
    simulated       boolean not null default false,
    unique (work_order, operation),
    check (good + scrap <= quantity),
    check (status not in ('Running', 'Held', 'Suspended') or equipment is not null)
);
create unique index one_running_job_per_unit on mes.job_order (equipment, simulated)
    where status = 'Running';
create index job_order_queue on mes.job_order (equipment, sequence)
    where status in ('Dispatched', 'Ready', 'Running', 'Held', 'Suspended');
create index job_order_open on mes.job_order (work_order)
    where status not in ('Completed', 'Cancelled', 'Aborted', 'Closed');
create index job_order_last_family on mes.job_order (equipment, started_at desc)
    where started_at is not null;
revoke update, delete on mes.job_order from lineside_app;
grant update (quantity, status, equipment, planned_start, planned_end, sequence, locked,
    hold_reason, started_at, completed_at) on mes.job_order to lineside_app;

create table mes.job_component (
    job_order  text not null references mes.job_order,
    material   text not null references mes.material,
    site       text not null,
    per_piece  numeric not null check (per_piece > 0),
    required   numeric not null check (required > 0),
    consumed   numeric not null default 0 check (consumed >= 0),
    uom        text not null,
    primary key (job_order, material)
);
revoke update, delete on mes.job_component from lineside_app;
grant update (required) on mes.job_component to lineside_app;
"""

STOCK = """
create table mes.lot_number (
    material  text primary key references mes.material,
    last      integer not null
);

create table mes.lot (
    id            text primary key,
    site          text not null,
    scope         text not null default '',
    material      text not null references mes.material,
    uom           text not null,
    on_hand       numeric not null default 0 check (on_hand >= 0),
    status        text not null check (status in ('available', 'held', 'scrapped')),
    reason        text,
    expires_at    timestamptz,
    reserved_for  text references mes.work_order,
    received_at   timestamptz not null,
    price         numeric not null check (price >= 0),
    currency      text not null,
    supplier      text not null,
    purchase      text not null,
    receipt       text unique,
    received      numeric not null check (received > 0),
    simulated     boolean not null default false
);
create index lot_with_stock on mes.lot (material, expires_at) where on_hand > 0;
revoke update, delete on mes.lot from lineside_app;
grant update (status, reason, expires_at, reserved_for) on mes.lot to lineside_app;

create table mes.stock_movement (
    id           uuid primary key,
    site         text not null,
    lot          text not null references mes.lot,
    material     text not null references mes.material,
    kind         text not null check (kind in ('receipt', 'consumption', 'return', 'scrap')),
    quantity     numeric not null check (quantity <> 0),
    uom          text not null,
    work_order   text references mes.work_order,
    job_order    text references mes.job_order,
    reason       text,
    reverses     uuid unique references mes.stock_movement,
    at           timestamptz not null,
    recorded_at  timestamptz not null default clock_timestamp(),
    actor        text not null,
    simulated    boolean not null default false,
    check ((quantity > 0) = (kind in ('receipt', 'return'))),
    check ((kind = 'return') = (reverses is not null))
);
create index stock_movement_of_lot on mes.stock_movement (lot, at);
create index stock_movement_of_order on mes.stock_movement (work_order);
revoke update, delete on mes.stock_movement from lineside_app;

create function mes.book_movement() returns trigger language plpgsql security definer
set search_path = mes as $$
begin
    update mes.lot set on_hand = on_hand + new.quantity
    where id = new.lot and material = new.material and uom = new.uom;
    if not found then
        raise exception 'movement does not fit lot %', new.lot using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger book_movement after insert on mes.stock_movement
    for each row execute function mes.book_movement();

create table mes.expected_receipt (
    purchase     text not null,
    material     text not null references mes.material,
    site         text not null,
    quantity     numeric not null check (quantity >= 0),
    uom          text not null,
    expected_at  timestamptz not null,
    supplier     text not null,
    primary key (purchase, material)
);
"""

TRACKING = """
create table mes.serial_unit (
    serial          text primary key,
    site            text not null,
    work_order      text not null references mes.work_order,
    material        text not null references mes.material,
    position        integer not null check (position > 0),
    status          text not null
                    check (status in ('reserved', 'assigned', 'finished', 'scrapped', 'void')),
    last_operation  integer not null default 0,
    unique (work_order, position)
);
revoke update, delete on mes.serial_unit from lineside_app;
grant update (status, last_operation) on mes.serial_unit to lineside_app;

create table mes.genealogy_edge (
    id          uuid primary key,
    site        text not null,
    work_order  text not null references mes.work_order,
    job_order   text not null references mes.job_order,
    material    text not null references mes.material,
    lot         text not null references mes.lot,
    serial      text references mes.serial_unit,
    quantity    numeric not null check (quantity <> 0),
    uom         text not null,
    actual      uuid not null unique,
    at          timestamptz not null,
    simulated   boolean not null default false
);
create index genealogy_of_order on mes.genealogy_edge (work_order);
create index genealogy_of_lot on mes.genealogy_edge (lot);
revoke update, delete on mes.genealogy_edge from lineside_app;

create table mes.as_built (
    serial      text not null references mes.serial_unit,
    revision    integer not null check (revision > 0),
    site        text not null,
    work_order  text not null references mes.work_order,
    material    text not null references mes.material,
    at          timestamptz not null,
    primary key (serial, revision)
);
create index as_built_of_order on mes.as_built (work_order);

create table mes.as_built_component (
    serial    text not null,
    revision  integer not null,
    material  text not null references mes.material,
    lot       text not null references mes.lot,
    quantity  numeric not null check (quantity > 0),
    uom       text not null,
    basis     text not null check (basis in ('scanned', 'allocated')),
    primary key (serial, revision, material, lot, basis),
    foreign key (serial, revision) references mes.as_built (serial, revision)
);
create index as_built_with_lot on mes.as_built_component (lot);
revoke update, delete on mes.as_built, mes.as_built_component from lineside_app;
"""

DISPATCHING = """
create table mes.plan (
    plan          uuid primary key,
    site          text not null,
    version       integer not null,
    solver        text not null,
    status        text not null,
    objective     double precision not null,
    bound         double precision,
    operations    integer not null,
    late_orders   integer not null,
    published_at  timestamptz not null,
    by            text not null,
    unique (site, version)
);

create table mes.promise (
    id              uuid primary key,
    site            text not null,
    customer_order  text not null references mes.customer_order,
    work_order      text not null references mes.work_order,
    promised_at     timestamptz not null,
    previous        timestamptz,
    reason          text not null,
    given_at        timestamptz not null,
    simulated       boolean not null default false
);
create index promise_of_customer_order on mes.promise (customer_order, given_at);
revoke update, delete on mes.plan, mes.promise from lineside_app;
"""

EXECUTION = """
create table mes.report (
    id             uuid primary key,
    site           text not null,
    scope          text not null,
    job_order      text not null references mes.job_order,
    work_order     text not null references mes.work_order,
    operation      integer not null,
    equipment      text not null references mes.equipment,
    person         text not null references mes.person,
    good           numeric not null,
    scrap          numeric not null,
    uom            text not null,
    reason         text,
    serials        text[] not null default '{}',
    scrap_serials  text[] not null default '{}',
    reverses       uuid unique references mes.report,
    at             timestamptz not null,
    recorded_at    timestamptz not null default clock_timestamp(),
    terminal       text,
    key            text,
    simulated      boolean not null default false,
    check (good + scrap <> 0),
    check (reverses is not null or (good >= 0 and scrap >= 0)),
    check (reverses is null or (good <= 0 and scrap <= 0)),
    check (scrap = 0 or reason is not null)
);
create index report_of_job on mes.report (job_order, at);
create index report_of_unit on mes.report (equipment, at desc);
create index report_by_time on mes.report (at);
revoke update, delete on mes.report from lineside_app;

create function mes.book_report() returns trigger language plpgsql security definer
set search_path = mes as $$
declare leaves boolean;
begin
    update mes.job_order set good = good + new.good, scrap = scrap + new.scrap
    where id = new.job_order and work_order = new.work_order and uom = new.uom
    returning last into leaves;
    if not found then
        raise exception 'report does not fit job %', new.job_order using errcode = 'check_violation';
    end if;
    update mes.work_order
    set good = good + case when leaves then new.good else 0 end, scrap = scrap + new.scrap
    where id = new.work_order;
    return new;
end $$;
create trigger book_report after insert on mes.report
    for each row execute function mes.book_report();

create table mes.material_actual (
    id           uuid primary key,
    site         text not null,
    scope        text not null,
    job_order    text not null references mes.job_order,
    work_order   text not null references mes.work_order,
    operation    integer not null,
    equipment    text not null references mes.equipment,
    person       text not null references mes.person,
    material     text not null references mes.material,
    lot          text not null references mes.lot,
    quantity     numeric not null check (quantity <> 0),
    uom          text not null,
    serial       text references mes.serial_unit,
    movement     uuid not null unique references mes.stock_movement,
    reverses     uuid unique references mes.material_actual,
    reason       text,
    at           timestamptz not null,
    recorded_at  timestamptz not null default clock_timestamp(),
    terminal     text,
    key          text,
    simulated    boolean not null default false,
    check ((quantity < 0) = (reverses is not null))
);
create index material_actual_of_job on mes.material_actual (job_order, at);
create index material_actual_of_unit on mes.material_actual (equipment, at desc);
create index material_actual_of_lot on mes.material_actual (lot);
revoke update, delete on mes.material_actual from lineside_app;

create function mes.book_material_actual() returns trigger language plpgsql security definer
set search_path = mes as $$
begin
    update mes.job_component set consumed = consumed + new.quantity
    where job_order = new.job_order and material = new.material and uom = new.uom;
    if not found then
        raise exception '% is not on the bill of %', new.material, new.job_order
            using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger book_material_actual after insert on mes.material_actual
    for each row execute function mes.book_material_actual();

create table mes.equipment_actual (
    id          uuid primary key,
    site        text not null,
    scope       text not null,
    job_order   text not null references mes.job_order,
    equipment   text not null references mes.equipment,
    started_at  timestamptz not null,
    ended_at    timestamptz check (ended_at >= started_at),
    simulated   boolean not null default false
);
create unique index one_open_interval_per_unit on mes.equipment_actual (equipment, simulated)
    where ended_at is null;
create index equipment_actual_of_job on mes.equipment_actual (job_order);
create index equipment_actual_by_time on mes.equipment_actual (equipment, started_at);

create table mes.personnel_actual (
    id          uuid primary key,
    site        text not null,
    scope       text not null,
    job_order   text not null references mes.job_order,
    person      text not null references mes.person,
    equipment   text not null references mes.equipment,
    started_at  timestamptz not null,
    ended_at    timestamptz check (ended_at >= started_at),
    simulated   boolean not null default false
);
create unique index one_open_interval_per_person on mes.personnel_actual (person, simulated)
    where ended_at is null;
create index personnel_actual_of_job on mes.personnel_actual (job_order);
revoke update, delete on mes.equipment_actual, mes.personnel_actual from lineside_app;
grant update (ended_at) on mes.equipment_actual, mes.personnel_actual to lineside_app;

create table mes.stop_reason (
    id          uuid primary key,
    site        text not null,
    scope       text not null,
    equipment   text not null references mes.equipment,
    interval    uuid,
    reason      text not null,
    person      text references mes.person,
    at          timestamptz not null,
    actor       text not null,
    simulated   boolean not null default false
);
create index stop_reason_of_unit on mes.stop_reason (equipment, at desc);
revoke update, delete on mes.stop_reason from lineside_app;
"""


def upgrade() -> None:
    for part in (RESOURCES, DEFINITIONS, ORDERS, STOCK, TRACKING, DISPATCHING, EXECUTION):
        op.execute(part)
