import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { Engine } from "../../node-client/docker/engine.ts";
import { workspaceContainer } from "../../node-client/docker/sandbox.ts";
import { applyReading } from "../../node-client/gpuWatch.ts";
import type { Assignment } from "../../node-client/leases.ts";
import { gpuModelOf, offerDiffers, offerOf, withLeasedGpus } from "../../node-client/offer.ts";
import { sysfs } from "../../node-client/probe/devices.ts";
import { offeredGpus, probeGpus } from "../../node-client/probe/gpus.ts";
import { probeHardware } from "../../node-client/probe/hardware.ts";
import { parseNvidia } from "../../node-client/probe/nvidia.ts";
import type { Plan } from "../../node-client/reconcileFacts.ts";
import { broken, models, systemMemoryMib } from "./fixtures/gpuOutputs.ts";

// Name, memory and capability as nvidia-smi prints them on a machine with an H200; the UUIDs are made up.
const h200 = [
  "NVIDIA H200, GPU-5a6f2c1e-0c1f-4a7e-9d55-3f0b8f5f7a10, 143771, 9.0",
  "NVIDIA H200, GPU-1b9e7d44-8c52-41b3-a1f4-6f8d2c0e9b21, 143771, 9.0",
  "",
].join("\n");
type RunnablePlan = Extract<Plan, { type: "runnable" }>;
const parseGpus = (stdout: string) => parseNvidia({ stdout, stderr: "", failure: undefined }, 0).gpus;
const limits = {
  NODE_LIMIT_GPUS: undefined,
  NODE_LIMIT_CPU_MILLI: undefined,
  NODE_LIMIT_MEMORY_MIB: undefined,
  NODE_LIMIT_DISK_GIB: undefined,
  NODE_LIMIT_PORTS: 8,
};

describe("the probe of GPUs", () => {
  let dir: string;
  const path = process.env.PATH;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-smi-"));
  });
  afterEach(() => {
    process.env.PATH = path;
    sysfs.root = "/sys";
    rmSync(dir, { recursive: true });
  });

  /** Puts a fake `nvidia-smi` on PATH that prints `output`. */
  const tool = (name: string, script: string) => {
    writeFileSync(join(dir, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(dir, name), 0o755);
    process.env.PATH = dir;
  };
  const fakeSmi = (output: string, code = 0) => {
    writeFileSync(join(dir, "output"), output);
    const file = join(dir, "nvidia-smi");
    writeFileSync(file, `#!/bin/sh\n/bin/cat ${dir}/output\nexit ${code}\n`);
    chmodSync(file, 0o755);
    process.env.PATH = dir;
  };

  it("finds none without nvidia-smi", async () => {
    process.env.PATH = dir;
    expect(await probeGpus(systemMemoryMib)).to.deep.equal({ gpus: [], sick: [] });
  });

  it("reads the GPUs that nvidia-smi prints", async () => {
    fakeSmi(h200);
    const { gpus } = await probeGpus(systemMemoryMib);
    expect(gpus).to.have.length(2);
    expect(gpus[0]).to.deep.equal({
      name: "NVIDIA H200",
      uuid: "GPU-5a6f2c1e-0c1f-4a7e-9d55-3f0b8f5f7a10",
      memoryMib: 143_771,
      computeCapability: 90,
    });
  });

  it("finds none when the driver reports none", async () => {
    fakeSmi("No devices were found\n");
    expect(await probeGpus(systemMemoryMib)).to.deep.equal({ gpus: [], sick: [] });
  });

  it("names the driver's error", async () => {
    fakeSmi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", 9);
    const { gpus, sick } = await probeGpus(systemMemoryMib);
    expect(gpus).to.deep.equal([]);
    expect(sick[0]).to.include({ code: "gpu_driver_failed", id: "nvidia-smi" });
    expect(sick[0]?.detail).to.include("couldn't communicate with the NVIDIA driver");
  });

  for (const { title, stdout, stderr = "", code = 0, list = "", gpus, sick = [] } of [...models, ...broken]) {
    it(`reads ${title}`, async () => {
      writeFileSync(join(dir, "stdout"), stdout);
      writeFileSync(join(dir, "stderr"), stderr);
      writeFileSync(join(dir, "list"), list);
      tool(
        "nvidia-smi",
        `case "$1" in -L) /bin/cat ${dir}/list; exit 0 ;; esac
/bin/cat ${dir}/stdout; /bin/cat ${dir}/stderr >&2; exit ${code}`,
      );
      const read = await probeGpus(systemMemoryMib);
      expect(read.gpus.map((gpu) => [gpu.name, gpu.memoryMib])).to.have.deep.members(gpus);
      expect(read.sick.map((one) => one.code)).to.have.members(sick);
    });
  }

  it("reads the cards of a driver that does not know compute capabilities", async () => {
    // Sentence: https://github.com/canonical/inference-snaps/issues/128
    writeFileSync(join(dir, "stdout"), "NVIDIA A10, GPU-5a6f2c1e-0c1f-4a7e-9d55-3f0b8f5f7a10, 23028\n");
    tool(
      "nvidia-smi",
      `case "$1" in *compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'; exit 2 ;; esac
/bin/cat ${dir}/stdout`,
    );
    const { gpus } = await probeGpus(systemMemoryMib);
    expect(gpus.map((gpu) => [gpu.memoryMib, gpu.computeCapability])).to.deep.equal([[23_028, 0]]);
  });

  it("judges a card by its recovery action, and by errors that ECC cannot correct where the driver has none", async () => {
    // Fields and values: https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/error-recovery-and-response-flags.html; lines composed.
    const uuids = ["GPU-5a6f2c1e-0c1f-4a7e-9d55-3f0b8f5f7a10", "GPU-1b9e7d44-8c52-41b3-a1f4-6f8d2c0e9b21"];
    const sickOf = async (values: { recovery?: string; ecc?: string; rows?: string }) => {
      writeFileSync(join(dir, "cards"), h200);
      const answer = (value: string | undefined) =>
        value === undefined
          ? "echo 'Field is not a valid field to query.'; exit 2"
          : `echo '${uuids[0]}, ${value}'; echo '${uuids[1]}, [N/A]'`;
      tool(
        "nvidia-smi",
        `case "$1" in
*gpu_recovery_action*) ${answer(values.recovery)} ;;
*uncorrected.volatile*) ${answer(values.ecc)} ;;
*remapped_rows.failure*) ${answer(values.rows)} ;;
*memory.total*) /bin/cat ${dir}/cards ;;
esac`,
      );
      const { gpus, sick } = await probeGpus(systemMemoryMib);
      expect(gpus.map(({ uuid }) => uuid)).to.include(uuids[1]);
      return sick.map(({ code, id, name, detail }) => {
        expect([id, name]).to.deep.equal([uuids[0], "NVIDIA H200"]);
        return `${code}: ${detail}`;
      });
    };
    for (const recovery of ["Reset", "GPU Reset", "Reboot", "Node Reboot", "Drain P2P", "Drain and Reset"]) {
      const detail = `gpu_recovery_action: ${recovery}`;
      expect(await sickOf({ recovery, ecc: "0", rows: "No" })).to.deep.equal([
        `gpu_reset_required: ${detail}`,
      ]);
    }
    // The driver says that the card can be used.
    expect(await sickOf({ recovery: "None", ecc: "3", rows: "No" })).to.deep.equal([]);
    expect(await sickOf({ recovery: "None", ecc: "0", rows: "Yes" })).to.deep.equal([
      "gpu_memory_errors: remapped_rows.failure: Yes",
    ]);
    expect(await sickOf({ ecc: "3" })).to.deep.equal([
      "gpu_memory_errors: ecc.errors.uncorrected.volatile.total: 3",
    ]);
    for (const unknown of ["[N/A]", "N/A", "[Not Supported]", "[Unknown Error]", "", "later"])
      expect(await sickOf({ recovery: unknown, ecc: unknown, rows: unknown }), unknown).to.deep.equal([]);
    expect(await sickOf({})).to.deep.equal([]);
  });

  it("reads AMD's cards, after a warning, with their device files", async () => {
    // Fields: https://github.com/marimo-team/marimo/issues/9237; the warning, serial and address are composed.
    writeFileSync(
      join(dir, "stdout"),
      `WARNING: AMD GPU device(s) is/are in a low-power state.
{"card0": {"Card Series": "Radeon RX 7900 XT", "VRAM Total Memory (B)": "21458059264", "Unique ID": "0x9246ab12cd34ef56",
"PCI Bus": "0000:03:00.0"}, "card1": {"Card Series": "Raphael", "VRAM Total Memory (B)": "N/A", "Unique ID": "N/A"}}`,
    );
    tool("rocm-smi", `/bin/cat ${dir}/stdout`);
    mkdirSync(join(dir, "bus/pci/devices/0000:03:00.0/drm/renderD128"), { recursive: true });
    sysfs.root = dir;
    const { gpus, sick } = await probeGpus(systemMemoryMib);
    expect(gpus).to.deep.equal([
      {
        name: "Radeon RX 7900 XT",
        uuid: "AMD-9246ab12cd34ef56",
        memoryMib: 20_464,
        computeCapability: 0,
        devices: ["/dev/kfd", "/dev/dri/renderD128"],
      },
    ]);
    expect(sick.map((one) => one.code)).to.deep.equal(["gpu_memory_unknown"]);
  });

  it("reads the cards of amd-smi in both of its formats", async () => {
    // Composed after the documents of ROCm 6 and 7.
    const card = {
      gpu: 0,
      asic: { market_name: "AMD Instinct MI300X", asic_serial: "0x6F1F0A2B3C4D5E6F" },
      bus: { bdf: "0000:83:00.0" },
      vram: { size: { value: 196_592, unit: "MB" } },
    };
    mkdirSync(join(dir, "bus/pci/devices/0000:83:00.0/drm/renderD129"), { recursive: true });
    sysfs.root = dir;
    for (const document of [[card], { gpu_data: [card, { gpu: 1, asic: "N/A" }] }]) {
      writeFileSync(join(dir, "stdout"), JSON.stringify(document, null, 2));
      tool("amd-smi", `/bin/cat ${dir}/stdout`);
      const { gpus } = await probeGpus(systemMemoryMib);
      expect(gpus.map((gpu) => [gpu.name, gpu.memoryMib])).to.deep.equal([["AMD Instinct MI300X", 196_592]]);
    }
  });

  it("reads Intel's cards, whose memory is in a second document", async () => {
    // Fields: https://github.com/intel/xpumanager/issues/127; the second device is composed.
    writeFileSync(
      join(dir, "list"),
      JSON.stringify({
        device_list: [
          {
            device_id: 0,
            device_name: "Intel(R) Arc(TM) Pro B60 Graphics",
            pci_bdf_address: "0000:97:00.0",
            uuid: "00000000-0000-0097-0000-0000e2118086",
          },
          { device_id: 1, device_name: "Intel(R) UHD Graphics 770", pci_bdf_address: "0000:00:02.0" },
        ],
      }),
    );
    writeFileSync(
      join(dir, "0"),
      JSON.stringify({ device_id: 0, serial_number: "unknown", memory_physical_size_byte: "25669140480" }),
    );
    writeFileSync(join(dir, "1"), JSON.stringify({ device_id: 1, memory_physical_size_byte: "" }));
    tool("xpu-smi", `case "$2" in -j) /bin/cat ${dir}/list ;; *) /bin/cat ${dir}/$3 ;; esac`);
    mkdirSync(join(dir, "bus/pci/devices/0000:97:00.0/drm/renderD130"), { recursive: true });
    sysfs.root = dir;
    const { gpus, sick } = await probeGpus(systemMemoryMib);
    expect(gpus).to.deep.equal([
      {
        name: "Intel Arc Pro B60 Graphics",
        uuid: "INTEL-0000:97:00.0",
        memoryMib: 24_480,
        computeCapability: 0,
        isLocal: true,
        devices: ["/dev/dri/renderD130"],
      },
    ]);
    expect(sick.map((one) => one.code)).to.deep.equal(["gpu_memory_unknown"]);
  });

  it("withdraws a card that is lost while the node runs, and offers it again once it recovers", () => {
    const [first, second] = parseGpus(h200);
    if (first === undefined || second === undefined) throw new Error("two cards");
    const hardware = { gpus: [first, second], sickGpus: [], cpuMilli: 0, memoryMib: 0, diskGib: 0, ports: 0 };
    const events: string[] = [];
    const note = ({ event }: { event: string }) => events.push(event);
    const logger = { info: note, warn: note } as never;
    const one = { gpus: [first], sickGpus: [], healthy: [first.uuid] };
    const both = { gpus: [first, second], sickGpus: [], healthy: [first.uuid, second.uuid] };
    expect(applyReading(hardware, one, logger)).to.equal(true);
    expect(hardware.sickGpus).to.have.length(1);
    expect(applyReading(hardware, one, logger)).to.equal(false);
    expect(hardware.sickGpus).to.have.length(1);
    expect(applyReading(hardware, both, logger)).to.equal(true);
    expect(hardware.sickGpus).to.deep.equal([]);
    expect(events).to.deep.equal(["gpu_sick", "gpu_recovered"]);
  });

  it("is skipped when no GPU is to be offered", async () => {
    fakeSmi("broken", 1);
    const hardware = await probeHardware(dir, { ...limits, NODE_LIMIT_GPUS: 0 });
    expect(hardware.gpus).to.deep.equal([]);
  });

  it("offers the largest group of equal GPUs, and no more than the limit", () => {
    const mixed = `${h200}NVIDIA A10, GPU-99999999-0c1f-4a7e-9d55-3f0b8f5f7a10, 23028, 8.6\n`;
    expect(offeredGpus(parseGpus(mixed)).map((gpu) => gpu.name)).to.deep.equal([
      "NVIDIA H200",
      "NVIDIA H200",
    ]);
    expect(offeredGpus(parseGpus(mixed), 1)).to.have.length(1);
  });
});

describe("a node's offer", () => {
  const hardware = {
    gpus: parseGpus(h200),
    sickGpus: [],
    cpuMilli: 16_000,
    memoryMib: 130_000,
    diskGib: 1_000,
    ports: 8,
  };
  const options = { region: "DE", price: 5n };

  it("encodes the hardware in the registry's format", () => {
    const { spec, gpuName } = offerOf(hardware, options);
    expect(gpuName).to.equal("NVIDIA H200");
    expect(spec).to.deep.include({ vramMib: 143_771, computeCapability: 90, region: "0x4445" });
    expect(spec.gpuModel)
      .to.equal(gpuModelOf("NVIDIA H200"))
      .and.match(/^0x[0-9a-f]{16}$/);
    expect(spec.total).to.deep.equal({
      gpus: 2,
      cpuMilli: 16_000,
      memoryMib: 130_000,
      diskGib: 1_000,
      ports: 8,
    });
  });

  it("keeps the GPUs that leases hold, because the registry refuses fewer", () => {
    const { spec } = offerOf(hardware, options);
    const lost = offerOf({ ...hardware, gpus: [] }, options);
    const leased = { spec, free: { ...spec.total, gpus: 1 } };
    expect(withLeasedGpus(lost, leased).spec).to.deep.include({ gpuModel: spec.gpuModel, vramMib: 143_771 });
    expect(withLeasedGpus(lost, leased).spec.total.gpus).to.equal(1);
    expect(withLeasedGpus(lost, { spec, free: spec.total }).spec.total.gpus).to.equal(0);
  });

  it("is updated when it changes, except for small changes of the disk", () => {
    const offer = offerOf(hardware, options);
    const changed = (change: Partial<typeof hardware>) => offerOf({ ...hardware, ...change }, options);
    expect(offerDiffers(offer, offer)).to.equal(false);
    expect(offerDiffers(offer, changed({ diskGib: 920 }))).to.equal(false);
    expect(offerDiffers(offer, changed({ diskGib: 800 }))).to.equal(true);
    expect(offerDiffers(offer, changed({ cpuMilli: 8_000 }))).to.equal(true);
    expect(offerDiffers(offer, changed({ gpus: [] }))).to.equal(true);
    expect(offerDiffers(offer, { ...offer, pricePerSecond: 6n })).to.equal(true);
  });
});

describe("a container's GPUs", () => {
  const engine = { market: "aa", node: "0x01" } as Engine;
  const lease = { workspaceId: 1n, replica: 0, lease: 1, fence: "0x01" } as unknown as Assignment;
  const config = { image: "a/b", ports: [80], env: {}, health: "/healthz" };
  const plan = {
    type: "runnable",
    reference: "a/b",
    memoryMib: 64,
    diskGib: 1,
    cpuMilli: 100,
    config,
  } as unknown as RunnablePlan;
  const hostOf = (gpuUuids: string[], devices?: { paths: string[]; groups: string[] }) =>
    workspaceContainer(engine, {
      lease,
      plan,
      gpuUuids,
      user: "65534:65534",
      network: "ngpu",
      ...(devices && { devices }),
    }).HostConfig;

  it("are NVIDIA's by UUID, and other vendors' by the device files of the lease's cards alone", () => {
    expect(hostOf(["GPU-a"])?.DeviceRequests?.[0]?.DeviceIDs).to.deep.equal(["GPU-a"]);
    const host = hostOf(["AMD-1"], { paths: ["/dev/kfd", "/dev/dri/renderD128"], groups: ["44", "104"] });
    expect(host?.DeviceRequests).to.equal(undefined);
    expect(
      host?.Devices?.map((one: { PathOnHost: string; CgroupPermissions: string }) => [
        one.PathOnHost,
        one.CgroupPermissions,
      ]),
    ).to.deep.equal([
      ["/dev/kfd", "rw"],
      ["/dev/dri/renderD128", "rw"],
    ]);
    expect(host).to.deep.include({ GroupAdd: ["44", "104"], CapDrop: ["ALL"], Privileged: false });
    expect(hostOf([])).to.not.have.any.keys("Devices", "DeviceRequests", "GroupAdd");
  });
});
