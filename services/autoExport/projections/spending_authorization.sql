-- key: authorization_id
-- Authorizations of partners to spend from their deposits.
create table spending_authorization (
  authorization_id bigint not null,
  generation smallint not null,
  owner text not null,
  delegate text not null,
  max_rate numeric(78,0) not null,
  -- What its leases may cost a day.
  daily numeric(78,0) not null,
  total numeric(78,0) not null,
  scope text not null,
  expiry bigint not null,
  revoked boolean not null
);
create index on spending_authorization (owner);

-- on Authorized
select authorization_id, block_number, log_index, jsonb_build_object(
  'generation', generation, 'owner', owner, 'delegate', delegate, 'max_rate', max_rate, 'daily', daily, 'total', total, 'scope', scope,
  'expiry', expiry, 'revoked', false) as patch
from event

-- on AuthorizationRevoked
select authorization_id, block_number, log_index, jsonb_build_object('revoked', true, 'expiry', expiry)
from event
