import { escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { permitTypes } from "@ngpu/contracts-sdk/typedData";
import { expect } from "chai";
import { type Hex, keccak256, parseEther, parseEventLogs, parseSignature } from "viem";
import { loadMarket, type MarketFixture } from "./support/market.ts";
import { expectRefused, expectRevert, zeroHash } from "./support/reverts.ts";
import {
  assign,
  authorizationOf,
  authorize,
  deposit,
  loadPartner,
  partner,
  place,
  publish,
  report,
  signAuthorization,
  state,
} from "./support/workspaces.ts";

const rate = 1_000n;

async function permit(market: MarketFixture, value: bigint, deadline: bigint) {
  const { token, escrow, deployment } = market;
  const signature = await partner.signTypedData({
    domain: { name: "ngpu", version: "1", chainId: deployment.chainId, verifyingContract: token.address },
    types: permitTypes,
    primaryType: "Permit",
    message: { owner: partner.address, spender: escrow.address, value, nonce: 0n, deadline },
  });
  const { r, s, yParity } = parseSignature(signature);
  return { v: 27 + yParity, r, s };
}

describe("Escrow: deposits and authorizations", () => {
  it("credits deposits, and pays withdrawals to the owner's destination", async () => {
    const market = await loadMarket();
    const { escrow, token, people } = market;
    await deposit(market, people.owner, 100n);
    await expectRevert(
      escrow.write.withdraw([101n, people.owner], { account: people.owner }),
      "EscrowBalanceTooLow",
      {
        account: people.owner,
        wanted: 101n,
        available: 100n,
      },
    );
    await escrow.write.withdraw([40n, people.outsider], { account: people.owner });
    expect(await escrow.read.balanceOf([people.owner])).to.equal(60n);
    expect(await token.read.balanceOf([people.outsider])).to.equal(40n);
    await expectRevert(
      escrow.write.withdraw([0n, people.owner], { account: people.owner }),
      "EscrowAmountZero",
    );
    await expectRevert(escrow.write.deposit([people.owner, 0n]), "EscrowAmountZero");
  });

  it("accepts a deposit by permit that anyone relays, but leaves the allowance of a used permit to its owner", async () => {
    const market = await loadMarket();
    const { escrow, token, people } = market;
    await token.write.transfer([partner.address, 500n], { account: people.treasury });
    const { v, r, s } = await permit(market, 300n, 2n ** 200n);
    await token.write.permit([partner.address, escrow.address, 300n, 2n ** 200n, v, r, s]);
    const call = () =>
      escrow.write.depositWithPermit([partner.address, 300n, 2n ** 200n, v, r, s], {
        account: people.outsider,
      });
    await expectRevert(call(), "ERC2612InvalidSigner");
    expect(await escrow.read.balanceOf([partner.address])).to.equal(0n);
  });

  it("credits the permit's signer", async () => {
    const market = await loadMarket();
    const { escrow, token, people } = market;
    await token.write.transfer([partner.address, 500n], { account: people.treasury });
    const { v, r, s } = await permit(market, 300n, 2n ** 200n);
    await escrow.write.depositWithPermit([partner.address, 300n, 2n ** 200n, v, r, s], {
      account: people.outsider,
    });
    expect(await escrow.read.balanceOf([partner.address])).to.equal(300n);
    expect(await token.read.balanceOf([partner.address])).to.equal(200n);
  });

  it("records a signed authorization once, from its owner, before it expires", async () => {
    const market = await loadMarket();
    const { escrow, people, time } = market;
    const message = authorizationOf(market);
    const signature = await signAuthorization(market, message);
    await escrow.write.authorize([message, signature], { account: people.outsider });
    expect((await escrow.read.authorizationOf([1n])).slice(0, 5)).to.deep.equal([
      partner.address,
      people.delegate,
      1_000_000n,
      parseEther("1"),
      0n,
    ]);
    await expectRevert(escrow.write.authorize([message, signature]), "NonceUsed", { nonce: 1n });
    const forged = { ...message, nonce: 2n, total: 2n };
    await expectRevert(escrow.write.authorize([forged, signature]), "SignatureInvalid", {
      signer: partner.address,
    });
    const last = { ...message, nonce: 4n, expiry: (await time.latest()) + 100 };
    await time.setNextBlockTimestamp(last.expiry);
    await escrow.write.authorize([last, await signAuthorization(market, last)]);
    const late = { ...message, nonce: 3n, expiry: await time.latest() };
    const lateSignature = await signAuthorization(market, late);
    await expectRevert(escrow.write.authorize([late, lateSignature]), "SignatureExpired");
  });

  it("opens leases for DockerContract only", async () => {
    const { escrow, people } = await loadPartner();
    const ref = { workspaceId: 1n, replica: 0, lease: 1 };
    const account = { account: people.keeper };
    const refused = { caller: people.keeper };
    const name = "CallerNotDockerContract";
    await expectRevert(escrow.write.open([1n, ref, 1, rate, zeroHash], account), name, refused);
    await expectRevert(escrow.write.setClock([ref, true], account), name, refused);
    await expectRevert(escrow.write.close([ref, false], account), name, refused);
  });

  it("refuses to open without funds, total, scope or time", async () => {
    const market = await loadPartner();
    const { people, time } = market;
    const expiry = (await time.latest()) + 1_000;
    await authorize(market, { nonce: 2n, total: 999n });
    await authorize(market, { nonce: 3n, expiry });
    const refuse = async (authorizationId: bigint, name: string, args: object, before?: () => unknown) => {
      const { workspaceId, spec } = await publish(market, {}, { authorizationId });
      await before?.();
      const item = { workspaceId, replica: 0, nodeId: 1, start: false, spec };
      expectRefused(await assign(market, [item], people.keeper), name, { ...args });
    };
    await refuse(2n, "AuthorizationSpent", { wanted: rate, remaining: 999n });
    await refuse(3n, "AuthorizationExpired", { expiry }, () => time.increase(1_001));
    await market.connection.networkHelpers.impersonateAccount(partner.address);
    await market.connection.networkHelpers.setBalance(partner.address, parseEther("1"));
    const own = { account: partner.address };
    await market.escrow.write.withdraw([999_001n, people.outsider], own);
    await refuse(1n, "EscrowBalanceTooLow", { wanted: rate, available: 999n });
    await refuse(1n, "AuthorizationIsRevoked", { authorizationId: 1n }, () =>
      market.escrow.write.revoke([1n, false], own),
    );
  });

  it("refuses an image outside the scope", async () => {
    const market = await loadPartner();
    const scope: Hex = keccak256("0x77");
    const authorizationId = await authorize(market, { scope, nonce: 2n });
    const { escrow, people } = market;
    const check = (image: Hex) =>
      escrow.read.requireSpender([authorizationId, partner.address, people.delegate, image]);
    await check(scope);
    await check(zeroHash);
    await expectRevert(check(keccak256("0x78")), "AuthorizationScopeMismatch", { scope });
  });
});

describe("Escrow: leases", () => {
  const settledIn = (receipt: Awaited<ReturnType<typeof report>>) =>
    parseEventLogs({ abi: escrowAbi, logs: receipt.logs, eventName: "Settled" })[0]?.args;

  it("owes nothing until the clock runs, then rate × time", async () => {
    const market = await loadPartner();
    const { escrow, time } = market;
    const placed = await place(market);
    await time.increase(100);
    expect(await escrow.read.withdrawableOf([partner.address])).to.equal(1_000_000n - rate);
    await report(market, placed, state.running, 1);
    const since = await time.latest();
    await time.increase(99);
    const stopped = await report(market, placed, state.stopped, 2);
    const seconds = BigInt((await time.latest()) - since);
    expect(settledIn(stopped)?.amount).to.equal(rate * seconds);
    expect(await escrow.read.earnedBy([1])).to.equal(rate * seconds);
    await time.increase(50);
    await escrow.write.settle([[placed.ref]]);
    expect(await escrow.read.earnedBy([1])).to.equal(rate * seconds);
    expect(await escrow.read.totalSpentBy([partner.address])).to.equal(rate * seconds);
  });

  it("excludes the debt of running leases from withdrawals, settled or not", async () => {
    const market = await loadPartner();
    const { escrow, time, connection, people } = market;
    const first = await place(market);
    const second = await place(market);
    await report(market, first, state.running, 1);
    const start1 = await time.latest();
    await time.increase(30);
    await report(market, second, state.running, 1);
    const start2 = await time.latest();
    await time.increase(70);
    await connection.networkHelpers.impersonateAccount(partner.address);
    await connection.networkHelpers.setBalance(partner.address, parseEther("1"));
    const now = await time.latest();
    // Two locks, of a second each.
    const locked = 2n * rate;
    const owed = locked + rate * BigInt(now - start1 + (now - start2));
    expect(await escrow.read.withdrawableOf([partner.address])).to.equal(1_000_000n - owed);
    await escrow.write.settle([[first.ref]]);
    const later = await time.latest();
    const stillOwed = locked + rate * BigInt(later - start1 + (later - start2));
    expect(await escrow.read.withdrawableOf([partner.address])).to.equal(1_000_000n - stillOwed);
    const all = escrow.write.withdraw([1_000_000n - stillOwed, people.outsider], {
      account: partner.address,
    });
    await expectRevert(all, "EscrowBalanceTooLow", { wanted: 1_000_000n - stillOwed });
  });

  it("pays the available amount and closes a lease that the account cannot cover", async () => {
    const market = await loadPartner();
    const { escrow, time, mined } = market;
    const placed = await place(market);
    await report(market, placed, state.running, 1);
    await time.increase(1_200);
    const receipt = await mined(escrow.write.settle([[placed.ref]]));
    expect(settledIn(receipt)?.amount).to.equal(1_000_000n);
    const [closed] = parseEventLogs({ abi: escrowAbi, logs: receipt.logs, eventName: "LeaseClosed" });
    expect(closed?.args.reason).to.equal(1);
    expect(await escrow.read.balanceOf([partner.address])).to.equal(0n);
    expectRefused(await mined(escrow.write.settle([[placed.ref]])), "LeaseNotOpen", { lease: 1 });
    const unknown = { ...placed.ref, lease: 2 };
    expectRefused(await mined(escrow.write.settle([[unknown]])), "LeaseUnknown", { lease: 2 });
    await deposit(market, partner.address, 50n);
    expect(await escrow.read.withdrawableOf([partner.address])).to.equal(50n);
  });

  it("leaves a lease open that has not run when only its lock is left", async () => {
    const market = await loadPartner();
    const { escrow, connection, mined, people } = market;
    const placed = await place(market);
    await connection.networkHelpers.impersonateAccount(partner.address);
    await connection.networkHelpers.setBalance(partner.address, parseEther("1"));
    await escrow.write.withdraw([1_000_000n - rate, people.outsider], { account: partner.address });
    expect(await escrow.read.withdrawableOf([partner.address])).to.equal(0n);
    await mined(escrow.write.settle([[placed.ref]]));
    expect(await escrow.read.isOpen([placed.ref])).to.equal(true);
  });

  it("spends no more than the total signed for, and nothing past the expiry", async () => {
    const market = await loadPartner();
    const { escrow, time, mined } = market;
    const expiry = (await time.latest()) + 500;
    const spent = await authorize(market, { nonce: 2n, total: 10_500n });
    const expiring = await authorize(market, { nonce: 3n, expiry });
    const run = async (authorizationId: bigint) => {
      const { workspaceId, spec } = await publish(market, {}, { authorizationId });
      await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
      const { fence } = await market.docker.read.assignmentOf([workspaceId, 0]);
      const ref = { workspaceId, replica: 0, lease: 1 };
      await report(market, { ref, fence }, state.running, 1);
      return { ref, since: await time.latest() };
    };
    const total = await run(spent);
    const dated = await run(expiring);
    await time.increase(600);
    const receipt = await mined(escrow.write.settle([[total.ref, dated.ref]]));
    const settled = parseEventLogs({ abi: escrowAbi, logs: receipt.logs, eventName: "Settled" });
    expect(settled.map(({ args }) => args.amount)).to.deep.equal([
      10_500n,
      rate * BigInt(expiry - dated.since),
    ]);
    const closed = parseEventLogs({ abi: escrowAbi, logs: receipt.logs, eventName: "LeaseClosed" });
    expect(closed.map(({ args }) => args.reason)).to.deep.equal([2, 2]);
    const [, , , remaining, rateInUse] = await escrow.read.authorizationOf([spent]);
    expect([remaining, rateInUse]).to.deep.equal([0n, 0n]);
    const left = (await escrow.read.authorizationOf([expiring]))[3];
    expect(left).to.equal(parseEther("1") - rate * BigInt(expiry - dated.since));
  });

  it("lets leases continue when the authorization is revoked, and opens no more", async () => {
    const market = await loadPartner();
    const { escrow, time, connection } = market;
    const placed = await place(market);
    await report(market, placed, state.running, 1);
    await connection.networkHelpers.impersonateAccount(partner.address);
    await connection.networkHelpers.setBalance(partner.address, parseEther("1"));
    await escrow.write.revoke([1n, false], { account: partner.address });
    await time.increase(10);
    await escrow.write.settle([[placed.ref]]);
    expect(await escrow.read.isOpen([placed.ref])).to.equal(true);
    const item = { workspaceId: placed.workspaceId, replica: 1, nodeId: 1, start: true, spec: placed.spec };
    expectRefused(await assign(market, [item]), "AuthorizationIsRevoked", { authorizationId: 1n });
  });
});
