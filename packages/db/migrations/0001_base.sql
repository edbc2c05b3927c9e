-- Up Migration
-- Additive
-- Schema chain is written by autoExport alone and can be dropped and rebuilt; schema app holds what is private by nature.
-- Every service has a role of its own. Roles cannot log in until an operator gives them a password.

do $$
declare
  role_name text;
begin
  foreach role_name in array array[
    'ngpu_reader', 'ngpu_autoexport', 'ngpu_match', 'ngpu_workspace', 'ngpu_dispense', 'ngpu_pomc', 'ngpu_api', 'ngpu_gateway'
  ] loop
    begin
      execute format('create role %I nologin', role_name);
    exception when duplicate_object or unique_violation then
      null; -- roles belong to the whole server: another database of the market made it
    end;
  end loop;
end
$$;

do $$
begin
  execute format(
    'grant connect, temporary on database %I to ngpu_reader', current_database());
end
$$;

grant ngpu_reader to ngpu_match, ngpu_workspace, ngpu_dispense, ngpu_pomc, ngpu_api, ngpu_gateway, ngpu_autoexport;

create schema if not exists chain;
grant usage, create on schema chain to ngpu_autoexport;
grant usage on schema chain, app to ngpu_reader;
grant select on app.migration to ngpu_reader;

-- Down Migration
