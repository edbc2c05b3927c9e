import { expect } from "chai";
import { parseEther } from "viem";
import { loadMarket } from "./support/market.ts";
import { expectRevert } from "./support/refusals.ts";
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
    expect(await token.read.minted()).to.equal(0n);
  });

  it("is minted by its minter alone", async () => {
    const { token, people, pomc } = await loadMarket();
    expect(await token.read.minter()).to.equal(pomc.address);
    await expectRevert(token.write.mint([people.outsider, 1n]), "CallerNotMinter", {
      caller: people.deployer,
    });
  });

  it("counts what is minted and refuses to pass the cap", async () => {
    const { token, people } = await loadMarket();
    await token.write.setMinter([people.keeper]);
    await token.write.mint([people.outsider, parseEther("5")], { account: people.keeper });
    expect(await token.read.minted()).to.equal(parseEther("5"));
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

  it("keeps minted as it is when its holder burns, and no more than it has", async () => {
    const { token, people } = await loadMarket();
    const own = { account: people.treasury };
    await token.write.setMinter([people.keeper]);
    await token.write.mint([people.treasury, 3n], { account: people.keeper });
    await token.write.burn([parseEther("100000")], own);
    expect(await token.read.totalSupply()).to.equal(3n);
    expect(await token.read.minted()).to.equal(3n);
    await expectRevert(token.write.burn([4n], own), "ERC20InsufficientBalance", { balance: 3n, needed: 4n });
  });

  it("gets its minter from the admin alone", async () => {
    const { token, people } = await loadMarket();
    await expectRevert(
      token.write.setMinter([people.outsider], { account: people.outsider }),
      "AccessManagedUnauthorized",
      { caller: people.outsider },
    );
  });
});
