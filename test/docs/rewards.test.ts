import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type NodeBond, settleBonds } from "@ngpu/rewards/bonds";
import { classNames } from "@ngpu/rewards/catalogue";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import { shareMeasurers } from "@ngpu/rewards/measurers";
import { shareEmission } from "@ngpu/rewards/share";
import { shareTasks } from "@ngpu/rewards/tasks";
import { expect } from "chai";
import { z } from "zod";

const page = readFileSync(join(import.meta.dirname, "../../docs/rewards.md"), "utf8");
const blocks = [...page.matchAll(/```json\n(.*?)```/gs)].map(([, text]) => JSON.parse(text ?? ""));
const terms = defaultTerms({ slotSeconds: 3_600 });
const units = z.number().transform(BigInt);

const shares = z.object({
  example: z.literal("shares"),
  emission: units,
  terms: z.object({
    measurerBasisPoints: z.number(),
    taskBasisPoints: z.number(),
    classes: z.array(z.object({ weight: units, rate: units }).transform((one) => ({ ...one, ceiling: 0n }))),
  }),
  nodes: z.array(z.object({ nodeId: z.number(), class: z.number(), units, slots: z.number() })),
  amounts: z.array(units),
});
const tasks = z.object({
  example: z.literal("tasks"),
  feeBasisPoints: z.number(),
  nodeTaskBasisPoints: z.number(),
  payerTaskBasisPoints: z.number(),
  paid: units,
  receipts: units,
  incentive: units,
  node: units,
  payer: units,
});
const measurers = z.object({
  example: z.literal("measurers"),
  emission: units,
  measurerBasisPoints: z.number(),
  measurerRate: units,
  results: z.array(z.number()),
  amounts: z.array(units),
});
const bond = z.object({
  example: z.literal("bond"),
  bond: units,
  bondEpochs: z.number(),
  rewards: z.array(units),
  granted: z.array(units),
  withheld: z.array(units),
});

type Of<Schema extends z.ZodType> = z.infer<Schema>;

function checkShares(example: Of<typeof shares>): void {
  const claimants = example.nodes.map((node) => ({ ...node, account: "0x" }));
  const found = shareEmission(claimants, example.emission, { ...terms, ...example.terms });
  expect(found.shares.map(({ amount }) => amount)).to.deep.equal(example.amounts);
}

function checkTasks({ paid, receipts, incentive, node, payer, ...own }: Of<typeof tasks>): void {
  const lease = { workspaceId: 1n, replica: 0, lease: 1, nodeId: 1, node: "0xa", payer: "0xb" };
  const facts = { ...lease, ...own, before: { paid: 0n, receipts: 0n }, now: { paid, receipts } };
  const [found] = shareTasks([facts], 10n ** 18n, { ...terms, ...own });
  expect(found).to.include({ incentive, nodeAmount: node, payerAmount: payer });
}

function checkMeasurers({ emission, results, amounts, ...own }: Of<typeof measurers>): void {
  const seen = { downMbps: 1n, upMbps: 1n, portsReachable: 1n, diskWriteMibps: 1n };
  const all = results.flatMap((count, place) =>
    Array.from({ length: count }, () => ({ measurerId: place, account: "0x", result: seen, median: seen })),
  );
  const found = shareMeasurers(all, emission, { ...terms, ...own });
  expect(found.map(({ amount }) => amount)).to.deep.equal(amounts);
}

function checkBond(example: Of<typeof bond>): void {
  let known = new Map<number, NodeBond>();
  for (const [index, amount] of example.rewards.entries()) {
    const { grants, bonds } = settleBonds(known, {
      epoch: index + 1,
      terms: { amount: example.bond, epochs: example.bondEpochs, days: 7, uptimePermille: 900 },
      shares: [{ nodeId: 1, account: "0x", amount }],
      served: [],
      grantLimit: 10n ** 18n,
    });
    known = new Map([...known, ...bonds.map((one) => [one.nodeId, one] as const)]);
    expect(grants.reduce((sum, grant) => sum + grant.amount, 0n)).to.equal(example.granted[index]);
    expect(known.get(1)?.withheld).to.equal(example.withheld[index]);
  }
}

describe("docs/rewards.md", () => {
  it("has examples of every part of the formula, with the amounts that the formula gives", () => {
    const kinds = new Set<string>();
    for (const block of blocks) {
      kinds.add(block.example);
      if (block.example === "shares") checkShares(shares.parse(block));
      if (block.example === "tasks") checkTasks(tasks.parse(block));
      if (block.example === "measurers") checkMeasurers(measurers.parse(block));
      if (block.example === "bond") checkBond(bond.parse(block));
    }
    expect([...kinds].sort()).to.deep.equal(["bond", "measurers", "shares", "tasks"]);
  });

  it("has the classes of the default terms", () => {
    const rows = page.split("\n").filter((line) => /^\| [0-3] +\|/.test(line));
    const stated = rows.map((row) =>
      row
        .split("|")
        .slice(3, 6)
        .map((cell) => BigInt(cell.replaceAll(",", ""))),
    );
    expect(stated).to.deep.equal(terms.classes.map(({ weight, rate, ceiling }) => [weight, rate, ceiling]));
    expect(rows).to.have.length(classNames.length);
  });
});
