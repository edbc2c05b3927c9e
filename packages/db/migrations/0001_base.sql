-- Up Migration
-- Additive
-- Only autoExport writes schema chain, which can be dropped and rebuilt. Schema app holds private data.
-- Each service has its own role. A role cannot log in until an administrator sets a password.

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
      null; -- roles are shared by all databases of a server: another database of the market created it
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
