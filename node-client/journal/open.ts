import { mkdirSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FatalError, messageOf } from "@ngpu/runtime/errors";

/** The client's database: what it has read from the chain, what it has signed and which containers it has started. */
export type Journal = DatabaseSync;

const schema = `
create table if not exists fact (name text primary key, value text not null) strict;
-- The newest blocks, for finding the common ancestor after a reorg.
create table if not exists block (
  number integer primary key, hash text not null, parent_hash text not null, time integer not null) strict;
-- Logs of this node, as the chain returned them.
create table if not exists log (
  block_number integer not null, log_index integer not null, block_hash text not null, address text not null,
  topics text not null, data text not null, primary key (block_number, log_index)) strict;
-- Spec and configuration of workspaces as they were when a lease was assigned here.
drop table if exists workspace;
create table if not exists publication (
  key text primary key, workspace_id text not null, block_number integer not null, spec text not null, config text not null,
  size_bytes text) strict;
-- Signed messages for the chain; id is the digest without 0x.
create table if not exists outbox (
  id text primary key, kind text not null, message text not null, signature text not null, subject text not null,
  status text not null, reason text, deadline integer not null, created_at integer not null,
  settled_at integer) strict;
create index if not exists outbox_subject on outbox (subject, created_at);
create table if not exists sequence (lease text primary key, last integer not null) strict;
-- Starts of a lease's container under one order to run, counted before each is tried.
create table if not exists run (
  lease text primary key, run_order text not null, starts integer not null, last_start integer not null) strict;
-- Heartbeat acknowledgements, one a slot, kept while the slot can be disputed. Those of versions 1 and 2 prove nothing.
drop table if exists heartbeat_ack;
drop table if exists receipt;
create table if not exists heartbeat_receipt (
  slot integer primary key, node_id integer not null, root text not null, signature text not null, bits text not null,
  proof text not null, state text not null) strict;
create table if not exists probe (
  round_id text primary key, port integer not null, token text not null, image text not null,
  closes_at integer not null) strict;
-- Ports of a probe, as JSON; without them it has one.
create table if not exists probe_ports (round_id text primary key, ports text not null) strict;
-- What nodes claim of their devices, up to the block in the fact claims_until.
create table if not exists hardware_claim (
  node_id integer primary key, devices text not null) strict;
-- How far a measurer is in a wave: what it received, and what it committed to.
create table if not exists wave (wave_id integer primary key, state text not null) strict;
-- Prefetched images.
create table if not exists prefetched (
  reference text primary key, size_bytes integer not null, used_at integer not null) strict;
-- Images that were pulled for leases.
create table if not exists pulled (reference text primary key, used_at integer not null) strict;
-- Evicted ones: reported to match again in each session, since a report can be lost.
create table if not exists prefetched_evicted (reference text primary key) strict;
`;
const version = 3;
/** @deadline The lock of the journal. The client stops with `journal_in_use`. */
const lockTimeout = 2_000;

/**
 * Opens the journal and locks it: a second client on the same directory is refused. A kill of the client releases the lock.
 *
 * @throws FatalError `journal_in_use`, `journal_unusable` or `journal_version_unsupported`.
 */
export function openJournal(path: string): Journal {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const journal = new DatabaseSync(path, { timeout: lockTimeout });
    try {
      prepareJournal(journal, path);
    } catch (error) {
      journal.close();
      throw error;
    }
    return journal;
  } catch (error) {
    if (error instanceof FatalError) throw error;
    const busy = (error as { errcode?: number }).errcode === 5;
    throw new FatalError(
      busy
        ? `Another client is already using ${dirname(path)}.`
        : `The journal ${path} cannot be used: ${messageOf(error)}.`,
      busy
        ? { code: "journal_in_use", hint: "Stop it, or use another directory for this one.", cause: error }
        : {
            code: "journal_unusable",
            hint: "Check the directory's permissions and free space.",
            cause: error,
          },
    );
  }
}

/** Locks the journal and brings its tables to this version, in one transaction. */
function prepareJournal(journal: Journal, path: string): void {
  journal.exec("pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = full;");
  journal.exec("begin exclusive");
  const found = Number(journal.prepare("pragma user_version").get()?.user_version);
  if (found > version) {
    throw new FatalError(
      `The journal ${path} has version ${found}; this client supports versions up to ${version}.`,
      {
        code: "journal_version_unsupported",
        hint: "Run the client release that wrote it, or move the file away to read the chain again.",
      },
    );
  }
  journal.exec(`${schema} pragma user_version = ${version}; commit;`);
}

/** Runs `work` in a transaction: all of its writes happen or none. */
export function atomically<T>(journal: Journal, work: () => T): T {
  journal.exec("begin immediate");
  try {
    const result = work();
    journal.exec("commit");
    return result;
  } catch (error) {
    journal.exec("rollback");
    throw error;
  }
}

/** Reads a named value; undefined when it was never written. */
export function readFact(journal: Journal, name: string): string | undefined {
  const row = journal.prepare("select value from fact where name = ?").get(name);
  return row === undefined ? undefined : String(row.value);
}

/** Stores a named value. */
export function writeFact(journal: Journal, name: string, value: string): void {
  journal
    .prepare("insert into fact values (?, ?) on conflict (name) do update set value = excluded.value")
    .run(name, value);
}

/**
 * Opens the journal of one market. A journal of another market is renamed, and a new one is created.
 *
 * @param market Identifies the market and its chain.
 * @param onMoved Called with the new path of the other market's journal.
 * @throws FatalError `journal_in_use`, `journal_unusable` or `journal_version_unsupported`.
 */
export function openJournalOf(path: string, market: string, onMoved: (to: string) => void): Journal {
  const journal = openJournal(path);
  const stored = readFact(journal, "market");
  if (stored === market) return journal;
  if (stored === undefined) {
    writeFact(journal, "market", market);
    return journal;
  }
  journal.close();
  const movedTo = `${path}.${Date.now()}`;
  renameSync(path, movedTo);
  onMoved(movedTo);
  const fresh = openJournal(path);
  writeFact(fresh, "market", market);
  return fresh;
}
