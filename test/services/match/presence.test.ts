import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { expect } from "chai";
import { Redis } from "ioredis";
import { createPresence, type Presence } from "../../../services/match/presence/presence.ts";
import { createReadings } from "../../../services/match/presence/presenceReadings.ts";
import { createTestRedis } from "../../support/redis.ts";

// The fields of a deployment that name its bits in Redis.
const deployment = {
  chainId: 31_337,
  contracts: { ComputeNode: `0x${"c0".repeat(20)}` },
  parameters: { slotSeconds: 4 },
} as unknown as Deployment;
const slot = 7n;

describe("match: presence in a slot", () => {
  let redis: Redis;
  let one: Presence;
  let other: Presence;

  before(async () => {
    redis = new Redis(await createTestRedis());
  });

  beforeEach(async () => {
    await redis.flushdb();
    one = createPresence({ redis, deployment });
    other = createPresence({ redis, deployment });
    await Promise.all([one.mark(slot, 1), one.mark(slot, 900), other.mark(slot, 12)]);
  });

  after(() => redis.disconnect());

  it("is the union over all instances", async () => {
    expect([...(await one.read(slot))].sort()).to.deep.equal([1, 12, 900]);
    expect([...(await one.read(slot + 1n))]).to.deep.equal([]);
  });

  it("is restored from the memory of all instances after Redis lost it", async () => {
    await redis.flushdb();
    await one.repeat(slot);
    expect([...(await other.read(slot))].sort()).to.deep.equal([1, 900]);
    await other.repeat(slot);
    expect([...(await one.read(slot))].sort()).to.deep.equal([1, 12, 900]);
  });

  it("is undefined until the bits had time to be restored", async () => {
    const readings = createReadings(one, 1_000);
    await redis.flushdb();
    expect(await readings.take(slot, 5_000)).to.equal(undefined);
    await one.repeat(slot);
    expect(await readings.take(slot, 5_999)).to.equal(undefined);
    await other.repeat(slot);
    expect([...((await readings.take(slot, 6_000)) ?? [])].sort()).to.deep.equal([1, 12, 900]);
  });

  it("keeps earlier readings when Redis loses the bits afterwards", async () => {
    const readings = createReadings(one, 1_000);
    await readings.take(slot, 5_000);
    await redis.flushdb();
    expect([...((await readings.take(slot, 6_000)) ?? [])].sort()).to.deep.equal([1, 12, 900]);
  });

  it("starts again for a slot whose readings were dropped", async () => {
    const readings = createReadings(one, 1_000);
    await readings.take(slot, 5_000);
    readings.retain(new Set([slot]));
    expect(await readings.take(slot, 6_000)).to.not.equal(undefined);
    readings.retain(new Set());
    expect(await readings.take(slot, 7_000)).to.equal(undefined);
  });
});
