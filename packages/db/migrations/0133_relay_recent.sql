-- Up Migration
-- Additive

-- How many messages of a kind a signer had relayed lately: the relayer pays for a stated number an hour.
create index relay_recent on app.relay (signer, kind, created_at);
