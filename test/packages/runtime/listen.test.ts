import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { FatalError } from "@ngpu/runtime/errors";
import { listen } from "@ngpu/runtime/http";
import { expect } from "chai";

describe("listening of a service", () => {
  const refusal = async (host: string, port: number): Promise<FatalError> => {
    const error = await listen(() => undefined, { host, port }, { onStop: () => undefined }).catch(
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(FatalError);
    return error as FatalError;
  };

  it("distinguishes a port in use from an address that this machine does not have", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    try {
      const used = await refusal("127.0.0.1", port);
      expect(used.code).to.equal("port_in_use");
      expect(used.hint).to.include("PORT");
      // An address of the documentation (RFC 5737), which no machine has.
      const foreign = await refusal("192.0.2.1", 0);
      expect(foreign.code).to.equal("address_unavailable");
      expect(foreign.hint).to.include("HOST");
    } finally {
      other.close();
    }
  });
});
