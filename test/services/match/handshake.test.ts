import { expect } from "chai";
import { checkedHost } from "../../../services/match/sessions/handshake.ts";

describe("match: the host of a node", () => {
  const publicOnly = { privateAddresses: false, resolve: async () => ["1.1.1.1"] };
  const refusal = (declared: string | undefined, peer: string | undefined, resolved = ["1.1.1.1"]) =>
    checkedHost(declared, peer, { privateAddresses: false, resolve: async () => resolved }).then(
      (host) => host,
      (error) => error.code,
    );

  it("is the declared one, or the address of the peer", async () => {
    expect(await checkedHost("node.example", "8.8.8.8", publicOnly)).to.equal("node.example");
    expect(await checkedHost(undefined, "::ffff:8.8.8.8", publicOnly)).to.equal("8.8.8.8");
    expect(await checkedHost("2606:4700::1111", undefined, publicOnly)).to.equal("2606:4700::1111");
  });

  it("is public: measurers connect to it", async () => {
    for (const host of ["169.254.169.254", "127.0.0.1", "10.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1"]) {
      expect(await refusal(host, "8.8.8.8"), host).to.equal("host_not_public");
      expect(await refusal(undefined, host.replace("::ffff:", "")), host).to.equal("host_not_public");
    }
    expect(await refusal("metadata.example", "8.8.8.8", ["1.1.1.1", "169.254.169.254"])).to.equal(
      "host_not_public",
    );
    expect(await refusal("node.example", "8.8.8.8", [])).to.equal("host_unresolved");
    for (const host of ["http://1.1.1.1", "a b", "a/b", "a@b", "a?b"]) {
      expect(await refusal(host, "8.8.8.8"), host).to.equal("host_invalid");
    }
  });

  it("may be private where the market accepts private addresses", async () => {
    expect(await checkedHost("127.0.0.1", undefined, { privateAddresses: true })).to.equal("127.0.0.1");
  });
});
