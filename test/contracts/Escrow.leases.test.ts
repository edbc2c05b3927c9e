import { domainOf, permitTypes } from "@ngpu/contracts-sdk/typedData";
import { expect } from "chai";
import { type Hex, parseEther, parseSignature } from "viem";
import { later, type MarketFixture } from "./support/market.ts";
import { expectRefused, expectRevert, zeroHash } from "./support/reverts.ts";
import { authorize, leaseClock, loadPartner, partner } from "./support/workspaces.ts";

const ref = { workspaceId: 9n, replica: 0, lease: 1 };

/** The escrow, called as its DockerContract by an account that may report anything about leases. */
async function loadStandIn() {
  const market = await loadPartner();
  const { escrow, docker, connection } = market;
  await connection.networkHelpers.impersonateAccount(docker.address);
  await connection.networkHelpers.setBalance(docker.address, parseEther("1"));
  const as = { account: docker.address };
  const open = (changes = {}, authorizationId = 1n, rate = 10n) =>
    escrow.write.open([authorizationId, { ...ref, ...changes }, 1, rate, zeroHash], as);
  const clock = (running: boolean, changes = {}) =>
    market.mined(escrow.write.setClock([{ ...ref, ...changes }, running], as));
  const close = (changes = {}) => market.mined(escrow.write.close([{ ...ref, ...changes }, false], as));
  return { ...market, open, clock, close };
}

describe("Escrow: leases", () => {
  it("open once, under an existing authorization", async () => {
    const { open } = await loadStandIn();
    await expectRevert(open({}, 9n), "AuthorizationUnknown", { authorizationId: 9n });
    await open();
    await expectRevert(open({ lease: 2 }), "LeaseIsOpen", { ...ref });
    await open({ replica: 1 });
  });

  it("have their clock set by their own number only, and only when it changes", async () => {
    const { open, clock, close, escrow } = await loadStandIn();
    await open();
    for (const receipt of [await clock(true, { lease: 2 }), await clock(false), await close({ lease: 2 })]) {
      expect(receipt.logs).to.deep.equal([]);
    }
    expect((await clock(true)).logs).to.have.length(1);
    expect((await clock(true)).logs).to.deep.equal([]);
    expect((await clock(false)).logs).to.have.length(2);
    expect((await close()).logs).to.have.length(1);
    for (const receipt of [await clock(true), await close()]) expect(receipt.logs).to.deep.equal([]);
    expect((await escrow.read.leaseOf([9n, 0]))[6]).to.equal(leaseClock.closed);
  });

  it("are ordered and reviewed by their own number only, and no more once they are closed", async () => {
    const { open, close, escrow, docker, mined } = await loadStandIn();
    const as = { account: docker.address };
    const given = (changes = {}) =>
      [0, 1, 2].map((to) => mined(escrow.write.order([{ ...ref, ...changes }, to, false, true], as)));
    const verdict = async (changes = {}) =>
      (await escrow.simulate.review([{ ...ref, ...changes }], as)).result;
    const [none, unfunded] = [0, 1];
    await open();
    expect([await verdict(), await verdict({ lease: 2 })]).to.deep.equal([none, unfunded]);
    for (const receipt of await Promise.all(given({ lease: 2 }))) expect(receipt.logs).to.deep.equal([]);
    await close();
    for (const receipt of await Promise.all(given())) expect(receipt.logs).to.deep.equal([]);
    expect(await verdict()).to.equal(unfunded);
  });

  it("stop at their debt: closing pays all of it and frees the rate", async () => {
    const { open, clock, close, escrow, time } = await loadStandIn();
    await open();
    await clock(true);
    const since = await time.latest();
    await time.setNextBlockTimestamp(since + 100);
    await close();
    expect(await escrow.read.earnedBy([1])).to.equal(1_000n);
    expect(await escrow.read.totalSpentBy([partner.address])).to.equal(1_000n);
    expect((await escrow.read.authorizationOf([1n]))[4]).to.equal(0n);
    expect(await escrow.read.withdrawableOf([partner.address])).to.equal(999_000n);
  });

  it("close when the settlement before their stop finds too little", async () => {
    const { open, clock, escrow, time } = await loadStandIn();
    await open({}, 1n, 1_000n);
    await clock(true);
    await time.increase(2_000);
    const receipt = await clock(false);
    expect(receipt.logs).to.have.length(2);
    expect((await escrow.read.leaseOf([9n, 0])).slice(5)).to.deep.equal([0, leaseClock.closed]);
    expect(await escrow.read.balanceOf([partner.address])).to.equal(0n);
  });

  it("are settled by number: none, closed and open", async () => {
    const { open, close, escrow, mined } = await loadStandIn();
    expectRefused(await mined(escrow.write.settle([[{ ...ref, lease: 0 }]])), "LeaseUnknown", { lease: 0 });
    await open();
    expectRefused(await mined(escrow.write.settle([[{ ...ref, lease: 2 }]])), "LeaseUnknown", { lease: 2 });
    await close();
    expectRefused(await mined(escrow.write.settle([[ref]])), "LeaseNotOpen", { lease: 1 });
  });
});

describe("Escrow: authorizations", () => {
  it("are revoked once, by their owner", async () => {
    const market = await loadPartner();
    const { escrow, people, connection } = market;
    await expectRevert(escrow.write.revoke([1n, false], { account: people.delegate }), "CallerNotOwner");
    const id = 2n;
    const own = people.owner;
    await connection.networkHelpers.impersonateAccount(partner.address);
    await connection.networkHelpers.setBalance(partner.address, 10n ** 18n);
    await authorize(market, { nonce: 2n });
    await escrow.write.revoke([id, false], { account: partner.address });
    const again = escrow.write.revoke([id, false], { account: partner.address });
    await expectRevert(again, "AuthorizationIsRevoked", { authorizationId: id });
    expect(await escrow.read.maySpend([id, partner.address])).to.equal(true);
    expect(await escrow.read.maySpend([id, people.delegate])).to.equal(false);
    expect(await escrow.read.maySpend([1n, people.delegate])).to.equal(true);
    expect(await escrow.read.maySpend([1n, own])).to.equal(false);
    await escrow.read.requireSpender([id, partner.address, partner.address, zeroHash]);
    await expectRevert(
      escrow.read.requireSpender([id, partner.address, people.delegate, zeroHash]),
      "AuthorizationIsRevoked",
    );
  });

  it("return which nonces were used", async () => {
    const { escrow } = await loadPartner();
    expect(await escrow.read.isNonceUsed([partner.address, 1n])).to.equal(true);
    for (const nonce of [0n, 2n, 257n]) {
      expect(await escrow.read.isNonceUsed([partner.address, nonce])).to.equal(false);
    }
  });
});

describe("Escrow: permits", () => {
  async function permit(market: MarketFixture) {
    const message = {
      owner: partner.address,
      spender: market.escrow.address,
      value: 7n,
      nonce: 0n,
      deadline: later,
    };
    const signature = await partner.signTypedData({
      domain: { ...domainOf(market.deployment, "Token"), name: "ngpu" },
      types: permitTypes,
      primaryType: "Permit",
      message,
    });
    const { r, s, v = 0n } = parseSignature(signature);
    return [partner.address, 7n, later, Number(v), r, s] as const;
  }

  it("that were used already still let their owner deposit", async () => {
    const market = await loadPartner();
    const { escrow, token, people, connection } = market;
    await token.write.transfer([partner.address, 10n], { account: people.treasury });
    await connection.networkHelpers.impersonateAccount(partner.address);
    await connection.networkHelpers.setBalance(partner.address, 10n ** 18n);
    const args = await permit(market);
    const [owner, value, deadline, v, r, s] = args;
    await token.write.permit([owner, escrow.address, value, deadline, v, r, s]);
    const pay = (account: Hex) => escrow.write.depositWithPermit([...args], { account });
    await expectRevert(pay(people.outsider), "ERC2612InvalidSigner");
    await pay(partner.address);
    expect(await token.read.balanceOf([partner.address])).to.equal(3n);
    expect(await token.read.allowance([partner.address, escrow.address])).to.equal(0n);
  });

  it("are submitted by their owner or anyone", async () => {
    const market = await loadPartner();
    await market.token.write.transfer([partner.address, 10n], { account: market.people.treasury });
    await market.connection.networkHelpers.impersonateAccount(partner.address);
    await market.connection.networkHelpers.setBalance(partner.address, 10n ** 18n);
    await market.escrow.write.depositWithPermit([...(await permit(market))], { account: partner.address });
    expect(await market.escrow.read.balanceOf([partner.address])).to.equal(1_000_007n);
  });
});
