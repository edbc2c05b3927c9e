-- Up Migration
-- Additive

-- Cards that the node does not offer, each with the reason, as its last heartbeat reports them.
alter table app.session add column sick_gpus jsonb not null default '[]';

-- Down Migration
alter table app.session drop column sick_gpus;
