-- Up Migration
-- Additive
-- What a call's answer showed as x-request-id. A client may choose it, so several calls may have the same.

alter table app.call add column request_id text;
create index call_request on app.call (request_id);

-- Down Migration
