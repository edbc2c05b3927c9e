-- Up Migration
-- Breaking: match stores the signed acknowledgements of slots in app.heartbeat_ack
-- Receipts are those of tasks.
alter table app.heartbeat_receipt rename to heartbeat_ack;

-- Down Migration
alter table app.heartbeat_ack rename to heartbeat_receipt;
