import { expect } from "chai";
import { parseEther } from "viem";
import { loadMarket } from "./support/market.ts";
import { expectRevert } from "./support/refusals.ts";

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
