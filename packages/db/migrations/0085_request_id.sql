-- Up Migration
-- Additive
-- The x-request-id of the response. A client may choose it, so it is not unique.

alter table app.call add column request_id text;
create index call_request on app.call (request_id);

-- Down Migration
