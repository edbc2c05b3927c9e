-- Up Migration
-- Additive

alter table app.epoch
  -- The last block whose state counts, from the document: when the epoch's bonds changed.
  add column as_of_block bigint generated always as ((document->'asOf'->>'block')::bigint) stored;

-- Down Migration
alter table app.epoch drop column as_of_block;
