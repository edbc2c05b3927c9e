import { expect } from "chai";
import { parseEther } from "viem";
import { loadMarket } from "./support/market.ts";
import { expectRevert } from "./support/reverts.ts";
import { behavesLikeErc20, behavesLikeErc2612 } from "./token.behaviour.ts";

async function load() {
  const market = await loadMarket();
  const { treasury, owner, outsider } = market.people;
  const held = await market.token.read.balanceOf([treasury]);
  return { ...market, holder: treasury, spender: owner, other: outsider, held };
}

describe("Token: ERC-20", () => behavesLikeErc20(load));
describe("Token: ERC-2612", () => behavesLikeErc2612(load));

describe("Token", () => {
  it("gives the genesis supply to the treasury", async () => {
    const { token, people } = await loadMarket();
    expect(await token.read.balanceOf([people.treasury])).to.equal(parseEther("100000"));
    expect(await token.read.totalSupply()).to.equal(parseEther("100000"));
  });

  it("lets only its minters mint", async () => {
    const { token, people, pomc } = await loadMarket();
    expect(await token.read.minterOf([pomc.address])).to.deep.equal([parseEther("1000000"), 0n]);
    expect(await token.read.minterOf([people.deployer])).to.deep.equal([0n, 0n]);
    await expectRevert(token.write.mint([people.outsider, 1n]), "CallerNotMinter", {
      caller: people.deployer,
    });
  });

  it("lets each of several minters mint up to its own limit, including its earlier mints", async () => {
    const { token, people } = await loadMarket();
    const first = { account: people.keeper };
    const second = { account: people.poster };
    await token.write.setMinter([people.keeper, 10n]);
    await token.write.setMinter([people.poster, 3n]);
    await token.write.mint([people.outsider, 6n], first);
    await expectRevert(token.write.mint([people.outsider, 5n], first), "MinterLimitExceeded", {
      minter: people.keeper,
      minted: 11n,
      limit: 10n,
    });
    await token.write.mint([people.outsider, 3n], second);
    await expectRevert(token.write.mint([people.outsider, 1n], second), "MinterLimitExceeded");
    await token.write.setMinter([people.keeper, 5n]);
    await expectRevert(token.write.mint([people.outsider, 1n], first), "MinterLimitExceeded", { limit: 5n });
    await token.write.setMinter([people.keeper, 8n]);
    await token.write.mint([people.outsider, 2n], first);
    expect(await token.read.minterOf([people.keeper])).to.deep.equal([8n, 8n]);
    await token.write.setMinter([people.keeper, 0n]);
    await expectRevert(token.write.mint([people.outsider, 0n], first), "CallerNotMinter");
    expect(await token.read.balanceOf([people.outsider])).to.equal(11n);
  });

  it("counts minted tokens and refuses to exceed the cap", async () => {
    const { token, people } = await loadMarket();
    await token.write.setMinter([people.keeper, 2n ** 96n - 1n]);
    await token.write.mint([people.outsider, parseEther("5")], { account: people.keeper });
    expect((await token.read.minterOf([people.keeper]))[1]).to.equal(parseEther("5"));
    const rest = (await token.read.cap()) - (await token.read.totalSupply());
    await expectRevert(
      token.write.mint([people.outsider, rest + 1n], { account: people.keeper }),
      "TokenCapExceeded",
      { supply: parseEther("1000000") + 1n, cap: parseEther("1000000") },
    );
    await token.write.mint([people.outsider, rest], { account: people.keeper });
    expect(await token.read.totalSupply()).to.equal(await token.read.cap());
    await expectRevert(
      token.write.mint([people.outsider, 1n], { account: people.keeper }),
      "TokenCapExceeded",
    );
  });

  it("keeps the minted amount when a holder burns, at most its balance", async () => {
    const { token, people } = await loadMarket();
    const own = { account: people.treasury };
    await token.write.setMinter([people.keeper, 3n]);
    await token.write.mint([people.treasury, 3n], { account: people.keeper });
    await token.write.burn([parseEther("100000")], own);
    expect(await token.read.totalSupply()).to.equal(3n);
    expect(await token.read.minterOf([people.keeper])).to.deep.equal([3n, 3n]);
    await expectRevert(token.write.burn([4n], own), "ERC20InsufficientBalance", { balance: 3n, needed: 4n });
  });

  it("lets only the admin set its minters", async () => {
    const { token, people } = await loadMarket();
    await expectRevert(
      token.write.setMinter([people.outsider, 1n], { account: people.outsider }),
      "AccessManagedUnauthorized",
      { caller: people.outsider },
    );
  });
});
