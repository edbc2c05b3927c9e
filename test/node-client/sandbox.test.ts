import { expect } from "chai";
import fc from "fast-check";
import { sandbox, userOf, workspaceContainer } from "../../node-client/docker/sandbox.ts";
import { memoryVolumes, quotaVolumes, volumePaths } from "../../node-client/docker/volumes.ts";

type Options = Parameters<typeof workspaceContainer>;

const extremes = (max: number) => fc.oneof(fc.constantFrom(0, 1, max), fc.nat(max));

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

describe("the limits of a container", () => {
  it("are limits whatever the workspace asks for: the engine reads 0 as none", () => {
    for (const [memoryMib, cpuMilli] of [
      [0, 0],
      [1, 1],
      [5, 9],
    ] as const) {
      const { Memory, MemorySwap, NanoCpus } = sandbox({ memoryMib, cpuMilli, pids: 1, tmpMib: 16 });
      expect({ Memory, MemorySwap, NanoCpus }).to.deep.equal({
        Memory: 6 * 2 ** 20,
        MemorySwap: 6 * 2 ** 20,
        NanoCpus: 10_000_000,
      });
    }
    const { Memory, NanoCpus } = sandbox({ memoryMib: 512, cpuMilli: 1_500, pids: 1, tmpMib: 16 });
    expect([Memory, NanoCpus]).to.deep.equal([512 * 2 ** 20, 1_500_000_000]);
  });
});

describe("the container of a workspace", () => {
  it("is limited whatever resources and configuration the chain has", () => {
    fc.assert(
      fc.property(
        extremes(2 ** 24 - 1),
        extremes(2 ** 24 - 1),
        extremes(2 ** 16 - 1),
        fc.array(
          fc.webPath().map((path) => `/v${path}`),
          { maxLength: 40 },
        ),
        fc.constantFrom("disk", "memory"),
        (cpuMilli, memoryMib, diskGib, declared, storage) => {
          const plan = { reference: "r", cpuMilli, memoryMib, diskGib, config: { env: {}, ports: [80] } };
          const { HostConfig } = workspaceContainer(
            { market: "m", node: "0x1" } as Options[0],
            {
              lease: { workspaceId: 1n, replica: 0, lease: 1, fence: "0x01" },
              plan,
              gpuUuids: [],
              user: "65534:65534",
              network: "ngpu",
              volumes: { paths: volumePaths(declared), storage },
            } as unknown as Options[1],
          );
          expect(HostConfig?.Memory).to.be.at.least(6 * 2 ** 20);
          expect(HostConfig?.MemorySwap).to.equal(HostConfig?.Memory);
          expect(HostConfig?.NanoCpus).to.be.at.least(10_000_000);
          expect(HostConfig).to.include({ Privileged: false, ReadonlyRootfs: true, PidsLimit: 512 });
          const quotas =
            HostConfig?.Mounts?.map((one) => one.VolumeOptions?.DriverConfig.Options?.size) ?? [];
          for (const size of [...Object.values(HostConfig?.Tmpfs ?? {}), ...quotas]) {
            expect(size).to.match(/(^|size=)[1-9]\d*m$/);
          }
        },
      ),
    );
  });
});

const containerOf = (config: object, given: object = {}) =>
  workspaceContainer(
    { market: "m", node: "0x1" } as Options[0],
    {
      lease: { workspaceId: 1n, replica: 0, lease: 1, fence: "0x01" },
      plan: {
        reference: "r@sha256:1",
        memoryMib: 64,
        diskGib: 1,
        cpuMilli: 100,
        config: { env: {}, ports: [80], ...config },
      },
      gpuUuids: [],
      user: "65534:65534",
      network: "ngpu",
      ...given,
    } as unknown as Options[1],
  );

describe("what an image and its partner say of a container", () => {
  const visibleIn = (env: Record<string, string>, given: object = {}) =>
    containerOf({ env }, given).Env?.filter((one) => one.startsWith("NVIDIA_VISIBLE_DEVICES="));

  it("gives it no GPU but those of its lease, also where NVIDIA's runtime is the engine's default", () => {
    for (const env of [{}, { NVIDIA_VISIBLE_DEVICES: "all" }]) {
      expect(visibleIn(env)).to.deep.equal(["NVIDIA_VISIBLE_DEVICES=void"]);
      expect(visibleIn(env, { gpuUuids: ["GPU-1", "GPU-2"] })).to.deep.equal([
        "NVIDIA_VISIBLE_DEVICES=GPU-1,GPU-2",
      ]);
      const devices = { paths: ["/dev/kfd"], groups: [] };
      expect(visibleIn(env, { gpuUuids: ["AMD-1"], devices })).to.deep.equal(["NVIDIA_VISIBLE_DEVICES=void"]);
    }
  });

  it("makes the engine run no health check", () => {
    expect(containerOf({}).Healthcheck).to.deep.equal({ Test: ["NONE"] });
  });
});

describe("the command of a container", () => {
  const containerWith = (command?: string[]) => containerOf({ command });

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

describe("the volumes of an image", () => {
  const limits = { diskGib: 1, memoryMib: 512 };

  it("share the lease's disk, and in memory at most a quarter of the lease's memory", () => {
    const paths = volumePaths(["/data", "/var//lib/../cache/"]);
    expect(paths).to.deep.equal(["/data", "/var/cache"]);
    const sizes = quotaVolumes(paths, limits).Mounts?.map(
      ({ VolumeOptions }) => VolumeOptions?.DriverConfig.Options,
    );
    expect(sizes).to.deep.equal([{ size: "512m" }, { size: "512m" }]);
    const inMemory = Object.values(memoryVolumes(paths, limits));
    expect(inMemory.map((options) => options.split(",").at(-1))).to.deep.equal(["size=64m", "size=64m"]);
    const onlyDisk = memoryVolumes(["/data"], { diskGib: 1, memoryMib: 65_536 });
    expect(onlyDisk["/data"]).to.match(/size=1024m$/);
  });

  it("are bounded for a lease without disk or memory, and for any number of them", () => {
    for (const [diskGib, memoryMib, count] of [
      [0, 0, 1],
      [0, 65_536, 32],
      [65_535, 2 ** 24 - 1, 1_000],
    ] as const) {
      const paths = Array.from({ length: count }, (_, index) => `/data/${index}`);
      const lease = { diskGib, memoryMib };
      const sizes = [
        ...Object.values(memoryVolumes(paths, lease)).map((text) => /size=(\d+)m$/.exec(text)?.[1]),
        ...(quotaVolumes(paths, lease).Mounts ?? []).map(
          ({ VolumeOptions }) => /^(\d+)m$/.exec(VolumeOptions?.DriverConfig.Options.size ?? "")?.[1],
        ),
      ].map(Number);
      expect(sizes).to.have.length(2 * count);
      for (const size of sizes) expect(size).to.be.within(1, 65_535 * 1024);
    }
  });

  it("are paths that the engine can mount, each once", () => {
    const declared = ["/data", "/data/", "//data", "/./data", "data", "", "/", "/..", "/tmp", "/tmp/"];
    expect(volumePaths(declared)).to.deep.equal(["/data"]);
  });
});
