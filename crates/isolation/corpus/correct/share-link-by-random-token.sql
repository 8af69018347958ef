--: why = "photo.shared_album is SECURITY DEFINER, executable without a tenant and crosses tenants on purpose, but only for the holder of an unexpired 256-bit token that is stored as a digest; the global unique key is on that digest."
--: class = "definer-function"
--: [isolation]
--: app_role = "photo_app"
--: tenant_column = "studio_id"
--: tenants = ["1", "2"]
--: context = "SET LOCAL photo.studio = '{tenant}'"
create role photo_app login;
create schema photo;
create extension pgcrypto with schema photo;
create table photo.albums (
  studio_id bigint not null,
  album_id uuid not null default gen_random_uuid(),
  title text not null,
  shot_on date,
  primary key (studio_id, album_id)
);
create table photo.pictures (
  studio_id bigint not null,
  album_id uuid not null,
  picture_no int not null check (picture_no > 0),
  caption text not null default '',
  exif jsonb not null default '{}',
  primary key (studio_id, album_id, picture_no),
  foreign key (studio_id, album_id) references photo.albums on delete cascade
);
create table photo.shares (
  studio_id bigint not null,
  share_id uuid not null default gen_random_uuid(),
  album_id uuid not null,
  token_sha256 bytea not null unique check (octet_length(token_sha256) = 32),
  expires timestamptz not null default now() + interval '14 days',
  primary key (studio_id, share_id),
  foreign key (studio_id, album_id) references photo.albums on delete cascade
);
alter table photo.albums enable row level security;
alter table photo.albums force row level security;
alter table photo.pictures enable row level security;
alter table photo.pictures force row level security;
alter table photo.shares enable row level security;
alter table photo.shares force row level security;
create policy s on photo.albums using (studio_id = nullif(current_setting('photo.studio', true), '')::bigint)
  with check (studio_id = nullif(current_setting('photo.studio', true), '')::bigint);
create policy s on photo.pictures using (studio_id = nullif(current_setting('photo.studio', true), '')::bigint)
  with check (studio_id = nullif(current_setting('photo.studio', true), '')::bigint);
create policy s on photo.shares for select using (studio_id = nullif(current_setting('photo.studio', true), '')::bigint);
create policy s_end on photo.shares for delete using (studio_id = nullif(current_setting('photo.studio', true), '')::bigint);
-- the token exists in the answer only
create function photo.share_album(p_album uuid) returns text
language plpgsql security definer set search_path = photo, pg_temp as $$
declare
  secret bytea := photo.gen_random_bytes(32);
begin
  insert into photo.shares (studio_id, album_id, token_sha256)
    select a.studio_id, a.album_id, sha256(secret) from photo.albums a
    where a.album_id = p_album and a.studio_id = nullif(current_setting('photo.studio', true), '')::bigint;
  return case when found then encode(secret, 'hex') end;
end $$;
create function photo.shared_album(p_token text) returns table (title text, picture_no int, caption text)
language sql stable security definer set search_path = photo, pg_temp as $$
  select a.title, p.picture_no, p.caption
  from photo.shares s join photo.albums a using (studio_id, album_id) join photo.pictures p using (studio_id, album_id)
  where p_token ~ '^[0-9a-f]{64}$' and s.expires > now()
    and s.token_sha256 = sha256(decode(case when p_token ~ '^[0-9a-f]{64}$' then p_token else '' end, 'hex'))
$$;
revoke execute on function photo.share_album(uuid), photo.shared_album(text) from public;
grant execute on function photo.share_album(uuid), photo.shared_album(text) to photo_app;
grant usage on schema photo to photo_app;
grant select, insert, update, delete on photo.albums, photo.pictures to photo_app;
grant select, delete on photo.shares to photo_app;
insert into photo.albums values (1, '11111111-1111-4111-8111-111111111111', 'Wedding Berg', '2025-05-03'),
  (2, '22222222-2222-4222-8222-222222222222', 'Newborn Tal', '2025-06-11');
insert into photo.pictures (studio_id, album_id, picture_no, caption) values
  (1, '11111111-1111-4111-8111-111111111111', 1, 'rings'), (2, '22222222-2222-4222-8222-222222222222', 1, 'tiny feet');
insert into photo.shares (studio_id, album_id, token_sha256) values
  (2, '22222222-2222-4222-8222-222222222222', sha256(photo.gen_random_bytes(32)));
