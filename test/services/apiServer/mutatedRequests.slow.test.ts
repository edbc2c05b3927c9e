import { expect } from "chai";
import { tryOut } from "../../chaos/api/index.ts";
import { type FuzzMarket, openFuzzMarket } from "../../chaos/api/market.ts";

/** The same requests in each run; NGPU_FUZZ_SEED and `npm run chaos -- api` send others. */
const seed = Number(process.env.NGPU_FUZZ_SEED ?? 1);

describe("apiServer: mutated requests", function () {
  this.timeout(600_000);
  let market: FuzzMarket;
  before(async () => {
    market = await openFuzzMarket();
  });
  after(() => market.api.stop());

  it(`answers 10,000 requests as its document says, seed ${seed}`, async () => {
    const verdict = await tryOut(market, {
      kills: 10_000,
      seed,
      signal: new AbortController().signal,
      progress: () => undefined,
    });
    expect(verdict.ok, verdict.text).to.equal(true);
  });
});
