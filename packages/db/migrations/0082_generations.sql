-- Up Migration
-- Additive
-- Which Pomc an epoch was closed for, by its place among all there were, the oldest first from 1: each counts its grants from zero.

alter table app.epoch add column generation smallint not null default 1;

-- What was closed for a Pomc that was then replaced before it took it is closed again for its successor.
grant delete on app.epoch to ngpu_pomc;

-- Down Migration
