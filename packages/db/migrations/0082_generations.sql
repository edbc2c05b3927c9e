-- Up Migration
-- Additive
-- The generation of Pomc that an epoch was closed for, from 1. Each generation counts its grants from zero.

alter table app.epoch add column generation smallint not null default 1;

-- An epoch closed for a Pomc that was replaced before it received the root is closed again for its successor.
grant delete on app.epoch to ngpu_pomc;

-- Down Migration
