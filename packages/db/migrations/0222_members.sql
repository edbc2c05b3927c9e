-- Up Migration
-- Additive
-- Members of accounts, invitations, and what was done with which key.

-- Wallets that act for an account. Its own wallet is an owner without a row.
create table app.member (
  account text not null references app.account,
  wallet text not null references app.account,
  role text not null check (role in ('owner', 'developer', 'viewer', 'billing')),
  name text,
  added_at timestamptz not null default now(),
  primary key (account, wallet),
  check (account <> wallet)
);

-- Invitations to accounts.
create table app.invitation (
  -- The part of its text before its secret.
  id text primary key,
  account text not null references app.account,
  role text not null check (role in ('owner', 'developer', 'viewer', 'billing')),
  name text,
  -- The only wallet that may accept it. Null: any.
  wallet text,
  -- sha256 of 256 random bits.
  secret_hash bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  accepted_by text,
  revoked_at timestamptz
);
create index invitation_account on app.invitation (account, created_at);

-- The member that holds the key. Null: the account's own wallet.
alter table app.api_key add column member text;

-- Instances of apiServer keep keys in memory: what a key may do follows from its member's role.
create function app.member_changed() returns trigger language plpgsql set search_path = '' as $$
begin
  perform pg_notify('app_changed', 'api_key:' || id) from app.api_key
    where wallet = old.account and member = old.wallet and revoked_at is null;
  return null;
end
$$;
create trigger member_changed after update of role on app.member
  for each row execute function app.member_changed();

-- Who did what, with which key and from where. Rows are only added: one before the work, and one with its end.
create table app.audit_entry (
  id bigint generated always as identity primary key,
  account text not null,
  -- The wallet that acted: the account's own or a member's.
  member text not null,
  key_id text not null,
  -- Method and pattern of the route, such as POST /v1/workspaces.
  action text not null,
  -- The part of the path that names what is changed.
  subject text,
  request_id text not null,
  address text,
  user_agent text,
  at timestamptz not null default now()
);
create index audit_entry_account on app.audit_entry (account, id desc);

-- How the calls of the audit log ended.
create table app.audit_end (
  entry_id bigint primary key references app.audit_entry,
  status integer not null,
  -- Id of what was made.
  made text,
  at timestamptz not null default now()
);

grant select, insert, update, delete on app.member, app.invitation to ngpu_api;
grant select, insert on app.audit_entry, app.audit_end to ngpu_api;

-- Down Migration
drop table app.audit_end, app.audit_entry;
drop trigger member_changed on app.member;
drop function app.member_changed;
alter table app.api_key drop column member;
drop table app.invitation, app.member;
