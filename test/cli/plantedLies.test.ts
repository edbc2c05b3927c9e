import { expect } from "chai";
import { createMarketAudit } from "../../cli/audit/marketRecords.ts";
import type { MarketHistory } from "../../cli/audit/record.ts";
import { writeDay } from "../bench/verify/day/index.ts";
import { plantLies } from "../bench/verify/lies/index.ts";
import { isNamed } from "../bench/verify/lies/subject.ts";

const seed = 20_261;
/** So many that each field has at least one. */
const count = 260;

// The short form of `npm run bench -- verify`, without an endpoint.
describe("a day of 120 nodes, as an auditor recomputes it", () => {
  let history: MarketHistory;
  let day: bigint;

  before(async () => {
    const { market, logs } = await writeDay({ nodes: 120, hours: 2, blockSeconds: 30, seed });
    const { deployment, clock, upTo, dayBegin } = market;
    history = { deployment, clock, logs, upTo: BigInt(upTo) };
    day = BigInt(dayBegin / deployment.parameters.daySeconds);
  });

  it("has every kind of record, and none that differs", async () => {
    const kinds = new Set<string>();
    const lies: unknown[] = [];
    for await (const record of createMarketAudit()(history, 0n)) {
      kinds.add(record.kind);
      if (record.detail !== undefined) lies.push(record);
    }
    expect(lies).to.deep.equal([]);
    expect([...kinds].sort()).to.deep.equal(["epoch", "placement", "receipts", "refund", "uptime", "wave"]);
  });

  it(`names the record of each of ${count} lies about a single field`, async () => {
    const fields = new Set<string>();
    const missed: string[] = [];
    for await (const lie of plantLies(history, { count, seed, day })) {
      fields.add(`${lie.kind} ${lie.field}`);
      if (!isNamed(lie)) missed.push(`${lie.kind} ${lie.field} of ${lie.id}`);
    }
    expect(missed).to.deep.equal([]);
    expect(fields.size).to.equal(38);
  });
});
