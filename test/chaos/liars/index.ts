import { type AbiName, abis } from "@ngpu/contracts-sdk/abis";
import { domainOf, hardwareClaimTypes } from "@ngpu/contracts-sdk/typedData";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import type { ChainLog } from "@ngpu/rewards/chainLogs";
import { closeEpoch } from "@ngpu/rewards/close";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import { windowOf } from "@ngpu/rewards/epochs";
import { historiesOf as nodeHistories, nodesOf } from "@ngpu/rewards/nodeLogs";
import { encodeDevice } from "@ngpu/waves/claims";
import { historiesOf, type JudgedWave, judgedWaves } from "@ngpu/waves/history";
import { proofsOf } from "@ngpu/waves/proofs";
import { waveEvents } from "@ngpu/waves/waveLogs";
import { type Abi, decodeEventLog, formatEther } from "viem";
import type { Trial, Verdict } from "../../../scripts/chaos/subject.ts";
import { keyOf, type MarketFixture, marketFixture } from "../../contracts/support/market.ts";
import { addMeasurer } from "../../contracts/support/measure.ts";
import { addNodes } from "../../contracts/support/nodes.ts";
import { mine, soon } from "../../contracts/support/waves.ts";
import { type Kind, openKinds } from "./kinds.ts";
import { measurers, type Name, type StagedWave, stageWave } from "./wave.ts";

/*
 * Liars beside an honest node and honest measurers, on the compiled contracts: claims, waves, proofs, verdicts and rewards are the
 * market's own code, and what counts is computed from the chain's logs.
 */

/** Blocks of a second. Chase and work have one each. */
const waves = {
  stride: 2,
  chance: 1,
  fillBlocks: 6,
  chaseBlocks: 1,
  workBlocks: 1,
  commitBlocks: 4,
  revealBlocks: 4,
};
const slotSeconds = 60;

/** A line of the result: what lied, what it was noticed by, after how many waves, and what it was paid. */
export type LiarLine = { kind: string; noticed: string; after: number | null; paid: string };

export async function run({ kills: count, signal, progress }: Trial): Promise<Verdict> {
  const { kinds, stop } = await openKinds();
  try {
    const market = await marketFixture({ waves });
    for (let id = 1; id <= 7; id += 1) await addMeasurer(market, `wave measurer ${id}`);
    const names = await joinAll(market, kinds);
    // A wave judges the claims before its first block, which is one of the last.
    await mine(market, waves.fillBlocks + waves.stride);
    const friend = names.find(({ kind }) => kind === kinds[1])?.nodeId ?? 0;
    const staged: StagedWave[] = [];
    for (let place = 0; place < count; place += 1) {
      signal.throwIfAborted();
      progress(place, `wave ${place + 1}`);
      staged.push(await stageWave(market, place, names, friend));
    }
    const logs = await logsOf(market);
    const judged = judgedWaves(logs, waves, 2n ** 32n);
    const paid = paidOf(logs, judged, names);
    const lines = [...nodeLines(kinds, { names, staged, judged, paid }), ...measurerLines(staged, judged)];
    const liars = lines.filter(({ kind }) => kind !== "honest");
    const isPaid = lines.some(({ kind, paid: amount }) => kind === "honest" && amount !== "0");
    const ok = isPaid && liars.every(({ paid: amount, after }) => amount === "0" && after !== null);
    const text = lines.map(({ kind, noticed, after, paid: amount }) =>
      [kind.padEnd(40), `${after ?? "never"}`.padEnd(6), amount.padEnd(24), noticed].join(" "),
    );
    return { ok, figures: { lines }, text: text.join("\n") };
  } finally {
    await stop();
  }
}

/** Registers the names of each kind and signs their claims. */
async function joinAll(market: MarketFixture, kinds: readonly Kind[]): Promise<Name[]> {
  const names: Name[] = [];
  for (const kind of kinds) {
    const keys = Array.from({ length: kind.names }, (_, name) => `${kind.kind} ${name}`);
    const nodes = await addNodes(market, keys);
    const messages = await Promise.all(
      nodes.map(async ({ id }) => ({
        nodeId: id,
        devices: [encodeDevice(kind.claimed)],
        deadline: await soon(market),
      })),
    );
    const domain = domainOf(market.deployment, "ProofWaves");
    const signatures = await Promise.all(
      messages.map((message, place) =>
        keyOf(keys[place] as string).signTypedData({
          domain,
          types: hardwareClaimTypes,
          primaryType: "HardwareClaim",
          message,
        }),
      ),
    );
    await market.mined(market.waves.write.claimBatch([messages, signatures]));
    names.push(...nodes.map(({ id }, name) => ({ nodeId: id, kind, name })));
  }
  return names;
}

/** The logs that waves and rewards depend on, in the chain's order. */
async function logsOf(market: MarketFixture): Promise<ChainLog[]> {
  const contracts = new Map(
    (Object.keys(waveEvents) as AbiName[]).map((contract) => [
      market.deployment.contracts[contract as "Measure"].toLowerCase(),
      contract,
    ]),
  );
  const raw = await market.client.getLogs({ fromBlock: 0n });
  return raw.flatMap(({ address, data, topics, blockNumber, logIndex }) => {
    const contract = contracts.get(address.toLowerCase());
    if (contract === undefined) return [];
    const { eventName, args } = decodeEventLog({ abi: abis[contract] as Abi, data, topics });
    const named = { contract, generation: 1, name: eventName ?? "", block: blockNumber, logIndex, time: 0 };
    return [{ ...named, args: args as unknown as Record<string, unknown> }];
  });
}

/** What each node is paid in an epoch after the waves, in which all are present and reachable. Token units. */
function paidOf(
  logs: readonly ChainLog[],
  judged: readonly JudgedWave[],
  names: readonly Name[],
): Map<number, bigint> {
  const reached = new Set(names.map(({ nodeId }) => nodeId));
  const nodes = nodesOf(
    logs.filter(({ contract }) => contract === "ComputeNode"),
    2n ** 32n,
  );
  const bits = encodeHeartbeats(Math.max(...reached), reached);
  const { document } = closeEpoch({
    window: windowOf(1, { genesis: 0, epochSeconds: 3_600, settlementSeconds: 0 }),
    schedule: { address: "0x00", emission: 10n ** 21n, epochsBefore: 0 },
    facts: {
      asOf: { block: 1n, hash: "0x01" },
      terms: defaultTerms({ slotSeconds }),
      slotSeconds,
      nodes: nodeHistories(nodes, { reached, proofs: proofsOf(judged) }, { from: 0, to: 3_600 }),
      presence: {
        firstSlot: 0,
        endSlot: 60,
        disputes: [],
        challenges: [],
        slots: Array.from({ length: 60 }, (_, slot) => ({ slot, ...bits })),
      },
      results: [],
      leases: [],
      days: { throughDay: null, served: [] },
    },
    before: { number: 0, granted: new Map(), bonds: new Map(), throughDay: null },
  });
  return new Map(document.shares.map(({ nodeId, amount }) => [nodeId, amount]));
}

type Outcome = {
  names: readonly Name[];
  staged: readonly StagedWave[];
  judged: readonly JudgedWave[];
  paid: ReadonlyMap<number, bigint>;
};

function nodeLines(kinds: readonly Kind[], { names, staged, judged, paid }: Outcome): LiarLine[] {
  const histories = historiesOf(judged);
  return kinds.map((kind) => {
    const ids = names.filter((name) => name.kind === kind).map(({ nodeId }) => nodeId);
    const reasons = staged.map(({ results }) =>
      results.flatMap(({ nodeId, refusal }) =>
        ids.includes(nodeId) && refusal !== undefined ? [refusal] : [],
      ),
    );
    const first = reasons.findIndex((found) => found.length > 0);
    const outcomes = ids.flatMap((nodeId) => histories.get(`${nodeId}/0`)?.verdicts ?? []);
    const passed = outcomes.filter(({ outcome }) => outcome === "passed").length;
    const total = ids.reduce((sum, nodeId) => sum + (paid.get(nodeId) ?? 0n), 0n);
    return {
      kind: kind.kind,
      noticed: `${[...new Set(reasons.flat())].join(", ") || "-"}; passed ${passed} of ${outcomes.length}`,
      after: first < 0 ? null : first + 1,
      paid: formatEther(total),
    };
  });
}

function measurerLines(staged: readonly StagedWave[], judged: readonly JudgedWave[]): LiarLine[] {
  const after = (found: boolean[]) => (found.includes(true) ? found.indexOf(true) + 1 : null);
  const line = (kind: string, noticed: string, found: boolean[]) => {
    return { kind, noticed, after: after(found), paid: "0" };
  };
  return [
    line(
      "a measurer that copies results",
      "its reveal is refused",
      staged.map(({ copyRefused }) => copyRefused),
    ),
    line(
      "a measurer that withholds its results",
      "named as such; the wave is held",
      judged.map(({ withheld, verdict }) => verdict.held && withheld.includes(measurers.withholding)),
    ),
    line(
      "a measurer that passes a friend",
      "contested; the friend is not paid",
      judged.map(({ verdict }) => verdict.devices.some(({ contested }) => contested)),
    ),
  ];
}
