import { expect } from "chai";
import Docker from "dockerode";
import { ensureNetwork, networkName, removeNetwork } from "../../node-client/docker/containers.ts";
import { openEngine } from "../../node-client/docker/engine.ts";
import { engineSocket } from "../../scripts/embedded/dockerEngine.ts";

describe("the network of workspaces on a real engine", function () {
  this.timeout(60_000);
  const docker = new Docker();
  const socket = engineSocket(process.env.DOCKER_HOST);
  const engineOf = (node: number) => openEngine({ socket, market: "aaaaaaaa", node: `0x0${node}` });
  const engine = engineOf(1);
  const named = async () => {
    const found = await docker.listNetworks({ filters: { name: [networkName] } });
    return found.filter(({ Name }) => Name === networkName).map(({ Id }) => Id);
  };
  beforeEach(() => removeNetwork(engine));
  after(() => removeNetwork(engine));

  it("is one for leases that start at the same time, of several nodes", async () => {
    const ids = await Promise.all(Array.from({ length: 6 }, (_, node) => ensureNetwork(engineOf(node))));
    const left = await named();
    expect(left).to.have.length(1);
    // A lease may have got a network that was removed since. Its container cannot start, and the next one can.
    expect((await ensureNetwork(engine)).id).to.equal(left[0]);
    expect(ids.map(({ id }) => id)).to.include(left[0]);
  });

  it("is created once for the leases of a node, more of which start together than an engine has networks", async () => {
    const ids = await Promise.all(Array.from({ length: 100 }, () => ensureNetwork(engine)));
    expect(new Set(ids.map(({ id }) => id))).to.deep.equal(new Set(await named()));
  });

  it("is the oldest of several", async () => {
    const ids: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      const { id } = await docker.createNetwork({
        Name: networkName,
        Driver: "bridge",
        CheckDuplicate: false,
      });
      ids.push(id);
    }
    expect((await ensureNetwork(engine)).id).to.equal(ids[0]);
    expect(await named()).to.deep.equal([ids[0]]);
  });
});
