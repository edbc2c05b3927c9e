import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { Redis } from "ioredis";
import { createCallCounts } from "../../../services/apiServer/callCounts.ts";
import { createTestRedis } from "../../support/redis.ts";
import { eventually } from "../support/context.ts";

describe("the counts of calls", () => {
  let redis: Redis;
  let prefix = "";
  before(async () => {
    redis = new Redis(await createTestRedis());
  });
  // Its own for each test: counts that are still in memory reach Redis later.
  beforeEach(() => {
    prefix = `${randomUUID()}:`;
  });
  after(() => redis.disconnect());

  it("are those of all instances together", async () => {
    const [one, other] = [createCallCounts(redis, prefix), createCallCounts(redis, prefix)];
    for (let calls = 1; calls <= 5; calls++) expect((await one.add("a")).totalHits).to.equal(calls);
    await eventually("the count in Redis", async () => (await redis.get(`${prefix}a`)) === "5");
    expect((await other.add("a")).totalHits).to.equal(6);
    expect((await other.add("a")).totalHits).to.equal(7);
    await eventually("the count at the first instance", async () => {
      const before = Number(await redis.get(`${prefix}a`));
      return (await one.add("a")).totalHits > before;
    });
  });

  it("are kept apart by key, and end with their minute", async () => {
    const counts = createCallCounts(redis, prefix);
    await counts.add("a");
    const { totalHits, resetTime } = await counts.add("b");
    expect(totalHits).to.equal(1);
    expect(resetTime.getTime()).to.be.within(Date.now() + 1, Date.now() + 60_000);
    expect(await redis.pttl(`${prefix}b`)).to.be.within(1, 60_000);
  });

  it("ask Redis for the first call of a key, and none further", async () => {
    let asked = 0;
    const call = ((command: string, ...args: string[]) => {
      asked += 1;
      return redis.call(command, ...args);
    }) as Redis["call"];
    const counts = createCallCounts({ call }, prefix);
    expect(counts.addNow("a")).to.equal(undefined);
    await Promise.all([counts.add("a"), counts.add("a"), counts.add("a")]);
    const first = asked;
    for (let calls = 0; calls < 1_000; calls++) counts.addNow("a");
    expect(asked).to.equal(first);
    await eventually("the count in Redis", async () => (await redis.get(`${prefix}a`)) === "1003");
  });

  it("go on without Redis", async () => {
    const call = (async () => {
      throw new Error("Command timed out");
    }) as unknown as Redis["call"];
    const counts = createCallCounts({ call }, prefix);
    for (let calls = 1; calls <= 3; calls++) expect((await counts.add("a")).totalHits).to.equal(calls);
  });
});
