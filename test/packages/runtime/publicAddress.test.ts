import {
  isPublicAddress,
  publicDnsLookup,
  publicLookup,
  requirePublicHost,
} from "@ngpu/runtime/publicAddress";
import { expect } from "chai";
import fc from "fast-check";
import { runs } from "../../support/runs.ts";

const refused = (host: string, addresses: string[] = []) =>
  requirePublicHost(host, async () => addresses).then(
    () => undefined,
    (error) => error.code,
  );

describe("public addresses", () => {
  it("include those of the internet", () => {
    for (const address of [
      "1.1.1.1",
      "8.8.8.8",
      "172.15.255.255",
      "172.32.0.0",
      "2606:4700::1111",
      "2a00::1",
    ]) {
      expect(isPublicAddress(address), address).to.equal(true);
    }
  });

  it("exclude loopback, link-local, private, shared, multicast, documentation and embedded addresses", () => {
    const special = [
      ..."0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 192.0.2.1 192.168.1.1".split(" "),
      ..."198.18.0.1 168.63.129.16 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255".split(" "),
      ...":: ::1 fe80::1 fec0::1 fc00::1 fd12::1 ff02::1 2001:db8::1 2002:7f00:1:: 64:ff9b::7f00:1".split(
        " ",
      ),
      ..."::ffff:127.0.0.1 ::ffff:8.8.8.8 ::7f00:1 100::1 2001::1 fe80::1%eth0".split(" "),
    ];
    for (const address of special) expect(isPublicAddress(address), address).to.equal(false);
  });

  it("are never found in other text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!/^[0-9a-f.:]+$/i.test(text));
        expect(isPublicAddress(text)).to.equal(false);
      }),
      { numRuns: runs(200) },
    );
  });

  it("refuse a name when any of its addresses is not public", async () => {
    expect(await refused("169.254.169.254")).to.equal("host_not_public");
    expect(await refused("node.example", ["1.1.1.1", "2606:4700::1111"])).to.equal(undefined);
    expect(await refused("node.example", ["1.1.1.1", "127.0.0.1"])).to.equal("host_not_public");
    expect(await refused("node.example", [])).to.equal("host_unresolved");
    expect(
      await requirePublicHost("node.example", () => Promise.reject(new Error("no"))).catch((e) => e.code),
    ).to.equal("host_unresolved");
  });

  it("refuse a connection to a name of this machine", async () => {
    for (const all of [true, false]) {
      const error = await new Promise((resolve) => publicLookup("localhost", { all }, resolve));
      expect(error).to.have.property("code", "host_not_public");
      const byDns = await new Promise((resolve) => publicDnsLookup("localhost", { all }, resolve));
      // Whether servers know the name depends on them.
      expect((byDns as { code: string }).code).to.be.oneOf(["host_not_public", "host_unresolved"]);
    }
  });
});
