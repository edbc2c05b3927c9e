import { expect } from "chai";
import fc from "fast-check";
import {
  authorizationBalance,
  failureText,
  innerModel,
  mappedPorts,
  parseModel,
  type ReplicaFacts,
  refundable,
  rewardOf,
  workspaceStatus,
} from "../../../services/apiServer/decide.ts";
import { dollarsOf } from "../../../services/apiServer/dollars.ts";
import { gpuModelBytes, publication } from "../../../services/apiServer/publicationSpec.ts";
import { newWorkspace } from "../../../services/apiServer/schemas/newWorkspace.ts";
import { createTranscript } from "../../../services/apiServer/transcript.ts";

const lease = {
  authorizationId: "1",
  rate: 10n,
  running: true,
  closed: false,
  clockSince: 100,
  spent: 50n,
  locked: 0n,
};

describe("apiServer: money", () => {
  it("charges a running lease by the clock, up to the expiry and the total", () => {
    const facts = { id: "1", total: 10_000n, expiry: 200, leases: [lease] };
    expect(authorizationBalance(facts, 150)).to.deep.equal({
      id: "1",
      spent: 50n,
      owed: 500n,
      locked: 0n,
      remaining: 9_450n,
      rateInUse: 10n,
    });
    expect(authorizationBalance(facts, 900).owed).to.equal(1_000n);
    expect(authorizationBalance({ ...facts, total: 300n }, 900)).to.include({ owed: 250n, remaining: 0n });
    const locking = { ...facts, leases: [{ ...lease, locked: 450n }] };
    expect(authorizationBalance(locking, 150)).to.include({ locked: 450n, remaining: 9_000n });
  });

  it("charges nothing for a lease that is stopped, closed, or starts later", () => {
    for (const other of [{ running: false }, { running: false, closed: true }, { clockSince: 500 }]) {
      const facts = { id: "1", total: 10_000n, expiry: 900, leases: [{ ...lease, ...other }] };
      expect(authorizationBalance(facts, 400).owed).to.equal(0n);
    }
  });

  it("conserves money: refundable + owed + settled + burned + withdrawn = deposited + refunded", () => {
    const units = fc.bigInt({ min: 0n, max: 10n ** 24n });
    fc.assert(
      fc.property(units, units, units, units, units, (deposited, part, other, back, owed) => {
        const settled = part % (deposited + 1n);
        const refunded = back % (settled + 1n);
        const burned = other % (deposited - settled + refunded + 1n);
        const withdrawn = other % (deposited - settled + refunded - burned + 1n);
        const account = { deposited, withdrawn, settled, refunded, burned };
        const balance = refundable(account, owed);
        expect(balance.refundable + balance.owed + settled + burned + withdrawn).to.equal(
          deposited + refunded,
        );
        expect(balance.refundable >= 0n).to.equal(true);
        const locked = balance.refundable / 2n;
        expect(refundable(account, owed, locked).refundable).to.equal(balance.refundable - locked);
      }),
    );
  });
});

describe("apiServer: the status of a workspace", () => {
  const held: ReplicaFacts = { state: "assigned", desired: "run", held: true, milestone: null };
  const cases: [string, ReplicaFacts[], string][] = [
    ["no lease", [], "pending"],
    ["a released lease", [{ ...held, state: "released", held: false }], "pending"],
    ["an assigned lease", [held], "distributing"],
    ["an assigned lease with its image downloaded", [{ ...held, milestone: "verified" }], "starting"],
    ["a ready lease", [{ ...held, state: "ready" }], "starting"],
    ["one of two leases running", [held, { ...held, state: "running" }], "running"],
    ["a stopped lease", [{ ...held, state: "stopped", desired: "stop" }], "stopped"],
    ["a failed lease", [{ ...held, state: "failed", milestone: "verified" }], "failed"],
  ];
  for (const [what, replicas, status] of cases) {
    it(`is ${status} with ${what}`, () => {
      expect(
        workspaceStatus({ status: "open", stopped: false, expiresAt: 0, now: 10, wanted: 1, replicas }),
      ).to.equal(status);
    });
  }

  it("is not stopped with a replica that was stopped and is started again", () => {
    const started = { ...held, state: "stopped" as const, desired: "run" as const };
    const statusWith = (milestone: ReplicaFacts["milestone"]) =>
      workspaceStatus({
        wanted: 1,
        status: "open",
        stopped: false,
        expiresAt: 0,
        now: 10,
        replicas: [{ ...started, milestone }],
      });
    expect([statusWith("downloading"), statusWith("verified")]).to.deep.equal(["distributing", "starting"]);
  });

  it("is stopped once no replica of a stopped workspace runs, also without a lease", () => {
    const stopped = (...replicas: ReplicaFacts[]) =>
      workspaceStatus({ status: "open", stopped: true, expiresAt: 0, now: 10, wanted: 1, replicas });
    expect(stopped()).to.equal("stopped");
    expect(stopped({ ...held, state: "assigned" })).to.equal("stopped");
    expect(stopped({ ...held, state: "running", desired: "run" })).to.equal("running");
    expect(stopped({ ...held, state: "running", desired: "stop" })).to.equal("stopped");
  });

  it("is closed or expired regardless of its replicas", () => {
    const running = [{ ...held, state: "running" as const }];
    expect(
      workspaceStatus({
        status: "closed",
        stopped: false,
        expiresAt: 0,
        now: 10,
        wanted: 1,
        replicas: running,
      }),
    ).to.equal("closed");
    expect(
      workspaceStatus({
        status: "open",
        stopped: false,
        expiresAt: 10,
        now: 10,
        wanted: 1,
        replicas: running,
      }),
    ).to.equal("expired");
  });
});

describe("apiServer: small decisions", () => {
  it("parses mapped ports and reasons from the bytes of a report", () => {
    const detail = `0x7d640bb8${"0".repeat(56)}`;
    expect(mappedPorts(detail, [8080, 9090, 7070])).to.deep.equal([
      { containerPort: 8080, port: 32_100 },
      { containerPort: 9090, port: 3_000 },
    ]);
    const reason = Buffer.from("image_not_built".padEnd(32, "\0")).toString("hex");
    expect(failureText(`0x${reason}`)).to.equal("image_not_built");
  });

  it("parses the workspace in a model name", () => {
    expect(parseModel("7")).to.deep.equal({ id: "7" });
    expect(parseModel("ws-7/llama3")).to.deep.equal({ id: "7" });
    expect(parseModel("chat")).to.deep.equal({ name: "chat" });
    expect(parseModel("/x")).to.equal(undefined);
    expect(innerModel("chat/org/llama3")).to.equal("org/llama3");
    expect(innerModel("chat")).to.equal(undefined);
  });

  it("asks for a GPU by its short name and the size it is sold with", () => {
    const workspace = newWorkspace.parse({
      image: `registry.test/chat@sha256:${"ab".repeat(32)}`,
      ports: [8080],
      maxPricePerSecond: "1",
      gpu: { model: "RTX 4090", minVramGib: 23.9 },
      cpu: 1,
      memoryMib: 6,
      diskGib: 1,
    });
    const one = publication(workspace, 0);
    expect(one.spec.gpuModel).to.equal(gpuModelBytes("NVIDIA GeForce RTX 4090"));
    expect(one.spec.minVramMib).to.be.within(22_529, 24_564);
    const several = publication(
      { ...workspace, gpu: { count: 1, minVramGib: 80, minVramMib: 0, model: "A100" } },
      0,
    );
    expect(several.spec).to.include({ gpuModel: gpuModelBytes(undefined) });
    expect(several.spec.minVramMib).to.be.within(73_729, 81_559);
    const { gpuModels } = JSON.parse(several.config).placement;
    expect(gpuModels).to.include(gpuModelBytes("NVIDIA A100-SXM4-80GB"));
    expect(gpuModels).to.not.include(gpuModelBytes("NVIDIA A10"));
  });

  it("encodes a GPU model as 8 bytes of its name's hash", () => {
    expect(gpuModelBytes(undefined)).to.equal("0x0000000000000000");
    expect(gpuModelBytes("NVIDIA H100 80GB HBM3")).to.match(/^0x[0-9a-f]{16}$/);
    expect(gpuModelBytes("0xABCDEF0123456789")).to.equal("0xabcdef0123456789");
  });

  it("claims only under the newest active root", () => {
    const leaf = (epoch: string, cumulative: bigint, activatesAt: number) => ({
      epoch,
      cumulative,
      activatesAt,
      proof: "0x",
    });
    const leaves = [leaf("3", 30n, 300), leaf("2", 20n, 200), leaf("1", 10n, 100)];
    expect(rewardOf(leaves, 5n, 250)).to.deep.include({
      epoch: "2",
      claimable: 15n,
      pending: 10n,
      active: true,
    });
    expect(rewardOf(leaves, 25n, 350)).to.deep.include({ epoch: "3", claimable: 5n, pending: 0n });
    expect(rewardOf(leaves, 0n, 50)).to.deep.include({
      epoch: "3",
      claimable: 0n,
      pending: 30n,
      active: false,
    });
  });

  it("collects the same text of a stream for any split of its bytes", async () => {
    const events = [
      { delta: { content: "grüß " } },
      { delta: { content: "dich" } },
      { delta: {}, finish_reason: "stop" },
    ].map((choice) => `data: ${JSON.stringify({ choices: [choice] })}\r\n\r\n`);
    const stream = Buffer.from(`${events.join("")}data: [DONE]\n\n`);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(stream.length), { maxLength: 20 }), async (cuts) => {
        const transcript = createTranscript({ "content-type": "text/event-stream; charset=utf-8" });
        let from = 0;
        for (const to of [...cuts.sort((a, b) => a - b), stream.length]) {
          transcript.add(stream.subarray(from, to));
          from = to;
        }
        expect(await transcript.result()).to.deep.equal({
          streamed: true,
          content: "grüß dich",
          finishReason: "stop",
        });
      }),
    );
  });

  it("keeps an answer that is no text as base64, whole or marked as cut, and a text as it is", async () => {
    const kept = async (contentType: string, ...parts: Buffer[]) => {
      const transcript = createTranscript({ "content-type": contentType });
      for (const part of parts) transcript.add(part);
      return transcript.result();
    };
    const sound = Buffer.from([0x49, 0x44, 0x33, 0xff, 0x00, 0xc3]);
    const base64 = sound.toString("base64");
    const shown = { base64, contentType: "audio/mpeg" };
    expect(await kept("audio/mpeg", sound.subarray(0, 2), sound.subarray(2))).to.deep.equal(shown);
    expect(await kept("application/x-thing", sound)).to.include({ base64 });
    expect(await kept("application/x-ndjson", Buffer.from("{}\n{}"))).to.equal("{}\n{}");
    expect(await kept("application/json", Buffer.from('{"a":1}'))).to.deep.equal({ a: 1 });
    const large = Buffer.alloc(3 << 20, 0xfe);
    const cut = (await kept("audio/wav", large)) as { base64: string };
    expect(cut).to.deep.include({ bytes: 3 << 20, truncated: true });
    expect(Buffer.from(cut.base64, "base64").length).to.equal(1 << 20);
    // The last character is cut in the middle.
    expect(await kept("text/plain", Buffer.from(`x${"ß".repeat(1 << 20)}`))).to.match(/^xß+$/);
  });

  it("states an amount in dollars at a rate, rounded down to a millionth", () => {
    const token = 10n ** 18n;
    expect(dollarsOf(3n * token, "0.25")).to.equal("0.750000");
    expect(dollarsOf(token + 1n, "1")).to.equal("1.000000");
    expect(dollarsOf(-token / 2n, "0.000003")).to.equal("-0.000001");
    expect(dollarsOf(-1n, "2")).to.equal("0.000000");
    expect(dollarsOf(10n ** 27n, "999999999.999999")).to.equal("999999999999999000.000000");
  });
});
