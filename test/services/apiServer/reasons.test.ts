import { expect } from "chai";
import fc from "fast-check";
import { cursorText, merge, parseCursor, start } from "../../../services/apiServer/history.ts";
import { type ReplicaFacts, reasonOfWorkspace, replicaReason } from "../../../services/apiServer/reasons.ts";
import type { ChainEvent, RecordedEvent } from "../../../services/apiServer/store/workspaceHistory.ts";
import type { PlacementRow, ReplicaRow } from "../../../services/apiServer/store/workspaces.ts";

const workspace = {
  status: "open" as const,
  stopped: false,
  expires_at: 0,
  authorization_id: "5",
  now: 1_000,
  changedAt: 100,
};
const replica: ReplicaRow = {
  workspace_id: "1",
  replica: 0,
  lease: 2,
  node_id: 7,
  state: "assigned",
  desired: "run",
  price_per_second: 1n,
  detail: null,
  release_reason: null,
  milestone: null,
  percent: null,
  region: null,
  gpu_name: null,
  host: null,
  tier: "unsafe",
};
const lease = { replica: 0, since: 200, closeReason: null, absentSince: null, signal: null };
const nodeEvent = {
  replica: 0,
  lease: 2,
  source: "node" as const,
  code: "out_of_memory" as const,
  details: { exitCode: 137 },
  firstAt: 210,
  lastAt: 220,
};
const marketEvent = { ...nodeEvent, source: "market" as const, lease: 0, code: "no_node_fits" as const };
const placed: PlacementRow = {
  request_id: "p",
  replica: 0,
  status: "impossible",
  node_id: null,
  block_number: null,
  refusals: { counts: { price: 3 }, nearest: { nodeId: 4 } },
  refusal: null,
  requested_at: new Date(300_000),
};

const facts = (changes: Partial<ReplicaFacts>): ReplicaFacts => ({
  row: replica,
  placement: undefined,
  lease,
  events: [],
  ...changes,
});
const codeOf = (changes: Partial<ReplicaFacts>, of: Partial<typeof workspace> = {}) =>
  replicaReason({ ...workspace, ...of } as typeof workspace, facts(changes))?.code ?? null;
const held = (changes: Partial<ReplicaRow>) => ({ row: { ...replica, ...changes } as ReplicaRow });
const asDetail = (text: string) => `0x${Buffer.from(text).toString("hex").padEnd(64, "0")}`;

describe("why a replica does not run", () => {
  it("is null when it runs, and only then", () => {
    expect(codeOf(held({ state: "running" }))).to.equal(null);
    expect(codeOf(held({ state: "running", desired: "stop" }))).to.equal("stopped");
    expect(codeOf({ ...held({ state: "running" }), events: [nodeEvent] })).to.equal("out_of_memory");
    expect(codeOf({ ...held({ state: "running" }), lease: { ...lease, absentSince: 500 } })).to.equal(
      "node_lost",
    );
  });

  it("follows a replica from its publication to its start", () => {
    expect(codeOf({ row: undefined, lease: undefined })).to.equal("placing");
    expect(codeOf({ row: undefined, lease: undefined, placement: placed })).to.equal("no_node_fits");
    expect(codeOf(held({ milestone: "downloading" }))).to.equal("image_downloading");
    expect(codeOf(held({ milestone: "verified" }))).to.equal("container_starting");
    expect(codeOf(held({ state: "ready" }))).to.equal("container_starting");
    // Stopped before its image was there, and started again.
    expect(codeOf(held({ state: "stopped", milestone: "downloading" }))).to.equal("image_downloading");
    expect(codeOf(held({ state: "stopped", milestone: "verified" }))).to.equal("container_starting");
  });

  it("names the nearest miss, and keeps the time since when no node fits", () => {
    const found = replicaReason(
      workspace,
      facts({ row: undefined, lease: undefined, placement: placed, events: [marketEvent] }),
    );
    expect(found).to.deep.equal({
      code: "no_node_fits",
      details: { refused: { price: 3 }, nearest: { nodeId: 4 } },
      since: 210,
    });
  });

  it("is what the chain has when the node says no more", () => {
    const failed = (detail: string) => codeOf(held({ state: "failed", detail: asDetail(detail) }));
    expect(failed("exit_7")).to.equal("container_exited");
    expect(failed("image_unavailable")).to.equal("image_pull_failed");
    expect(failed("health_timeout")).to.equal("health_failing");
    expect(failed("volumes_exceeded")).to.equal("image_volumes_exceeded");
    expect(failed("start_failed")).to.equal("container_start_failed");
    expect(failed("anything else")).to.equal("container_start_failed");
  });

  it("is not what was said of an earlier lease", () => {
    expect(codeOf({ ...held({ lease: 3 }), events: [nodeEvent] })).to.equal("image_downloading");
  });

  it("says how a lease ended until another is placed", () => {
    const ended = (release_reason: string) => held({ state: "released", release_reason });
    expect(codeOf(ended("lost"))).to.equal("node_lost");
    expect(codeOf(ended("unfunded"))).to.equal("balance_too_low");
    const closed = { ...lease, closeReason: "authorization_ended" };
    expect(codeOf({ ...ended("unfunded"), lease: closed })).to.equal("authorization_ended");
    const spent = { ...lease, closeReason: "lock_spent" };
    expect(codeOf({ ...ended("unfunded"), lease: spent }, { stopped: true })).to.equal("lock_spent");
    expect(codeOf({ ...ended("unfunded"), lease: spent })).to.equal("placing");
    for (const why of ["late", "silent"]) {
      const found = replicaReason(workspace, facts(ended(why)));
      expect(found).to.include({ code: "replica_replaced" }).and.to.deep.include({ details: { why } });
    }
    const replaced = { ...marketEvent, lease: 2, code: "replica_replaced" as const };
    expect(codeOf({ ...ended("deleted"), events: [replaced] })).to.equal("replica_replaced");
    expect(codeOf({ ...ended("lost"), placement: placed })).to.equal("no_node_fits");
    const refused = { ...placed, status: "refused", refusal: "NodeUnfit" };
    expect(codeOf({ ...ended("lost"), placement: refused })).to.equal("assignment_refused");
    const short = { ...marketEvent, code: "balance_too_low" as const };
    expect(codeOf({ ...ended("lost"), placement: refused, events: [short] })).to.equal("balance_too_low");
  });

  it("is the workspace's when that is closed, expired or stopped", () => {
    expect(codeOf({}, { status: "closed" as never })).to.equal("closed");
    expect(codeOf(held({ state: "running" }), { expires_at: 900 })).to.equal("expired");
    expect(codeOf({ row: undefined, lease: undefined }, { stopped: true })).to.equal("stopped");
  });

  it("is of the workspace what says most, and null when a replica runs", () => {
    const reason = (code: "placing" | "out_of_memory") => ({ code, details: {}, since: 1 });
    expect(reasonOfWorkspace([reason("placing"), null])).to.equal(null);
    expect(reasonOfWorkspace([reason("placing"), reason("out_of_memory")])?.code).to.equal("out_of_memory");
    expect(reasonOfWorkspace([reason("placing")])?.code).to.equal("placing");
  });
});

describe("the history of a workspace", () => {
  const hash = `0x${"ab".repeat(32)}`;
  const logAt = (at: number, log: number) => ({ at, log, block: BigInt(at), blockHash: hash }) as ChainEvent;
  const eventAt = (at: number, position: number) => ({ at, position: BigInt(position) }) as RecordedEvent;
  const times = fc
    .array(fc.integer({ min: 0, max: 30 }), { maxLength: 20 })
    .map((all) => all.sort((a, b) => a - b));

  it("is read page by page without a gap or a repetition, however late an event arrives", () => {
    fc.assert(
      fc.property(
        times,
        times,
        fc.integer({ min: 1, max: 5 }),
        fc.infiniteStream(fc.nat(4)),
        (a, b, limit, late) => {
          const chain = a.map((at, log) => logAt(at, log));
          const recorded = b.map((at, position) => eventAt(at, position + 1));
          let cursor = start;
          let [shownChain, shownRecorded] = [0, 0];
          const read: unknown[] = [];
          for (let rounds = 0; read.length < chain.length + recorded.length && rounds < 500; rounds += 1) {
            // Each history has grown by some events since the last page.
            shownChain += late.next().value ?? 1;
            shownRecorded += late.next().value ?? 1;
            const onChain = chain
              .slice(0, shownChain)
              .filter(
                ({ block, log }) => block > cursor.block || (block === cursor.block && log > cursor.log),
              );
            const stored = recorded
              .slice(0, shownRecorded)
              .filter(({ position }) => position > cursor.position);
            for (const event of merge(cursor, onChain, stored, limit)) {
              read.push(event.chain ?? event.recorded);
              cursor = parseCursor(cursorText(event.cursor));
            }
          }
          expect(new Set(read).size).to.equal(read.length);
          expect(read.filter((one) => chain.includes(one as ChainEvent))).to.deep.equal(chain);
          expect(read.filter((one) => recorded.includes(one as RecordedEvent))).to.deep.equal(recorded);
        },
      ),
    );
  });
});
