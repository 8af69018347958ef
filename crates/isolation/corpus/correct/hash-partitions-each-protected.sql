--: why = "The partitions can be named directly and some are granted, but each has ENABLE, FORCE and the same policy as the parent."
--: class = "partition"
create role iot_app login;
create schema iot;
create table iot.devices (
  org_id text not null,
  serial text not null check (serial ~ '^SN-[0-9]{4,8}$'),
  model text not null,
  primary key (org_id, serial)
);
create table iot.samples (
  org_id text not null,
  serial text not null,
  at timestamptz not null,
  celsius real check (celsius > -273.15),
  primary key (org_id, serial, at),
  foreign key (org_id, serial) references iot.devices on delete cascade
) partition by hash (org_id);
create table iot.samples_0 partition of iot.samples for values with (modulus 3, remainder 0);
create table iot.samples_1 partition of iot.samples for values with (modulus 3, remainder 1);
create table iot.samples_2 partition of iot.samples for values with (modulus 3, remainder 2);
do $$
declare t regclass;
begin
  foreach t in array array['iot.devices', 'iot.samples', 'iot.samples_0', 'iot.samples_1', 'iot.samples_2']::regclass[] loop
    execute format('alter table %s enable row level security', t);
    execute format('alter table %s force row level security', t);
    execute format('create policy org on %s using (org_id = nullif(current_setting(%L, true), %L))
      with check (org_id = nullif(current_setting(%2$L, true), %3$L))', t, 'iot.org', '');
  end loop;
end $$;
grant usage on schema iot to iot_app;
grant select, insert, update, delete on all tables in schema iot to iot_app;
insert into iot.devices values ('acme', 'SN-0001', 'T1'), ('bolt', 'SN-0001', 'T2'), ('crux', 'SN-0007', 'T2');
insert into iot.samples values ('acme', 'SN-0001', '2025-01-01 00:00+00', 21.5), ('bolt', 'SN-0001', '2025-01-01 00:00+00', -40.25), ('crux', 'SN-0007', '2025-01-02 00:00+00', 77);
