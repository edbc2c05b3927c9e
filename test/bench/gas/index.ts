import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { loadMarket } from "../../contracts/support/market.ts";
import { goals } from "./goals.ts";
import { measureActs } from "./measure.ts";
import { measurePeers } from "./peers/index.ts";
import type { Peer } from "./peers/peer.ts";
import { defaultPrices, dollarsOf, type Prices } from "./prices.ts";

const snapshotFile = join(import.meta.dirname, "../../contracts/gas.snapshot.json");

/** Gas of every act with its goal and its peers, from receipts on one simulated OP-stack chain. */
export async function run(args: string[]): Promise<void> {
  const options = new Command("npm run bench -- gas")
    .option("--json", "one JSON object on stdout")
    .option("--snapshot", "write the figures that the tests compare with")
    .option("--gas-gwei <price>", "price of gas, gwei", priceOf, defaultPrices.gasGwei)
    .option("--token-dollars <price>", "price of the gas token, dollars", priceOf, defaultPrices.tokenDollars)
    .parse(args, { from: "user" })
    .opts<Prices & { json?: true; snapshot?: true }>();
  const { gasGwei, tokenDollars } = options;
  const prices = { gasGwei, tokenDollars };
  const costs = await measureActs();
  if (options.snapshot) {
    const figures = Object.fromEntries(Object.entries(costs).map(([act, { gas }]) => [act, round(gas)]));
    writeFileSync(snapshotFile, `${JSON.stringify(figures, null, 2)}\n`);
  }
  const peers = await measurePeers(await loadMarket());
  const rows = Object.entries(costs).map(([act, cost]) => {
    const { gas, l1Fee, l1Bytes } = cost;
    const beside = (peers[act] ?? []).map((peer) => ({ ...peer, gasPerUnit: round(peer.gasPerUnit) }));
    return {
      act,
      gasPerUnit: round(gas),
      goal: goals[act] ?? null,
      l1FeeWeiPerUnit: round(l1Fee),
      l1BytesPerUnit: round(l1Bytes),
      dollarsPerThousand: Number(dollarsOf(cost, prices).toPrecision(3)),
      // The cheapest peer.
      peer: beside[0] ?? null,
      peers: beside,
    };
  });
  const lines = rows.flatMap(({ act, gasPerUnit, goal, dollarsPerThousand, peers: beside }) => {
    const verdict =
      goal === null ? "" : gasPerUnit <= goal ? `goal ${goal}, reached` : `goal ${goal}, MISSED`;
    const dollars = `$${dollarsPerThousand} a thousand`.padStart(22);
    return [
      `${act.padEnd(26)}${String(gasPerUnit).padStart(12)}${dollars}  ${verdict}`,
      ...beside.map(peerLine),
    ];
  });
  const stated = `Dollars at ${gasGwei} gwei a gas and $${tokenDollars} a token, with L1 fees.`;
  process.stdout.write(
    options.json ? `${JSON.stringify({ prices, rows })}\n` : `${lines.join("\n")}\n${stated}\n`,
  );
}

function peerLine({ gasPerUnit, name, source }: Peer): string {
  return `${String(gasPerUnit).padStart(38)}  ${name}${source === "published" ? " (published)" : ""}`;
}

function priceOf(text: string): number {
  const price = Number(text);
  if (text.trim() === "" || !Number.isFinite(price) || price < 0)
    throw new InvalidArgumentError("Not a price.");
  return price;
}

/** Rounds to two decimals, and small values to four. */
function round(value: number): number {
  return value < 10 ? Math.round(value * 1e4) / 1e4 : Math.round(value * 100) / 100;
}
