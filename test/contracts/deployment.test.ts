import { parseParameters } from "@ngpu/contracts/ignition/parameters";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import { packTerms } from "@ngpu/rewards/terms";
import { toJson } from "@ngpu/runtime/json";
import { expect } from "chai";
import { isGasReal } from "./support/gas.ts";
import { loadMarket } from "./support/market.ts";
import { expectRevert } from "./support/reverts.ts";

describe("Deployment", () => {
  it("matches the services' type, with the genesis of the contract", async () => {
    const { deployment, pomc } = await loadMarket();
    const read = parseDeployment(JSON.parse(toJson(deployment)));
    expect(read.contracts).to.deep.equal(deployment.contracts);
    expect(read.parameters.genesis).to.equal(await pomc.read.genesis());
  });

  it("keeps every contract within the 24,576 bytes that a chain accepts", async function () {
    if (!isGasReal) this.skip();
    const { deployment, client } = await loadMarket();
    for (const [name, address] of Object.entries(deployment.contracts)) {
      const code = await client.getCode({ address });
      expect(((code?.length ?? 2) - 2) / 2, name).to.be.within(1, 24_576);
    }
  });

  it("connects the contracts and appoints their frequent callers", async () => {
    const { computeNode, docker, measure, pomc, token, people } = await loadMarket();
    expect(await token.read.minterOf([pomc.address])).to.deep.equal([await token.read.cap(), 0n]);
    expect(await computeNode.read.dockerOf([docker.address])).to.deep.equal([true, false, 0n]);
    expect(await computeNode.read.isMeasure([measure.address])).to.equal(true);
    expect(await pomc.read.poster()).to.equal(people.poster);
    expect(await pomc.read.receiptsPoster()).to.equal(people.receiptsPoster);
    expect(await pomc.read.isWatcher([people.watcher])).to.equal(true);
    expect(await pomc.read.isWatcher([people.outsider])).to.equal(false);
    expect(await computeNode.read.isHeartbeatCommitter([people.committer])).to.equal(true);
    expect(await docker.read.isKeeper([people.keeper])).to.equal(true);
    expect(await measure.read.isMeasureKeeper([people.keeper])).to.equal(true);
    expect(await docker.read.isKeeper([people.outsider])).to.equal(false);
  });

  it("leaves every restricted function closed to outsiders", async () => {
    const { computeNode, docker, escrow, measure, pomc, token, people } = await loadMarket();
    const account = { account: people.outsider };
    const calls = [
      computeNode.write.setHeartbeatCommitter([people.outsider, true], account),
      computeNode.write.setHeartbeatAcknowledger([people.outsider, true], account),
      computeNode.write.addDocker([people.outsider], account),
      computeNode.write.retireDocker([docker.address], account),
      computeNode.write.setMeasure([people.outsider, true], account),
      docker.write.setKeeper([people.outsider, true], account),
      escrow.write.setDocker([people.outsider], account),
      measure.write.setMeasureKeeper([people.outsider, true], account),
      pomc.write.setPoster([people.outsider], account),
      pomc.write.setReceiptsPoster([people.outsider], account),
      pomc.write.setWatcher([people.outsider, true], account),
      pomc.write.setTerms([packTerms(defaultTerms({ slotSeconds: 60 }))], account),
      pomc.write.disableEpoch([1n], account),
      token.write.setMinter([people.outsider, 1n], account),
    ];
    for (const call of calls) {
      await expectRevert(call, "AccessManagedUnauthorized", { caller: people.outsider });
    }
  });

  it("rejects parameters that are missing, wrong or unknown, naming each", () => {
    const parse = () => parseParameters({ slotSeconds: 0, sloth: 1 });
    for (const name of ["slotSeconds", "treasury", "sloth"]) expect(parse).to.throw(name);
  });
});
