import { RetryableError } from "@ngpu/runtime/errors";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import type { Engine } from "../../node-client/docker/engine.ts";
import type { HostShell } from "../../node-client/walls/hostShell.ts";
import { removalRules, resolversIn, standing, wallRules } from "../../node-client/walls/rules.ts";
import { createWalls } from "../../node-client/walls/walls.ts";

const bridge = { name: "br-1", subnets: ["172.18.0.0/16"] };
const network = { id: "1", bridge };
const nothing = { ipv4: "", ipv6: "" };
const logger = createLogger("test", "silent");

/** What a firewall saves after it took an input. */
function saved(input: string): string {
  return input.replace(/^-D .*\n/gm, "").replace(/^-I (\w+) 1/gm, "-A $1");
}

/** A firewall in memory, read and set by the scripts of the walls. */
function firewall(options: { bridgeFilter?: string; forgets?: boolean } = {}) {
  const rules = { ipv4: "", ipv6: "", sets: 0 };
  const shell: HostShell = async (_script, args) => {
    if (args === undefined) {
      const resolvers = "nameserver 10.0.0.2";
      return `=== filter\n${options.bridgeFilter ?? "1"}\n=== ipv4\n${rules.ipv4}\n=== ipv6\n${rules.ipv6}\n=== resolvers\n${resolvers}`;
    }
    rules.sets += 1;
    if (!options.forgets) [rules.ipv4, rules.ipv6] = [saved(args[0] ?? ""), saved(args[1] ?? "")];
    return "";
  };
  return { rules, walls: createWalls({ engine: {} as Engine, shell, logger }) };
}

describe("the walls around tenants", () => {
  it("close the bridge's own ranges and every special one, and leave port 53 of the resolvers open", () => {
    const { ipv4, ipv6 } = wallRules(bridge, ["192.168.1.1"], nothing);
    for (const range of ["169.254.0.0/16", "10.0.0.0/8", "192.168.0.0/16", "224.0.0.0/3", "172.18.0.0/16"])
      expect(ipv4).to.include(`-A NGPU-SENT -d ${range} -j DROP\n`);
    const lines = ipv4.split("\n");
    const resolver = lines.indexOf("-A NGPU-SENT -d 192.168.1.1/32 -p udp -m udp --dport 53 -j RETURN");
    expect(resolver).to.be.within(1, lines.indexOf("-A NGPU-SENT -d 192.168.0.0/16 -j DROP"));
    expect(ipv6).to.include("-A NGPU-SENT -j DROP\n-I PREROUTING 1 -i br-1 -j NGPU-SENT");
  });

  it("replace the walls of an earlier network in the same step", () => {
    const before = saved(wallRules({ ...bridge, name: "br-0" }, [], nothing).ipv4);
    const { ipv4 } = wallRules(bridge, [], { ipv4: before, ipv6: "" });
    expect(ipv4).to.include("-D PREROUTING -i br-0 -j NGPU-SENT\n");
    expect(ipv4.match(/^-I PREROUTING/gm)).to.have.length(1);
  });

  it("do not hold behind a rule that lets packets pass, and do behind one that marks them", () => {
    const { ipv4, ipv6 } = wallRules(bridge, [], nothing);
    const both = { ipv4: saved(ipv4), ipv6: saved(ipv6) };
    const behind = (rule: string) => ({ ...both, ipv4: `-A PREROUTING ${rule}\n${both.ipv4}` });
    expect(standing(bridge, both)).to.be.a("string");
    expect(standing(bridge, behind("-i eth0 -j ACCEPT"))).to.equal(undefined);
    expect(standing(bridge, behind("-p tcp -j MARK --set-xmark 0x1/0x1"))).to.equal(standing(bridge, both));
    expect(standing({ ...bridge, name: "br-2" }, both)).to.equal(undefined);
    expect(standing(bridge, { ...both, ipv6: "-P PREROUTING ACCEPT" })).to.equal(undefined);
  });

  it("are removed with their jumps, and only if they are there", () => {
    const { ipv4 } = wallRules(bridge, [], nothing);
    const text = `:NGPU-SENT - [0:0]\n${saved(ipv4)}`;
    expect(removalRules(text))
      .to.include("-D PREROUTING -i br-1 -j NGPU-SENT\n")
      .and.to.include("-X NGPU-SENT\n");
    expect(removalRules("-A PREROUTING -j MARK")).to.equal("");
  });

  it("know the resolvers that are not this machine's own", () => {
    const text =
      "# nameserver 9.9.9.9\nnameserver 127.0.0.53\nnameserver 10.0.0.2\n nameserver fd00::1\nnameserver 10.0.0.2\n";
    expect(resolversIn(text)).to.deep.equal(["10.0.0.2"]);
  });

  it("are put up once, and again after each change, which is counted", async () => {
    const { rules, walls } = firewall();
    expect(walls.status().state).to.equal("unused");
    await walls.ensure(network);
    await walls.ensure(network);
    expect([rules.sets, walls.status().state, walls.status().repairs]).to.deep.equal([1, "up", 0]);
    rules.ipv4 = "";
    // Another bridge: the last check of the first says nothing about it.
    await walls.ensure({ id: "2", bridge: { ...bridge, name: "br-2" } });
    expect([rules.sets, walls.status().repairs]).to.deep.equal([2, 0]);
  });

  it("are down while the kernel passes packets by the firewall, or the firewall forgets its rules", async () => {
    for (const options of [{ bridgeFilter: "0" }, { bridgeFilter: "" }, { forgets: true }]) {
      const { walls } = firewall(options);
      const error = await walls.ensure(network).catch((failure: unknown) => failure);
      expect(error).to.be.instanceOf(RetryableError);
      expect((error as RetryableError).code).to.equal("walls_unavailable");
      const { state, downSince } = walls.status();
      expect(state).to.equal("down");
      expect(walls.isExposed((downSince ?? 0) + 30_000)).to.equal(false);
      expect(walls.isExposed((downSince ?? 0) + 61_000)).to.equal(true);
    }
  });
});
