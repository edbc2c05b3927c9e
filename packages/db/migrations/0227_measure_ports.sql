-- Up Migration
-- Breaking: match stores a port for each draw of a round.

-- The port of each draw, in their order: a measurer measures at its own one.
alter table app.measure_round add column ports integer[] not null default '{}';
update app.measure_round set ports = array_fill(port, array[8]);

-- Down Migration
alter table app.measure_round drop column ports;
