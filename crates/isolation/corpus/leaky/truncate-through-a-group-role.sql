--: why = "sensor_app inherits from housekeeping, and that group may TRUNCATE a partition: one tenant empties last month's samples of all tenants."
--: class = "truncate"
--: [[expect]]
--: object = "iot.samples_2025_01"
--: verb = "truncate"
--: kind = "leak"
create role housekeeping nologin;
create role sensor_app login in role housekeeping;
create schema iot;
create table iot.devices (
  tenant int not null check (tenant > 0),
  serial text not null,
  model text not null default 'T1' check (model in ('T1', 'T2', 'H4')),
  primary key (tenant, serial)
);
create table iot.samples (
  tenant int not null,
  serial text not null,
  at timestamptz not null,
  value double precision not null,
  primary key (tenant, serial, at),
  foreign key (tenant, serial) references iot.devices
) partition by range (at);
create table iot.samples_2025_01 partition of iot.samples for values from ('2025-01-01') to ('2025-02-01');
create table iot.samples_2025_02 partition of iot.samples for values from ('2025-02-01') to ('2025-03-01');
alter table iot.devices enable row level security, force row level security;
alter table iot.samples enable row level security, force row level security;
alter table iot.samples_2025_01 enable row level security, force row level security;
alter table iot.samples_2025_02 enable row level security, force row level security;
create policy t on iot.devices using (tenant = nullif(current_setting('iot.tenant', true), '')::int);
create policy t on iot.samples using (tenant = nullif(current_setting('iot.tenant', true), '')::int);
grant usage on schema iot to sensor_app;
grant select, insert, update on iot.devices to sensor_app;
grant select, insert on iot.samples to sensor_app;
grant truncate on iot.samples_2025_01 to housekeeping;
insert into iot.devices values (3, 'S-1', 'T1'), (4, 'S-1', 'H4');
insert into iot.samples values (3, 'S-1', '2025-01-05', 20.5), (4, 'S-1', '2025-01-06', 61), (3, 'S-1', '2025-02-05', 19), (4, 'S-1', '2025-02-06', 58);
--- fix
revoke truncate on iot.samples_2025_01 from housekeeping;
