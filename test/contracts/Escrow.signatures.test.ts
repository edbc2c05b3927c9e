import { authorizationTypes, domainOf } from "@ngpu/contracts-sdk/typedData";
import { expect } from "chai";
import { type Address, type Hex, parseEther, parseSignature, toHex } from "viem";
import { keyOf, loadMarket, type MarketFixture } from "./support/market.ts";
import { expectRevert } from "./support/reverts.ts";
import { twinOf, twinOfSignature } from "./support/twins.ts";
import { makeWallet, walletCode } from "./support/wallets.ts";
import { authorizationOf, deposit, partner, signAuthorization } from "./support/workspaces.ts";

type Message = ReturnType<typeof authorizationOf>;

/** The 64 bytes of ERC-2098. */
function compactOf(signature: Hex): Hex {
  const { r, s, yParity } = parseSignature(signature);
  return `${r}${toHex(BigInt(s) | (BigInt(yParity) << 255n), { size: 32 }).slice(2)}`;
}

const authorize = (
  market: MarketFixture,
  message: Message,
  signature: Hex,
  account?: Address,
  gas?: bigint,
) =>
  market.escrow.write.authorize([message, signature], {
    ...(account === undefined ? {} : { account }),
    ...(gas === undefined ? {} : { gas }),
  });

describe("Escrow: signatures", () => {
  it("of authorizations are valid in one form, for their signer, chain and contract, until they expire", async () => {
    const market = await loadMarket();
    const message = authorizationOf(market);
    const good = await signAuthorization(market, message);
    const invalid = (signature: Hex, of = message) =>
      expectRevert(authorize(market, of, signature), "SignatureInvalid", { signer: partner.address });
    await invalid(twinOfSignature(good));
    await invalid(compactOf(good));
    await invalid(`${good}00`);
    await invalid("0x");
    await invalid(await signAuthorization(market, message, keyOf("stranger")));
    for (const domain of [
      { ...domainOf(market.deployment, "Escrow"), chainId: 1 },
      { ...domainOf(market.deployment, "Escrow"), verifyingContract: market.docker.address },
      { ...domainOf(market.deployment, "Escrow"), version: "2" },
      domainOf(market.deployment, "DockerContract"),
    ]) {
      await invalid(
        await partner.signTypedData({
          domain,
          types: authorizationTypes,
          primaryType: "Authorization",
          message,
        }),
      );
    }
    for (const changes of [
      { delegate: market.people.outsider },
      { maxRate: message.maxRate + 1n },
      { total: message.total + 1n },
      { scope: toHex(1n, { size: 32 }) },
      { expiry: message.expiry - 1 },
      { nonce: 2n },
    ]) {
      await invalid(good, { ...message, ...changes });
    }
    const expiry = await market.time.latest();
    const late = { ...message, expiry };
    await expectRevert(authorize(market, late, await signAuthorization(market, late)), "SignatureExpired", {
      deadline: BigInt(expiry),
    });
    await authorize(market, message, good);
  });

  it("of authorizations are accepted once each, in any order, from any relayer", async () => {
    const market = await loadMarket();
    const { people, escrow } = market;
    const messages = [1n, 300n, 2n ** 200n].map((nonce) => ({ ...authorizationOf(market), nonce }));
    const signed = await Promise.all(
      messages.map(async (message) => ({ message, signature: await signAuthorization(market, message) })),
    );
    const relayers = [people.outsider, people.keeper, people.delegate];
    for (const [index, { message, signature }] of [...signed].reverse().entries()) {
      await authorize(market, message, signature, relayers[index]);
      for (const relayer of relayers) {
        await expectRevert(authorize(market, message, signature, relayer), "NonceUsed", {
          signer: partner.address,
          nonce: message.nonce,
        });
      }
    }
    expect((await escrow.read.authorizationOf([3n]))[0]).to.equal(partner.address);
    expect((await escrow.read.authorizationOf([4n]))[0]).to.not.equal(partner.address);
  });

  it("of contract wallets are checked with the wallet, so that it can own deposits and authorize", async () => {
    const market = await loadMarket();
    const { escrow, token, connection } = market;
    const wallet = await makeWallet(market, walletCode.of(partner.address));
    await deposit(market, wallet, 100n);
    const message = { ...authorizationOf(market), owner: wallet };
    const signature = await signAuthorization(market, message);
    await expectRevert(
      authorize(market, message, await signAuthorization(market, message, keyOf("stranger"))),
      "SignatureInvalid",
      { signer: wallet },
    );
    await authorize(market, message, signature);
    expect((await escrow.read.authorizationOf([1n]))[0]).to.equal(wallet);
    await expectRevert(authorize(market, message, signature), "NonceUsed", { signer: wallet });
    await connection.networkHelpers.impersonateAccount(wallet);
    await connection.networkHelpers.setBalance(wallet, parseEther("1"));
    await escrow.write.withdraw([100n, wallet], { account: wallet });
    expect(await token.read.balanceOf([wallet])).to.equal(100n);
  });

  it("of contract wallets that burn gas or return too much or too little cost a limited amount and are invalid", async () => {
    const market = await loadMarket();
    const signature = await signAuthorization(market, authorizationOf(market));
    for (const name of ["greedy", "reverting", "bomb", "short", "silent"] as const) {
      const wallet = await makeWallet(market, walletCode[name]);
      const message = { ...authorizationOf(market), owner: wallet };
      // Enough for the wallet's limit and the rest of the call, so a wallet that used more would leave the call without gas.
      await expectRevert(authorize(market, message, signature, undefined, 250_000n), "SignatureInvalid", {
        signer: wallet,
      });
    }
    const wallet = await makeWallet(market, walletCode.of(partner.address));
    const message = { ...authorizationOf(market), owner: wallet };
    await expectRevert(
      authorize(market, message, await signAuthorization(market, message), undefined, 90_000n),
      "SignatureGasTooLow",
    );
  });

  it("of permits deposit once, for their own token, chain, escrow, amount and time", async () => {
    const market = await loadMarket();
    const { token, escrow, people, deployment, time } = market;
    await token.write.transfer([partner.address, 1_000n], { account: people.treasury });
    const domain = {
      name: "ngpu",
      version: "1",
      chainId: deployment.chainId,
      verifyingContract: token.address,
    };
    const types = {
      Permit: ["owner", "spender", "value", "nonce", "deadline"].map((name, index) => {
        return { name, type: index < 2 ? "address" : "uint256" };
      }),
    };
    const sign = async (changes: { domain?: object; message?: object } = {}) => {
      const message = { owner: partner.address, spender: escrow.address, value: 300n, nonce: 0n };
      const signature = await partner.signTypedData({
        domain: { ...domain, ...changes.domain },
        types,
        primaryType: "Permit",
        message: { ...message, deadline: 2n ** 200n, ...changes.message },
      });
      const { r, s, yParity } = parseSignature(signature);
      return { v: 27 + yParity, r, s };
    };
    const pay = ({ v, r, s }: Awaited<ReturnType<typeof sign>>, amount = 300n, deadline = 2n ** 200n) =>
      escrow.write.depositWithPermit([partner.address, amount, deadline, v, r, s], {
        account: people.outsider,
      });
    const good = await sign();
    const refuse = (call: Promise<unknown>) => expectRevert(call, "ERC2612InvalidSigner");
    await refuse(pay(await sign({ domain: { chainId: 1 } })));
    await refuse(pay(await sign({ domain: { verifyingContract: escrow.address } })));
    await refuse(pay(await sign({ message: { spender: people.outsider } })));
    await refuse(pay(await sign({ message: { nonce: 1n } })));
    await refuse(pay(good, 301n));
    const now = BigInt(await time.latest());
    await expectRevert(pay(await sign({ message: { deadline: now } }), 300n, now), "ERC2612ExpiredSignature");
    await expectRevert(pay(twinOf(good)), "ECDSAInvalidSignatureS");
    await pay(good);
    await refuse(pay(good));
    expect(await escrow.read.balanceOf([partner.address])).to.equal(300n);
  });
});
