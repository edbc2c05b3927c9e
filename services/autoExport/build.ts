import type { Queryable } from "@ngpu/db/pool";
import pg from "pg";
import type { Origin } from "./decide.ts";
import type { Definitions } from "./definitions.ts";

/** Drops everything in the schema: tables with their views, functions, aggregates. */
const dropAll = `do $$
declare
  target record;
begin
  for target in
    select c.oid::regclass as name from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
  loop
    execute format('drop table if exists %s cascade', target.name);
  end loop;
  for target in
    select p.oid::regprocedure as name, p.prokind from pg_proc p where p.pronamespace = current_schema()::regnamespace
  loop
    execute format('drop %s if exists %s cascade', case target.prokind when 'a' then 'aggregate' else 'function' end, target.name);
  end loop;
end
$$`;

/**
 * Recreates every table, view and function in the first schema of the connection's search path. Call it inside a
 * transaction, so that readers see either the old rows or none.
 *
 * @param reader Role that is granted read access; optional.
 */
export async function buildSchema(
  db: Queryable,
  definitions: Definitions,
  origin: Origin,
  reader?: string,
): Promise<void> {
  await db.query([dropAll, ...definitions.ddl].join(";\n"));
  if (reader !== undefined) await grantRead(db, reader);
  await db.query(
    `insert into origin (chain_id, start_block, start_hash, contracts, definitions, version, compatible_since)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      origin.chainId,
      origin.startBlock,
      origin.startHash,
      JSON.stringify(origin.contracts),
      origin.definitions,
      definitions.version.version,
      definitions.version.compatibleSince,
    ],
  );
  await db.query(
    `insert into contract (name, generation, address)
     select name, generation, address from jsonb_each($1) as named (name, addresses),
       jsonb_array_elements_text(addresses) with ordinality as place (address, generation)`,
    [JSON.stringify(origin.contracts)],
  );
}

async function grantRead(db: Queryable, reader: string): Promise<void> {
  const { rows } = await db.query<{ schema: string }>("select quote_ident(current_schema()) as schema");
  const role = pg.escapeIdentifier(reader);
  await db.query(`grant select on all tables in schema ${rows[0]?.schema} to ${role}`);
}
