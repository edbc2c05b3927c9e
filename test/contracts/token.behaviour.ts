import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { permitTypes } from "@ngpu/contracts-sdk/typedData";
import { expect } from "chai";
import { domainSeparator, type Hex, maxUint256, parseEventLogs, parseSignature } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { keyOf, type MarketFixture } from "./support/market.ts";
import { expectRevert, zeroAddress } from "./support/reverts.ts";
import { twinOf } from "./support/twins.ts";

/** A holder with an account on the chain and tokens, two others, and how to sign. */
type Setting = MarketFixture & { holder: Hex; spender: Hex; other: Hex; held: bigint };
type Load = () => Promise<Setting>;

/** The requirements of ERC-20: transfers, allowances and their events. */
export function behavesLikeErc20(load: Load): void {
  const transfersIn = (receipt: Awaited<ReturnType<Setting["mined"]>>) =>
    parseEventLogs({ abi: tokenAbi, eventName: "Transfer", logs: receipt.logs }).map(({ args }) => args);

  it("returns its name, symbol, 18 decimals and supply", async () => {
    const { token, held } = await load();
    expect(await token.read.name()).to.equal("ngpu");
    expect(await token.read.symbol()).to.equal("NGPU");
    expect(await token.read.decimals()).to.equal(18);
    expect((await token.read.totalSupply()) >= held).to.equal(true);
  });

  it("transfers the sender's tokens, to others and to itself, zero too, and logs it", async () => {
    const { token, holder, other, held, mined } = await load();
    const send = (to: Hex, value: bigint) => mined(token.write.transfer([to, value], { account: holder }));
    const supply = await token.read.totalSupply();
    expect(transfersIn(await send(other, 5n))).to.deep.equal([{ from: holder, to: other, value: 5n }]);
    expect(transfersIn(await send(other, 0n))).to.deep.equal([{ from: holder, to: other, value: 0n }]);
    expect(transfersIn(await send(holder, 7n))).to.deep.equal([{ from: holder, to: holder, value: 7n }]);
    expect(await token.read.balanceOf([other])).to.equal(5n);
    expect(await token.read.balanceOf([holder])).to.equal(held - 5n);
    await send(other, held - 5n);
    expect(await token.read.balanceOf([other])).to.equal(held);
    expect(await token.read.totalSupply()).to.equal(supply);
  });

  it("transfers no more than the balance, and nothing to the zero address", async () => {
    const { token, holder, other, held } = await load();
    const own = { account: holder };
    await expectRevert(token.write.transfer([other, held + 1n], own), "ERC20InsufficientBalance", {
      sender: holder,
      balance: held,
      needed: held + 1n,
    });
    await expectRevert(token.write.transfer([zeroAddress, 1n], own), "ERC20InvalidReceiver", {
      receiver: zeroAddress,
    });
  });

  it("lets a spender transfer its allowance, and decreases it", async () => {
    const { token, holder, spender, other, mined } = await load();
    const approved = await mined(token.write.approve([spender, 10n], { account: holder }));
    const [event] = parseEventLogs({ abi: tokenAbi, eventName: "Approval", logs: approved.logs });
    expect(event?.args).to.deep.equal({ owner: holder, spender, value: 10n });
    const by = { account: spender };
    const moved = await mined(token.write.transferFrom([holder, other, 4n], by));
    expect(transfersIn(moved)).to.deep.equal([{ from: holder, to: other, value: 4n }]);
    expect(await token.read.allowance([holder, spender])).to.equal(6n);
    await expectRevert(token.write.transferFrom([holder, other, 7n], by), "ERC20InsufficientAllowance", {
      spender,
      allowance: 6n,
      needed: 7n,
    });
    await token.write.approve([spender, 1n], { account: holder });
    expect(await token.read.allowance([holder, spender])).to.equal(1n);
    await token.write.transferFrom([holder, other, 0n], { account: other });
  });

  it("never decreases an infinite allowance, and a spender still transfers no more than the balance", async () => {
    const { token, holder, spender, other, held } = await load();
    await token.write.approve([spender, maxUint256], { account: holder });
    await token.write.transferFrom([holder, other, 9n], { account: spender });
    expect(await token.read.allowance([holder, spender])).to.equal(maxUint256);
    await expectRevert(
      token.write.transferFrom([holder, other, held], { account: spender }),
      "ERC20InsufficientBalance",
      { sender: holder, needed: held },
    );
  });

  it("refuses approvals of and transfers to the zero address", async () => {
    const { token, holder, spender } = await load();
    const own = { account: holder };
    await expectRevert(token.write.approve([zeroAddress, 1n], own), "ERC20InvalidSpender", {
      spender: zeroAddress,
    });
    await token.write.approve([spender, 5n], own);
    await expectRevert(
      token.write.transferFrom([holder, zeroAddress, 1n], { account: spender }),
      "ERC20InvalidReceiver",
      { receiver: zeroAddress },
    );
  });
}

/** The requirements of ERC-2612: allowances by signature, each once, for this token on this chain. */
export function behavesLikeErc2612(load: Load): void {
  const owner = keyOf("token owner");
  const value = 42n;

  const domainOf = ({ token, deployment }: Setting) => ({
    name: "ngpu",
    version: "1",
    chainId: deployment.chainId,
    verifyingContract: token.address,
  });

  async function sign(
    setting: Setting,
    changes: { deadline?: bigint; nonce?: bigint; domain?: object; spender?: Hex } = {},
    signer: PrivateKeyAccount = owner,
  ) {
    const { deadline = maxUint256, nonce = 0n, spender = setting.spender } = changes;
    const signature = await signer.signTypedData({
      domain: { ...domainOf(setting), ...changes.domain },
      types: permitTypes,
      primaryType: "Permit",
      message: { owner: owner.address, spender, value, nonce, deadline },
    });
    const { r, s, yParity } = parseSignature(signature);
    return { v: 27 + yParity, r, s, deadline };
  }

  type Signed = Awaited<ReturnType<typeof sign>>;
  const permit = ({ token, spender, other }: Setting, { deadline, v, r, s }: Signed, amount = value) =>
    token.write.permit([owner.address, spender, amount, deadline, v, r, s], { account: other });
  const refused = (setting: Setting, signed: Signed, amount = value) =>
    expectRevert(permit(setting, signed, amount), "ERC2612InvalidSigner", { owner: owner.address });

  it("separates its domain as EIP-712 specifies", async () => {
    const setting = await load();
    const { token } = setting;
    const [, name, version, chainId, verifyingContract] = await token.read.eip712Domain();
    expect({ name, version, chainId: Number(chainId), verifyingContract }).to.deep.equal(domainOf(setting));
    expect(await token.read.DOMAIN_SEPARATOR()).to.equal(domainSeparator({ domain: domainOf(setting) }));
  });

  it("approves by a signature that anyone submits, once, and increases nonces", async () => {
    const setting = await load();
    const { token, spender, mined } = setting;
    const signed = await sign(setting);
    const receipt = await mined(permit(setting, signed));
    const [event] = parseEventLogs({ abi: tokenAbi, eventName: "Approval", logs: receipt.logs });
    expect(event?.args).to.deep.equal({ owner: owner.address, spender, value });
    expect(await token.read.allowance([owner.address, spender])).to.equal(value);
    expect(await token.read.nonces([owner.address])).to.equal(1n);
    await refused(setting, signed);
    await permit(setting, await sign(setting, { nonce: 1n }));
    expect(await token.read.nonces([owner.address])).to.equal(2n);
  });

  it("refuses another signer, value, spender, nonce, chain, contract, name and version", async () => {
    const setting = await load();
    await refused(setting, await sign(setting, {}, keyOf("stranger")));
    await refused(setting, await sign(setting), value + 1n);
    await refused(setting, await sign(setting, { spender: setting.other }));
    await refused(setting, await sign(setting, { nonce: 1n }));
    for (const domain of [
      { chainId: 1 },
      { verifyingContract: setting.escrow.address },
      { name: "ngpu token" },
      { version: "2" },
    ]) {
      await refused(setting, await sign(setting, { domain }));
    }
    expect(await setting.token.read.nonces([owner.address])).to.equal(0n);
  });

  it("refuses a deadline that has passed, and accepts one that is now", async () => {
    const setting = await load();
    const now = BigInt(await setting.time.latest());
    await expectRevert(permit(setting, await sign(setting, { deadline: now })), "ERC2612ExpiredSignature", {
      deadline: now,
    });
    await setting.time.setNextBlockTimestamp(now + 60n);
    await permit(setting, await sign(setting, { deadline: now + 60n }));
  });

  it("refuses the malleable twin of a signature, and invalid ones", async () => {
    const setting = await load();
    const good = await sign(setting);
    const malleable = twinOf(good);
    await expectRevert(permit(setting, malleable), "ECDSAInvalidSignatureS", { s: malleable.s });
    await expectRevert(permit(setting, { ...good, v: 29 }), "ECDSAInvalidSignature");
    await permit(setting, good);
  });
}
