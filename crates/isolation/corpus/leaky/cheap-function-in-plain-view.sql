--: why = "post.my_letters filters by tenant itself but is no security barrier: a caller's own function of tiny cost in the WHERE clause runs before the filter and prints foreign rows."
--: class = "plan"
--: [[expect]]
--: object = "post.my_letters"
--: verb = "select"
--: kind = "leak"
create role post_app login;
create schema post;
create table post.offices (
  office_id int primary key,
  town text not null
);
create table post.letters (
  office_id int not null references post.offices,
  letter_no int not null,
  sender text not null,
  addressee text not null,
  grams int not null default 20 check (grams between 1 and 2000),
  stamped timestamptz not null default now(),
  primary key (office_id, letter_no)
);
alter table post.offices enable row level security;
alter table post.offices force row level security;
alter table post.letters enable row level security;
alter table post.letters force row level security;
create policy o on post.offices for select using (office_id = nullif(current_setting('post.office_id', true), '')::int);
create policy o on post.letters using (office_id = nullif(current_setting('post.office_id', true), '')::int)
  with check (office_id = nullif(current_setting('post.office_id', true), '')::int);
create view post.my_letters as
  select l.letter_no, l.sender, l.addressee, l.grams, l.stamped::date as day
  from post.letters l where l.office_id = nullif(current_setting('post.office_id', true), '')::int;
grant usage on schema post to post_app;
grant select on post.offices to post_app;
grant insert, update, delete, select on post.letters to post_app;
grant select on post.my_letters to post_app;
insert into post.offices values (5, 'Lindau'), (6, 'Bregenz'), (7, 'Rorschach');
insert into post.letters (office_id, letter_no, sender, addressee) values
  (5, 1, 'Kurt Abel', 'Finanzamt'), (6, 1, 'Lena Blum', 'Dr. Roth'), (6, 2, 'Uwe Cerny', 'Anna'), (7, 1, 'Max Dorn', 'Bank');
--- fix
alter view post.my_letters set (security_barrier);
