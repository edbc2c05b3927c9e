import { expect } from "chai";
import { userOf, workspaceContainer } from "../../node-client/docker/sandbox.ts";

describe("the user of a container", () => {
  it("is never root, however the image writes it", () => {
    for (const user of [undefined, "", "root", "root:staff", "0", "00", "+0", "-0", "+00:1000", ":1000"]) {
      expect(userOf(user), String(user)).to.equal("65534:65534");
    }
  });

  it("is the image's own otherwise", () => {
    for (const user of ["node", "1000", "10", "1000:0", "app:app"]) expect(userOf(user)).to.equal(user);
  });
});

describe("the command of a container", () => {
  type Options = Parameters<typeof workspaceContainer>;
  const containerWith = (command?: string[]) =>
    workspaceContainer(
      { market: "m", node: "0x1" } as Options[0],
      {
        lease: { workspaceId: 1n, replica: 0, lease: 1, fence: "0x01" },
        plan: {
          reference: "r@sha256:1",
          memoryMib: 64,
          cpuMilli: 100,
          config: { env: {}, ports: [80], command },
        },
        gpuUuids: [],
        imageUser: undefined,
      } as unknown as Options[1],
    );

  it("replaces the image's entrypoint and command", () => {
    expect(containerWith(["serve", "--port", "80"])).to.deep.include({
      Entrypoint: ["serve", "--port", "80"],
      Cmd: [],
    });
  });

  it("is the image's own without one", () => {
    for (const command of [undefined, []]) {
      expect(containerWith(command)).to.not.have.any.keys("Entrypoint", "Cmd");
    }
  });
});
