import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { loadMarket } from "../../contracts/support/market.ts";
import { goals } from "./goals.ts";
import { measureActs } from "./measure.ts";
import { measurePeers } from "./peers.ts";

const snapshotFile = join(import.meta.dirname, "../../contracts/gas.snapshot.json");

/** Gas of every act beside its goal and its peer, all from receipts on one simulated OP-stack chain. */
export async function run(args: string[]): Promise<void> {
  const options = new Command("npm run bench -- gas")
    .option("--json", "one JSON object on stdout")
    .option("--snapshot", "write the figures that the tests compare with")
    .parse(args, { from: "user" })
    .opts<{ json?: true; snapshot?: true }>();
  const costs = await measureActs();
  if (options.snapshot) {
    const figures = Object.fromEntries(Object.entries(costs).map(([act, { gas }]) => [act, round(gas)]));
    writeFileSync(snapshotFile, `${JSON.stringify(figures, null, 2)}\n`);
  }
  const peers = await measurePeers(await loadMarket());
  const rows = Object.entries(costs).map(([act, { gas, l1Fee, l1Bytes }]) => {
    const [goal, peer] = [goals[act] ?? null, peers[act] ?? null];
    return {
      act,
      gasPerUnit: round(gas),
      goal,
      l1FeeWeiPerUnit: round(l1Fee),
      l1BytesPerUnit: round(l1Bytes),
      peer,
    };
  });
  const lines = rows.map(({ act, gasPerUnit, goal, peer }) => {
    const verdict =
      goal === null ? "" : gasPerUnit <= goal ? `goal ${goal}, reached` : `goal ${goal}, MISSED`;
    const beside = peer === null ? "" : `${round(peer.gasPerUnit)} by ${peer.name}`;
    return `${act.padEnd(26)}${String(gasPerUnit).padStart(12)}  ${verdict.padEnd(26)}${beside}`;
  });
  process.stdout.write(options.json ? `${JSON.stringify({ rows })}\n` : `${lines.join("\n")}\n`);
}

/** To the hundredth, and the bytes of many nodes to four places. */
function round(value: number): number {
  return value < 10 ? Math.round(value * 1e4) / 1e4 : Math.round(value * 100) / 100;
}
