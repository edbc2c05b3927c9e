import { type RelayKind, relayKinds } from "@ngpu/protocol/relayKinds";
import { signRelay } from "@ngpu/protocol/signedMessages";
import { expect } from "chai";
import fc from "fast-check";
import { runs } from "../../support/runs.ts";
import { connect, joinNode, type Peer } from "../match/client.ts";
import { type Match, setupMatch, type TestMatch } from "../match/setup.ts";
import { extremes, extremeValues, fieldsIn, relayExamples, withValue } from "./wireValues.ts";

/** A plausible message of each kind that an open session may send. */
const messages: Record<string, unknown>[] = [
  {
    type: "heartbeat",
    slot: "1",
    cpuLoad: 0.5,
    freeDiskGib: 10,
    running: ["1/0/1"],
    sickGpus: [{ code: "gpu_lost", id: "GPU-1", name: "GPU", detail: "lost" }],
  },
  { type: "live", workspaceId: "1", replica: 0, lease: 1, percent: 5, bytesPerSecond: 10 },
  { type: "probeReady", roundId: "1", port: 42_000 },
  { type: "probeFailed", roundId: "1", reason: "no" },
  { type: "measureFailed", roundId: "1", reason: "no" },
  {
    type: "waveReveal",
    waveId: 1,
    measurerId: 1,
    results: `0x${"1".repeat(64)}`,
    transcripts: `0x${"1".repeat(64)}`,
    exceptions: `0x${"1".repeat(64)}`,
    salt: `0x${"1".repeat(64)}`,
    list: "0x",
  },
  { type: "prefetched", image: `0x${"1".repeat(64)}`, outcome: "failed", reason: "no" },
];

describe("any value that a node sends to match", function () {
  this.timeout(300_000);
  let test: TestMatch;
  let match: Match;
  let healthy: Peer;
  let nodeId: number;
  let outsider: Peer;
  let isClosed = false;

  before(async () => {
    test = await setupMatch();
    match = await test.startMatch("match-a");
    ({ peer: healthy, nodeId } = await joinNode(match.url, test.market.deployment));
    healthy.beat(test.market.deployment.parameters.slotSeconds);
    outsider = (await joinNode(match.url, test.market.deployment)).peer;
    watch();
  });
  after(() => test.stop());

  const watch = () => {
    isClosed = false;
    void outsider.closed.then(() => {
      isClosed = true;
    });
  };

  /** Sends a message and waits until match has handled it: it answers a heartbeat or closes the session. */
  const send = async (message: Record<string, unknown>) => {
    if (isClosed) {
      outsider = await connect(match.url, test.market.deployment, "node", outsider.account);
      await outsider.next("welcome");
      watch();
    }
    const { slotSeconds } = test.market.deployment.parameters;
    const slot = BigInt(Math.floor(Date.now() / 1_000 / slotSeconds));
    outsider.sendRaw(JSON.stringify(message));
    outsider.send({ type: "heartbeat", slot, cpuLoad: 0, freeDiskGib: 1, running: [] });
    await Promise.race([outsider.closed, outsider.next("ack")]);
    const failed = outsider.received.find((one) => one.type === "error" && one.code === "match_unavailable");
    expect(failed, JSON.stringify(message).slice(0, 300)).to.equal(undefined);
  };

  /** The healthy node's messages are handled, and its session is the one that it opened. */
  const goesOn = async () => {
    const { rows } = await test.db.query("select subject_id from app.session where key = $1", [healthy.key]);
    expect(rows).to.deep.equal([{ subject_id: nodeId }]);
    await healthy.next("ack");
  };

  const count = runs(40, 1_200);

  it(`ends at most its own session, in any field of any message, ${count} values`, async () => {
    const fields = messages.flatMap((message) => fieldsIn(message).map((path) => ({ message, path })));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...fields), extremes, async ({ message, path }, value) => {
        await send(withValue(message, path, value));
      }),
      { numRuns: count },
    );
    await goesOn();
  });

  it(`ends at most its own message, in any field of a signed message, ${count} values`, async () => {
    const fields = (Object.entries(relayExamples) as [RelayKind, object][]).flatMap(([kind, example]) =>
      fieldsIn(example).map((path) => ({ kind, example, path })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...fields),
        fc.constantFrom(...extremeValues),
        async (field, value) => {
          const { kind, example, path } = field;
          const changed = withValue(
            { ...example, ...("key" in example && { key: outsider.account.address }) },
            path,
            value,
          );
          const parsed = relayKinds[kind].message.safeParse(changed);
          const signature = parsed.success
            ? await signRelay(outsider.account, test.market.deployment, kind, parsed.data as never)
            : `0x${"1b".repeat(65)}`;
          await send({ type: "relay", id: "one", kind, message: changed, signature });
        },
      ),
      { numRuns: count },
    );
    const own = { nodeId, status: 3, sequence: 1, deadline: BigInt(Math.floor(Date.now() / 1_000) + 600) };
    await healthy.relay("own", "setStatus", own);
    await healthy.next("relayed", ({ id, status }) => id === "own" && status === "confirmed", 60_000);
    await goesOn();
  });
});
