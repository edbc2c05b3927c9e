import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { auditSeedOf } from "@ngpu/proof/seeds";
import { verify } from "@ngpu/proof/verify";
import { defaultRules } from "@ngpu/waves/rules";
import { isAtLeast, noShares } from "@ngpu/waves/shares";
import { expect } from "chai";
import type { Hex } from "viem";
import { probeHandler } from "../../images/probe/app.ts";
import { probeConfig } from "../../images/probe/env.ts";
import { listen } from "../../images/shared/serve.ts";
import type { WaveResult } from "../../node-client/measure/waves/book.ts";
import {
  type MeasureWaveOptions,
  measureWave,
  type WaveState,
  type WaveSubject,
} from "../../node-client/measure/waves/measureWave.ts";
import { openTranscripts } from "../../node-client/measure/waves/transcripts.ts";
import { createPublisher } from "../../node-client/waves/mailbox.ts";
import type { Claim, Result } from "../../packages/proof/record.ts";
import { blockHash, claimOf } from "../packages/proof/claims.ts";
import { answerOf, type Cheat, heldPages } from "../packages/proof/plainProver.ts";

const token = "what-measurers-show";
const driver = "what-the-client-shows";
const lanes = 16;
const runs = { chase: { lanes, legs: 1 }, work: { lanes, legs: 1 } };
/** In so short a time one core makes up few of the reads. */
const milliseconds = { chase: 1, work: 1 };
const claimed = {
  figures: { bytes: 2n ** 22n, bytesPerSecond: 1_000n, operationsPerSecond: 1_000n },
  hardware: { kind: "cpu" as const, cores: 1 },
};
const claimFor = (nodeId: number, given: Partial<Claim> = {}) =>
  claimOf({ nodeId: BigInt(nodeId), milliseconds, operationsLimit: 100_000_000_000n, ...given });

/** A core could have made up a few of the reads, so no memory is proven as a whole. */
const passes = (result: WaveResult | undefined) =>
  result !== undefined && isAtLeast(result.shares, defaultRules.least);

let made: Result | undefined;
/** The honest answer of node 1, made once. */
function honestAnswer(): Result {
  made ??= answerOf(claimFor(1), runs).result();
  return made;
}

type Put = (part: "chase" | "answer" | "transcript", value: unknown) => Promise<void>;

describe("a measurer in a wave", function () {
  this.timeout(60_000);
  let servers: Server[];
  let dir: string;

  beforeEach(() => {
    servers = [];
    dir = mkdtempSync(join(tmpdir(), "ngpu-wave-"));
  });
  afterEach(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(dir, { recursive: true });
  });

  async function node(nodeId: number): Promise<{ subject: WaveSubject; put: Put }> {
    const env = { PROBE_TOKEN: token, PROBE_DRIVER_TOKEN: driver };
    const { server, port } = await listen(probeHandler(probeConfig(env)), 0, "127.0.0.1");
    servers.push(server);
    const signal = AbortSignal.timeout(30_000);
    const publish = createPublisher({ port, device: 0, driverToken: driver, signal });
    return {
      subject: { nodeId, device: 0, claimed, at: { url: `http://127.0.0.1:${port}`, token } },
      put: (part, value) =>
        publish(part, value instanceof Uint8Array ? value : Buffer.from(JSON.stringify(value))),
    };
  }

  /** Measures, with so much time for the chase and the answer. The roots that were posted come with the results. */
  async function measure(
    subjects: readonly WaveSubject[],
    ms = 20_000,
    change: Partial<MeasureWaveOptions> = {},
  ) {
    const posted: Record<string, Hex> = {};
    const transcripts = openTranscripts(dir);
    const results = await measureWave({
      measurerId: 4,
      subjects,
      opening: async () => undefined,
      closing: () => delay(ms, undefined, { ref: false }),
      save: () => undefined,
      post: async (batch, root) => {
        posted[batch] = root;
      },
      chain: async () => ({ hashes: claimFor(1).blocks, milliseconds }),
      transcripts,
      privateAddresses: true,
      signal: new AbortController().signal,
      ...change,
    });
    return { results, posted, transcripts };
  }

  const putAll = async (put: Put, { transcript, ...answer }: Result) => {
    await put("chase", answer.chase);
    await put("answer", answer);
    await put("transcript", transcript);
  };

  it("commits to answers, keeps their transcripts by hash, and lets an honest node pass", async () => {
    const honest = await node(1);
    const answer = honestAnswer();
    await putAll(honest.put, answer);
    const { results, posted, transcripts } = await measure([honest.subject]);
    expect(results).to.have.length(1);
    expect(passes(results[0])).to.equal(true);
    expect(results[0]?.shares).to.include({ bandwidth: 255, arithmetic: 255 });
    expect(Object.keys(posted)).to.deep.equal(["chase", "answers"]);
    expect(posted.chase).to.not.equal(posted.answers);
    const kept = transcripts.get(results[0]?.transcriptHash ?? "");
    expect(Buffer.from(kept ?? []).equals(answer.transcript)).to.equal(true);
    for (const hash of ["", "0x", "../../etc/passwd", `0x${"0".repeat(64)}`])
      expect(transcripts.get(hash), hash).to.equal(undefined);
  });

  it("verifies an answer in half a second of one core", () => {
    const claim = claimFor(1);
    const answer = answerOf(claim, runs).result();
    const times = Array.from({ length: 3 }, () => {
      const before = process.cpuUsage();
      expect(verify(answer, claim).accepted).to.equal(true);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1_000;
    });
    expect(Math.min(...times)).to.be.lessThan(500);
  });

  const half: Cheat = {
    pages: (key, layout) => {
      const held = heldPages(key, layout);
      return (number) => held(number - (number % 2));
    },
  };
  /** Each is refused for its reason, beside an honest node that is not concerned. */
  const cheats: Record<string, { reason: string; act: (put: Put, nodeId: number) => Promise<void> }> = {
    "half of the memory, with other words in place of the rest": {
      reason: "segment_wrong",
      act: (put, nodeId) => putAll(put, answerOf(claimFor(nodeId), runs, half).result()),
    },
    "an answer that was computed before the chase's block": {
      reason: "segment_wrong",
      act: async (put, nodeId) => {
        const claim = claimFor(nodeId);
        const guessed = claimFor(nodeId, { blocks: { ...claim.blocks, chase: blockHash("a guess") } });
        const early = answerOf(guessed, runs);
        await putAll(put, { ...early.answer, transcript: early.open(auditSeedOf(claim, early.answer)) });
      },
    },
    "the answer of another node": {
      reason: "other_challenge",
      act: (put) => putAll(put, honestAnswer()),
    },
    "another chase in the answer than before the work's block": {
      reason: "chase_changed",
      act: async (put, nodeId) => {
        const { transcript: _, ...answer } = answerOf(claimFor(nodeId), runs).result();
        await put("chase", { ...answer.chase, legs: 7 });
        await put("answer", answer);
      },
    },
    "a transcript that is none": {
      reason: "transcript_invalid",
      act: async (put, nodeId) => {
        const { transcript: _, ...answer } = answerOf(claimFor(nodeId), runs).result();
        await putAll(put, { ...answer, transcript: Buffer.from("no transcript") });
      },
    },
    "a chase that is no chase": {
      reason: "part_invalid",
      act: (put) => put("chase", { lanes: 1e9, legs: -1, root: "0x" }),
    },
  };

  for (const [name, { reason, act }] of Object.entries(cheats)) {
    it(`refuses ${name}: ${reason}`, async () => {
      const [honest, liar] = await Promise.all([node(1), node(2)]);
      await putAll(honest.put, honestAnswer());
      await act(liar.put, 2);
      const { results } = await measure([honest.subject, liar.subject]);
      expect(passes(results[0])).to.equal(true);
      expect(results[1]?.refusal).to.equal(reason);
      expect(results[1]?.shares).to.deep.equal(noShares);
    });
  }

  it("refuses a chase that comes after the batch, and an answer that never comes: late", async () => {
    const [slow, silent] = await Promise.all([node(1), node(2)]);
    const { transcript: _, ...answer } = answerOf(claimFor(2), runs).result();
    await silent.put("chase", answer.chase);
    const { results, posted } = await measure([slow.subject, silent.subject], 500);
    await putAll(slow.put, honestAnswer());
    expect(results.map(({ refusal }) => refusal)).to.deep.equal(["late", "late"]);
    // The other one's chase is in the batch all the same.
    expect(posted.chase).to.not.equal((await measure([], 1)).posted.chase);
  });

  it("goes on after a restart with exactly the answers that its posted roots are over", async () => {
    const { subject, put } = await node(1);
    await putAll(put, honestAnswer());
    const states: WaveState[] = [];
    const { posted } = await measure([subject], 20_000, { save: (state) => states.push(state) });
    expect(states.map(({ closed }) => closed)).to.deep.equal(["chase", "answers"]);
    for (const saved of states) {
      const again = await measure([subject], 20_000, {
        saved: JSON.parse(JSON.stringify(saved)) as WaveState,
      });
      expect(again.posted).to.deep.equal(posted);
      expect(passes(again.results[0])).to.equal(true);
    }
  });

  it("stores nothing of a wave in which it is stopped", async () => {
    const { subject } = await node(1);
    const states: WaveState[] = [];
    const stopped = AbortSignal.abort(new Error("stopped"));
    const change = { save: (state: WaveState) => void states.push(state), signal: stopped };
    const error = await measure([subject], 20_000, change).catch((reason: unknown) => reason);
    expect(error).to.include({ message: "stopped" });
    expect(states).to.deep.equal([]);
  });

  it("posts a batch when it may be posted, however early all nodes answer", async () => {
    const { subject, put } = await node(1);
    await put("chase", { lanes: 1e9 });
    const steps: string[] = [];
    const opening = async (part: string) => void steps.push(`may post ${part}`);
    const post = async (batch: string) => void steps.push(`posts ${batch}`);
    await measure([subject], 20_000, { opening, post });
    expect(steps).to.deep.equal(["may post chase", "posts chase", "may post answer", "posts answers"]);
  });

  it("states that a device proved nothing whose node match does not name", async () => {
    const { subject } = await node(1);
    const { results } = await measure([{ ...subject, at: null }], 500);
    expect(results.map(({ shares, refusal }) => ({ shares, refusal }))).to.deep.equal([
      { shares: noShares, refusal: "late" },
    ]);
  });

  it("refuses memory that the declared hardware can make up in the time", async () => {
    const { subject, put } = await node(1);
    await putAll(put, honestAnswer());
    const big = { ...claimed, hardware: { kind: "cpu" as const, cores: 60 } };
    const { results } = await measure([{ ...subject, claimed: big }]);
    expect(results[0]).to.include({ refusal: "memory_unproven" });
  });

  it("cannot be told another answer later, nor by anyone but the client", async () => {
    const { subject, put } = await node(1);
    const answer = honestAnswer();
    await put("chase", answer.chase);
    const request = (authorization: string, path: string, body: Uint8Array | string) =>
      fetch(`${subject.at?.url}${path}`, {
        method: "PUT",
        headers: { authorization },
        body: Buffer.from(body),
      });
    const other = await request(`Bearer ${driver}`, "/wave/0/chase", "{}");
    expect(other.status).to.equal(409);
    await other.body?.cancel();
    expect((await request(`Bearer ${token}`, "/wave/1/chase", "{}")).status).to.equal(401);
    for (const path of ["/wave/256/chase", "/wave/-1/chase", "/wave/0/root", "/wave/00/chase", "/wave/0"])
      expect((await request(`Bearer ${driver}`, path, "{}")).status, path).to.equal(404);
    expect((await request(`Bearer ${driver}`, "/wave/1/chase", "x".repeat(257))).status).to.equal(413);
  });
});
