-- Up Migration
-- Breaking: pomc reads and writes totals by lease instead of by node
-- Totals by lease, in the format of Pomc.commitReceipts. The contract refuses a batch of before, and pomc then makes it again.
alter table app.receipt_batch rename column node_totals to lease_totals;

-- Down Migration
