-- Up Migration
-- Additive

alter table app.api_key
  -- What the key may do, as services/apiServer/scopes.ts lists it. Null: everything.
  add column scopes text[],
  -- Since when the key is refused. Null: never.
  add column expires_at timestamptz;

-- Down Migration
alter table app.api_key drop column scopes, drop column expires_at;
