import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChainClient } from "@ngpu/chain-reader/client";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { codeOf, heartbeatEncodings } from "@ngpu/contracts-sdk/enumNames";
import { signHeartbeats } from "@ngpu/protocol/heartbeatAck";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { wordsOf } from "@ngpu/protocol/heartbeatWords";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { encodeAbiParameters, type Hex, numberToHex, pad, toEventSelector } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { createHeartbeatAcks } from "../../node-client/heartbeatAcks.ts";
import { pendingAcks } from "../../node-client/journal/heartbeatAcks.ts";
import { type Journal, openJournal } from "../../node-client/journal/open.ts";
import { deploymentDocument } from "../services/support/deployment.ts";

const deployment = parseDeployment(deploymentDocument);
const { slotSeconds } = deployment.parameters;
const committer = privateKeyToAccount(generatePrivateKey());
const nodeId = 3;
const committed = toEventSelector("HeartbeatsCommitted(uint64,uint8,uint32,bytes)");

describe("a node's heartbeat acknowledgements", () => {
  let dir: string;
  let journal: Journal;
  let logs: Record<string, unknown>[];
  let requested: Hex[][];
  let sent: { message: { slot: bigint; nodeId: number }; signature: Hex }[];
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-acks-"));
    journal = openJournal(join(dir, "journal.sqlite"));
    logs = [];
    requested = [];
    sent = [];
  });
  afterEach(() => {
    journal.close();
    rmSync(dir, { recursive: true });
  });

  /** A chain that returns the logs of the requested slots. */
  const client = {
    getBlockNumber: async () => 50n,
    readContract: async () => 100n,
    request: async ({ params }: { params: [{ topics: [Hex, Hex[]] }] }) => {
      const [, slots] = params[0].topics;
      requested.push(slots);
      return logs.filter((log) => slots.includes((log.topics as Hex[])[1] as Hex));
    },
  } as unknown as ChainClient;
  const createAcks = () =>
    createHeartbeatAcks({
      client,
      deployment,
      journal,
      nodeId: () => nodeId,
      logger: createLogger("test", "silent"),
      outbox: {
        submit: async () => "",
        resend: () => undefined,
        recordResult: () => undefined,
        forward: async (_kind, message, signature) => {
          sent.push({ message: message as never, signature });
          return "";
        },
      },
    });
  const commit = (slot: bigint, present: number[]) => {
    const { encoding, nodeCount, bits } = encodeHeartbeats(8, new Set(present));
    const types = [{ type: "uint8" }, { type: "uint32" }, { type: "bytes" }] as const;
    logs.push({
      address: deployment.contracts.ComputeNode,
      topics: [committed, pad(numberToHex(slot), { size: 32 })],
      data: encodeAbiParameters(types, [codeOf(heartbeatEncodings, encoding), nodeCount, bits]),
      blockNumber: "0x20",
      blockHash: pad("0x20", { size: 32 }),
      transactionHash: pad("0x21", { size: 32 }),
      logIndex: "0x0",
    });
  };
  const acknowledged = async (slot: bigint) => {
    const { ackOf, root, signature } = await signHeartbeats(committer, deployment, slot, [1, nodeId, 5]);
    return { type: "ack" as const, slot, signed: { root, signature, ...ackOf(nodeId) } };
  };
  const at = (slot: bigint) => Number(slot) * slotSeconds * 1_000;

  it("dispute a slot that was committed without the node, once, and no other slot", async () => {
    const acks = createAcks();
    for (const slot of [200n, 201n, 202n]) await acks.store(await acknowledged(slot));
    commit(200n, [1, nodeId]);
    commit(201n, [1, 5]);
    await acks.check(at(210n));
    expect(sent.map(({ message }) => [message.slot, message.nodeId])).to.deep.equal([[201n, nodeId]]);
    await acks.check(at(211n));
    expect(sent).to.have.length(1);
    // Only the slot that was not committed is requested again.
    expect(requested.at(-1)).to.deep.equal([pad(numberToHex(202n), { size: 32 })]);
  });

  it("wait until the slot can be committed, and are deleted after the dispute window", async () => {
    const acks = createAcks();
    await acks.store(await acknowledged(300n));
    await acks.check(at(303n));
    expect(requested).to.deep.equal([]);
    await acks.check(at(450n));
    expect(pendingAcks(journal, 1_000n, 10)).to.deep.equal([]);
  });

  it("survive a restart, and are stored only if valid", async () => {
    const acks = createAcks();
    const ack = await acknowledged(400n);
    await acks.store({ ...ack, signed: { ...ack.signed, bits: wordsOf([1, 5])[0]?.bits as Hex } });
    await acks.store({ ...ack, signed: { ...ack.signed, bits: "0x" } });
    await acks.store({ ...ack, signed: { ...ack.signed, proof: [ack.signed.root] } });
    expect(pendingAcks(journal, 1_000n, 10)).to.deep.equal([]);
    await acks.store(ack);
    journal.close();
    journal = openJournal(join(dir, "journal.sqlite"));
    expect(pendingAcks(journal, 1_000n, 10)).to.deep.equal([{ ...ack.signed, slot: 400n, nodeId }]);
  });
});
