import { abis } from "@ngpu/contracts-sdk/abis";
import { relayKinds } from "@ngpu/protocol/relayKinds";
import { relayArgs } from "@ngpu/protocol/signedMessages";
import { mostCallBytes } from "@ngpu/tx-sender/send";
import { expect } from "chai";
import fc from "fast-check";
import { type Abi, encodeFunctionData, type Hex } from "viem";
import { groupIntoBatches, type RelayItem } from "../../../services/match/relay/relayBatchStore.ts";

const hex = (bytes: number, digits = "ab"): Hex => `0x${digits.repeat(bytes)}`;
const spec = {
  gpuModel: hex(8),
  vramMib: 2 ** 24 - 1,
  computeCapability: 255,
  region: hex(2),
  total: { gpus: 64, cpuMilli: 2 ** 24 - 1, memoryMib: 2 ** 24 - 1, diskGib: 65_535, ports: 65_535 },
};

/** A registration as large as it may be. */
const registration = (gpus: number, consent: number) => ({
  key: hex(20),
  wallet: hex(20),
  spec,
  pricePerSecond: 2n ** 64n - 1n,
  gpuName: "ü".repeat(60),
  gpuUuids: Array.from({ length: gpus }, () => hex(32)),
  deadline: 2n ** 64n - 1n,
  consent: hex(consent),
});

type Row = Omit<RelayItem, "batch">;

const row = (id: number, kind: "register" | "setStatus", message: unknown, unbatched = false): Row => ({
  id: BigInt(id),
  kind,
  message,
  signature: hex(65),
  unbatched,
});

describe("match: batches of relayed messages", () => {
  it("are calls that endpoints take, whatever the messages have", () => {
    const messages = fc.array(fc.tuple(fc.nat(64), fc.nat(2_048)), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(messages, (sizes) => {
        const rows = sizes.map(([gpus, consent], id) => row(id, "register", registration(gpus, consent)));
        for (const { message } of rows)
          expect(relayKinds.register.message.safeParse(message).success).to.equal(true);
        const batches = groupIntoBatches(rows);
        expect(batches.flat().map(({ id }) => id)).to.deep.equal(rows.map(({ id }) => id));
        for (const batch of batches) {
          const { contract, functionName } = relayKinds.register;
          const data = encodeFunctionData({
            abi: abis[contract] as Abi,
            functionName,
            args: relayArgs("register", batch) as unknown[],
          });
          expect((data.length - 2) / 2).to.be.at.most(mostCallBytes);
        }
      }),
      { numRuns: 20 },
    );
  });

  it("have one kind each, and those of a refused batch are apart", () => {
    const status = { nodeId: 1, status: 2, sequence: 3, deadline: 4n };
    const batches = groupIntoBatches([
      row(1, "setStatus", status),
      row(2, "register", registration(1, 0)),
      row(3, "setStatus", status, true),
      row(4, "setStatus", status),
      row(5, "register", registration(64, 2_048), true),
    ]);
    const ids = batches.map((batch) => batch.map(({ id }) => Number(id)));
    expect(ids).to.deep.equal([[1, 4], [2], [3], [5]]);
    for (const batch of batches) expect(new Set(batch.map((one) => one.batch)).size).to.equal(1);
  });

  it("of small messages have 50 of them", () => {
    const status = { nodeId: 1, status: 2, sequence: 3, deadline: 4n };
    const rows = Array.from({ length: 120 }, (_, id) => row(id, "setStatus", status));
    expect(groupIntoBatches(rows).map((batch) => batch.length)).to.deep.equal([50, 50, 20]);
  });
});
