import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { recoverRelay } from "@ngpu/protocol/signedMessages";
import type { ClientMessage } from "@ngpu/protocol/wire";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { viewOf } from "../../node-client/chainView.ts";
import { appendBlocks, keptBlocksOf, logsOf, undoBlocks } from "../../node-client/journal/chain.ts";
import { pendingAcks, putAck } from "../../node-client/journal/heartbeatAcks.ts";
import { type Journal, openJournal, openJournalOf } from "../../node-client/journal/open.ts";
import {
  expireOutbox,
  lastBySubject,
  openOutbox,
  settleOutbox,
  takeSequence,
} from "../../node-client/journal/outbox.ts";
import { createOutbox } from "../../node-client/outbox.ts";
import { deploymentDocument } from "../services/support/deployment.ts";
import { hashOf, logOf } from "./chain.ts";

const deployment = parseDeployment(deploymentDocument);
const lease = { workspaceId: 4n, nodeId: 7, replica: 0, lease: 1 };

describe("the journal", () => {
  let dir: string;
  let journal: Journal;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-journal-"));
    journal = openJournal(join(dir, "journal.sqlite"));
  });
  afterEach(() => {
    if (journal.isOpen) journal.close();
    rmSync(dir, { recursive: true });
  });
  const reopen = () => {
    journal.close();
    journal = openJournal(join(dir, "journal.sqlite"));
  };
  const block = (number: bigint, fork: string) => ({
    number,
    hash: hashOf(number, fork),
    parentHash: hashOf(number - 1n, fork),
    timestamp: number * 2n,
  });
  const assigned = (number: bigint, fork: string) =>
    logOf(
      "Assigned",
      {
        ...lease,
        fence: hashOf(fork).slice(0, 18),
        pricePerSecond: 3n,
        start: true,
        decidedAt: 1n,
        position: 0,
        excluded: "0x",
      },
      { blockNumber: number, blockHash: hashOf(number, fork), logIndex: 2 },
    );

  it("keeps blocks and logs over a restart", () => {
    appendBlocks(journal, [block(1n, "a"), block(2n, "a")], [assigned(2n, "a")]);
    reopen();
    expect(keptBlocksOf(journal).map(({ number }) => number)).to.deep.equal([1n, 2n]);
    expect(viewOf(logsOf(journal)).assignments[0]).to.include({ workspaceId: 4n, lease: 1, desired: "run" });
  });

  it("returns the lease of the new fork after a reorg, with its own fence", () => {
    appendBlocks(journal, [block(1n, "a"), block(2n, "a")], [assigned(2n, "a")]);
    const before = viewOf(logsOf(journal)).assignments[0];
    undoBlocks(journal, 1n);
    expect(viewOf(logsOf(journal)).assignments).to.deep.equal([]);
    appendBlocks(journal, [block(2n, "b"), block(3n, "b")], [assigned(3n, "b")]);
    const after = viewOf(logsOf(journal)).assignments[0];
    expect(after?.lease).to.equal(before?.lease);
    expect(after?.fence).not.to.equal(before?.fence);
    expect(after?.assignedBlockHash).to.equal(hashOf(3n, "b"));
  });

  it("stores the same blocks only once", () => {
    for (let i = 0; i < 2; i += 1) appendBlocks(journal, [block(2n, "a")], [assigned(2n, "a")]);
    expect(logsOf(journal)).to.have.length(1);
  });

  it("ends a lease that is no longer paid for", () => {
    const closed = logOf(
      "LeaseClosed",
      { ...lease, reason: 1 },
      { blockNumber: 3n, blockHash: hashOf(3), logIndex: 0 },
    );
    expect(viewOf([assigned(2n, "a"), closed]).assignments[0]?.ended).to.equal(true);
  });

  it("never allocates a sequence number twice, and only above the chain's", () => {
    expect([takeSequence(journal, "a", 0), takeSequence(journal, "a", 0)]).to.deep.equal([1, 2]);
    reopen();
    expect([
      takeSequence(journal, "a", 9),
      takeSequence(journal, "a", 0),
      takeSequence(journal, "b", 0),
    ]).to.deep.equal([10, 11, 1]);
  });

  it("refuses a second client on the same directory", () => {
    const script = `import { openJournal } from ${JSON.stringify(join(import.meta.dirname, "../../node-client/journal/open.ts"))};
      try { openJournal(${JSON.stringify(join(dir, "journal.sqlite"))}); } catch (error) { process.stdout.write(error.code); }`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    expect(stdout).to.equal("journal_in_use");
  });

  it("opens journals of versions 1 and 2, whose acknowledgements prove nothing any more", () => {
    const ack = {
      slot: 5n,
      nodeId: 7,
      root: "0x01",
      signature: "0x02",
      bits: "0x04",
      proof: ["0x03"],
    } as const;
    putAck(journal, { ...ack, proof: [...ack.proof] });
    for (const [version, table] of [
      [1, "receipt"],
      [2, "heartbeat_ack"],
    ] as const) {
      journal.exec(
        `create table ${table} (slot integer primary key) strict; pragma user_version = ${version};`,
      );
      reopen();
      const tables = journal.prepare("select name from sqlite_master where type = 'table'").all();
      expect(tables.map(({ name }) => name))
        .to.include("heartbeat_receipt")
        .and.not.include(table);
    }
    expect(pendingAcks(journal, 9n, 10)).to.deep.equal([ack]);
  });

  it("refuses a journal of a later version, and releases it", () => {
    journal.exec("pragma user_version = 99");
    journal.close();
    const path = join(dir, "journal.sqlite");
    expect(() => openJournal(path)).to.throw("has version 99");
    const raw = new DatabaseSync(path);
    raw.exec("pragma user_version = 3");
    raw.close();
    journal = openJournal(path);
  });

  it("renames the journal of another market", () => {
    journal.close();
    const path = join(dir, "journal.sqlite");
    const moved: string[] = [];
    openJournalOf(path, "market one", (to) => moved.push(to)).close();
    openJournalOf(path, "market one", (to) => moved.push(to)).close();
    expect(moved).to.have.length(0);
    journal = openJournalOf(path, "market two", (to) => moved.push(to));
    expect(moved).to.have.length(1);
    expect(readdirSync(dir).length).to.be.greaterThan(1);
    expect(keptBlocksOf(journal)).to.deep.equal([]);
  });

  describe("as an outbox", () => {
    const account = privateKeyToAccount(generatePrivateKey());
    let sent: ClientMessage[];
    let online: boolean;
    const open = () =>
      createOutbox({
        journal,
        account,
        deployment,
        logger: createLogger("test", "silent"),
        send: (message) => {
          if (online) sent.push(message);
          return online;
        },
      });
    const change = (deadline = BigInt(Math.floor(Date.now() / 1000) + 60)) => ({
      nodeId: 7,
      status: 1,
      sequence: 123,
      deadline,
    });
    beforeEach(() => {
      sent = [];
      online = true;
    });

    it("sends the same bytes again after a restart, until they are settled", async () => {
      online = false;
      const id = await open().submit("setStatus", change(), "setStatus");
      reopen();
      online = true;
      const outbox = open();
      outbox.resend();
      outbox.resend();
      const [first, second] = sent;
      expect(first).to.deep.equal(second);
      if (first?.type !== "relay") throw new Error("nothing was relayed");
      expect(await recoverRelay(deployment, "setStatus", first.message as never, first.signature)).to.equal(
        account.address,
      );
      outbox.recordResult({ type: "relayed", id, status: "queued" });
      outbox.resend();
      expect(sent).to.have.length(3);
      outbox.recordResult({ type: "relayed", id, status: "confirmed" });
      outbox.resend();
      expect(sent).to.have.length(3);
    });

    it("sends no expired or refused message, and keeps the reason", async () => {
      const id = await open().submit("setStatus", change(), "one");
      settleOutbox(journal, id, { status: "refused", reason: "SequenceStale", now: Date.now() });
      await open().submit("setStatus", change(1n), "two");
      expireOutbox(journal, Date.now());
      expect(openOutbox(journal)).to.deep.equal([]);
      const last = lastBySubject(journal, "setStatus");
      expect(last.get("one")).to.include({ status: "refused", reason: "SequenceStale" });
      expect(last.get("two")?.status).to.equal("expired");
    });
  });
});
