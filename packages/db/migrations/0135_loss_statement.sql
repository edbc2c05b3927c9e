-- Up Migration
-- Additive
-- Statements of witnesses: a keeper releases the leases of a silent node with one. The witness has a role of its own, which
-- writes nothing else.

do $$
begin
  create role ngpu_witness nologin;
exception when duplicate_object or unique_violation then
  null; -- roles are shared by all databases of a server: another database of the market created it
end
$$;
grant ngpu_reader to ngpu_witness;

alter table app.absence
  -- Last contact, also where `since` is earlier because the node had returned only briefly.
  add column heard_at timestamptz not null default now();

-- The latest statement about each absent node with leases, for each DockerContract that holds some.
create table app.loss_statement (
  contract text not null,
  node_id integer not null,
  -- Unix seconds, as signed.
  last_heard int8 not null,
  stated_at int8 not null,
  witness text not null,
  head text not null,
  r text not null,
  vs text not null,
  primary key (contract, node_id)
);

grant select, insert, update, delete on app.loss_statement to ngpu_witness, ngpu_match;
grant select on app.absence, app.match_instance to ngpu_witness;

-- Down Migration
