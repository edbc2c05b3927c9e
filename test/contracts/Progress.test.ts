import { domainOf, progressReportTypes } from "@ngpu/contracts-sdk/typedData";
import { packProgress } from "@ngpu/protocol/packedReports";
import { expect } from "chai";
import { numberToHex } from "viem";
import { noteGas, printGas } from "./support/gas.ts";
import { releaseLost } from "./support/losses.ts";
import { keyOf, later } from "./support/market.ts";
import { addNodes } from "./support/nodes.ts";
import { expectRefused, refusalsOf } from "./support/reverts.ts";
import { othersThan } from "./support/twins.ts";
import { assign, loadPartner, type PartnerFixture, place, publish } from "./support/workspaces.ts";

const milestone = { accepted: 1, downloading: 2, downloaded: 3, verified: 4 } as const;

type Message = Parameters<typeof sign>[1];

function sign(
  market: PartnerFixture,
  message: {
    workspaceId: bigint;
    replica: number;
    lease: number;
    fence: `0x${string}`;
    milestone: number;
    deadline: bigint;
  },
  signer = market.nodes.first.key,
) {
  return signer.signTypedData({
    domain: domainOf(market.deployment, "Progress"),
    types: progressReportTypes,
    primaryType: "ProgressReport",
    message,
  });
}

async function send(
  market: PartnerFixture,
  placed: Awaited<ReturnType<typeof place>>,
  changes: Partial<Message>,
  signer = market.nodes.first.key,
) {
  const message = {
    ...placed.ref,
    fence: placed.fence,
    milestone: milestone.accepted,
    deadline: later,
    ...changes,
  };
  const signature = await sign(market, message, signer);
  return market.mined(market.progress.write.reportBatch([[packProgress(message, signature)]]));
}

describe("Progress", () => {
  after(printGas);

  it("accepts milestones that rise, and refuses a repeat", async () => {
    const market = await loadPartner();
    const placed = await place(market);
    const read = () => market.progress.read.milestoneOf([placed.workspaceId, 0]);
    await send(market, placed, { milestone: milestone.accepted });
    await send(market, placed, { milestone: milestone.downloaded });
    expect(await read()).to.deep.equal([1, milestone.downloaded]);
    for (const given of [0, milestone.accepted, milestone.downloaded]) {
      const receipt = await send(market, placed, { milestone: given });
      expectRefused(receipt, "ProgressNotIncreasing", { given, current: milestone.downloaded });
    }
    expect(refusalsOf(await send(market, placed, { milestone: milestone.verified }))).to.deep.equal([]);
  });

  it("refuses another lease, fence, signer, an unknown milestone and a late message", async () => {
    const market = await loadPartner();
    const placed = await place(market);
    expectRefused(await send(market, placed, { lease: 9 }), "ProgressLeaseStale", { lease: 9, current: 1 });
    expectRefused(await send(market, placed, { fence: "0x0000000000000001" }), "ProgressFenceMismatch", {
      current: placed.fence,
    });
    expectRefused(await send(market, placed, {}, market.nodes.second.key), "SignatureInvalid", {
      signer: market.nodes.first.key.address,
    });
    expectRefused(await send(market, placed, { milestone: 77 }), "ValueUnknown", { value: 77n });
    expectRefused(await send(market, placed, { deadline: 1n }), "SignatureExpired", { deadline: 1n });
  });

  it("accepts a signature only in the form that was signed", async () => {
    const market = await loadPartner();
    const { ref, fence } = await place(market);
    const message = { ...ref, fence, milestone: milestone.accepted, deadline: later };
    const good = packProgress(message, await sign(market, message));
    for (const form of othersThan(good)) {
      const receipt = await market.mined(market.progress.write.reportBatch([[{ ...good, ...form }]]));
      expectRefused(receipt, "SignatureInvalid", { signer: market.nodes.first.key.address });
    }
    const receipt = await market.mined(market.progress.write.reportBatch([[good]]));
    expect(refusalsOf(receipt)).to.deep.equal([]);
  });

  it("has no room for a second packing of a report", async () => {
    const market = await loadPartner();
    const { ref, fence } = await place(market);
    const message = { ...ref, fence, milestone: milestone.accepted, deadline: later };
    const good = packProgress(message, await sign(market, message));
    // The upper of the milestone's two bytes, which no milestone uses.
    const head = numberToHex(BigInt(good.head) | (1n << 72n), { size: 32 });
    const receipt = await market.mined(market.progress.write.reportBatch([[{ ...good, head }]]));
    expectRefused(receipt, "ValueUnknown", { value: 257n, highest: 4n });
  });

  it("starts again with the next lease, and ends with the lease", async () => {
    const market = await loadPartner();
    const placed = await place(market);
    const { spec, workspaceId } = placed;
    await send(market, placed, { milestone: milestone.verified });
    await releaseLost(market, [placed]);
    expectRefused(await send(market, placed, {}), "ProgressLeaseEnded", { lease: 1 });
    await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
    const { fence } = await market.docker.read.assignmentOf([workspaceId, 0]);
    const receipt = await send(market, placed, { lease: 2, fence });
    expect(refusalsOf(receipt)).to.deep.equal([]);
    expect(await market.progress.read.milestoneOf([workspaceId, 0])).to.deep.equal([2, milestone.accepted]);
  });

  it("keeps neighbouring workspaces apart in their shared word, at little gas", async () => {
    const market = await loadPartner();
    await addNodes(market, ["big"]);
    const resources = { gpus: 0, cpuMilli: 100, memoryMib: 100, diskGib: 1, ports: 0 };
    const items: Parameters<typeof assign>[1] = [];
    for (let count = 0; count < 14; count++) {
      const { workspaceId, spec } = await publish(market, { resources });
      items.push({ workspaceId, replica: 0, nodeId: 3, start: true, spec });
    }
    await assign(market, items);
    const report = async (wanted: (place: number) => number) => {
      const messages = await Promise.all(
        items.map(async ({ workspaceId }, place) => {
          const { fence } = await market.docker.read.assignmentOf([workspaceId, 0]);
          return { workspaceId, replica: 0, lease: 1, fence, milestone: wanted(place), deadline: later };
        }),
      );
      const packed = await Promise.all(
        messages.map(async (message) => packProgress(message, await sign(market, message, keyOf("big")))),
      );
      const receipt = await market.mined(market.progress.write.reportBatch([packed]));
      expect(refusalsOf(receipt)).to.deep.equal([]);
      return receipt;
    };
    noteGas("progress-first, a batch of 14", await report((place) => 1 + (place % 3)), 14);
    for (const [place, { workspaceId }] of items.entries()) {
      expect(await market.progress.read.milestoneOf([workspaceId, 0])).to.deep.equal([1, 1 + (place % 3)]);
    }
    noteGas("progress-later, a batch of 14", await report(() => milestone.verified), 14);
  });
});
