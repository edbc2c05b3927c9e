import { pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { expect } from "chai";
import fc from "fast-check";
import { type Hex, hexToBytes, keccak256, parseEther, parseEventLogs, toHex } from "viem";
import { runs } from "../support/runs.ts";
import { keyOf, loadMarket, type MarketFixture } from "./support/market.ts";
import { expectRevert } from "./support/reverts.ts";

const dataHash = keccak256("0xda");
/** More than what the first claim from an epoch mints for those that follow. */
const granted = parseEther("500");
const account = keyOf("rewarded").address;
const tree = claimTreeOf([{ account, cumulative: granted }]);

async function post(market: MarketFixture, number: bigint, root = tree.root, total = granted): Promise<void> {
  const { genesis, epochSeconds } = market.deployment.parameters;
  const end = genesis + Number(number) * epochSeconds;
  if ((await market.time.latest()) < end) await market.time.increaseTo(end);
  await market.pomc.write.postEpoch([number, root, total, dataHash], { account: market.people.poster });
}

describe("Pomc: the ring of epochs", () => {
  // The last and the first of a lap, and those of the second lap.
  for (const number of [127n, 128n, 255n, 256n]) {
    it(`finds epoch ${number} to read, attest and claim, up to the total that was posted with it`, async () => {
      const market = await loadMarket();
      const { pomc, token, people } = market;
      await post(market, number);
      expect((await pomc.read.epochOf([number])).slice(0, 2)).to.deep.equal([tree.root, granted]);
      for (const other of [number - 1n, number + 1n, number - 128n + 256n]) {
        expect((await pomc.read.epochOf([other]))[2]).to.equal(0);
      }
      await pomc.write.attestEpoch([number, tree.root], { account: people.watcher });
      await market.time.increaseTo((await pomc.read.epochOf([number]))[2]);
      await expectRevert(pomc.write.claim([number + 128n, account, granted, "0x"]), "EpochUnknown");
      await pomc.write.claim([number, account, granted, "0x"]);
      expect(await token.read.balanceOf([account])).to.equal(granted);
    });
  }

  it("disables with the last epoch of a lap the first ones of the next, and none that another replaced", async () => {
    const market = await loadMarket();
    const { pomc, people, mined } = market;
    await post(market, 1n);
    await market.time.increaseTo(
      market.deployment.parameters.genesis + 129 * market.deployment.parameters.epochSeconds,
    );
    for (const number of [127n, 128n, 129n]) await post(market, number);
    const receipt = await mined(pomc.write.disableEpoch([127n], { account: people.guardian }));
    const logs = parseEventLogs({ abi: pomcAbi, logs: receipt.logs, eventName: "EpochDisabled" });
    expect(logs.map(({ args }) => args.number)).to.deep.equal([127n, 128n, 129n]);
    for (const number of [127n, 128n, 129n])
      expect((await pomc.read.epochOf([number]))[3], String(number)).to.equal(true);
    await expectRevert(pomc.write.disableEpoch([1n], { account: people.guardian }), "EpochUnknown");
  });
});

/** A number of leaves, some of them, and one change of what proves them. */
const many = fc.integer({ min: 1, max: 40 }).chain((size) =>
  fc.record({
    size: fc.constant(size),
    places: fc.uniqueArray(fc.nat(size - 1), { minLength: 1 }),
    byte: fc.nat(),
    bit: fc.nat(7),
  }),
);

function flipped(data: Hex, byte: number, bit: number): Hex {
  const bytes = hexToBytes(data);
  const place = byte % bytes.length;
  bytes[place] = (bytes[place] as number) ^ (1 << bit);
  return toHex(bytes);
}

describe("Pomc: claims of many", () => {
  const count = runs(15);

  it(`are paid for any leaves of any tree, and for no proof of which a bit differs (${count} trees)`, async () => {
    const market = await loadMarket();
    const { pomc, token } = market;
    const { networkHelpers } = market.connection;
    const check = async ({
      size,
      places,
      byte,
      bit,
    }: {
      size: number;
      places: number[];
      byte: number;
      bit: number;
    }) => {
      const leaves = Array.from({ length: size }, (_, place) => ({
        account: keyOf(`one of many ${place}`).address,
        cumulative: BigInt(place + 1),
      }));
      const grown = claimTreeOf(leaves);
      const snapshot = await networkHelpers.takeSnapshot();
      await post(market, 1n, grown.root, BigInt((size * (size + 1)) / 2));
      await market.time.increase(market.deployment.parameters.activationDelay);
      const { grants, proof, flags } = grown.manyOf(places);
      const call = (given: Hex[], nodes: Hex, bits: Hex) => pomc.write.claimMany([1n, given, nodes, bits]);
      const invalid = "ClaimManyProofInvalid";
      const other = grants.map((grant, at) =>
        at === byte % grants.length ? flipped(grant, byte, bit) : grant,
      );
      await expectRevert(call(other, proof, flags), invalid);
      await expectRevert(call(grants, `${proof}00`, flags), invalid);
      await expectRevert(call(grants, proof, `${flags}00`), invalid);
      await expectRevert(call([...grants, grants[0] as Hex], proof, flags), invalid);
      if (proof !== "0x") await expectRevert(call(grants, flipped(proof, byte, bit), flags), invalid);
      await call(grants, proof, flags);
      for (const [place, { account: to }] of leaves.entries()) {
        const paid = places.includes(place) ? BigInt(place + 1) : 0n;
        expect(await token.read.balanceOf([to])).to.equal(paid);
      }
      await snapshot.restore();
    };
    await fc.assert(fc.asyncProperty(many, check), { numRuns: count });
  });
});
