import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { gpuModelOf, offerDiffers, offerOf } from "../../node-client/offer.ts";
import { offeredGpus, parseGpus, probeGpus } from "../../node-client/probe/gpus.ts";
import { probeHardware } from "../../node-client/probe/hardware.ts";

// Name, memory and capability as nvidia-smi prints them on a machine with an H200; the UUIDs are made up.
const h200 = [
  "NVIDIA H200, GPU-5a6f2c1e-0c1f-4a7e-9d55-3f0b8f5f7a10, 143771, 9.0",
  "NVIDIA H200, GPU-1b9e7d44-8c52-41b3-a1f4-6f8d2c0e9b21, 143771, 9.0",
  "",
].join("\n");
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
    rmSync(dir, { recursive: true });
  });

  /** Puts a fake `nvidia-smi` on PATH that prints `output`. */
  const fakeSmi = (output: string, code = 0) => {
    writeFileSync(join(dir, "output"), output);
    const file = join(dir, "nvidia-smi");
    writeFileSync(file, `#!/bin/sh\n/bin/cat ${dir}/output\nexit ${code}\n`);
    chmodSync(file, 0o755);
    process.env.PATH = dir;
  };

  it("finds none without nvidia-smi", async () => {
    process.env.PATH = dir;
    expect(await probeGpus()).to.deep.equal([]);
  });

  it("reads the GPUs that nvidia-smi prints", async () => {
    fakeSmi(h200);
    const gpus = await probeGpus();
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
    expect(await probeGpus()).to.deep.equal([]);
  });

  it("quotes a line that it cannot parse", async () => {
    fakeSmi("NVIDIA GB10, GPU-5a6f2c1e-0c1f-4a7e-9d55-3f0b8f5f7a10, [N/A], 12.1\n");
    const error = await probeGpus().catch((failure) => failure);
    expect(error.code).to.equal("gpu_probe_failed");
    expect(error.message).to.include("[N/A]");
    expect(error.hint).to.include("NODE_LIMIT_GPUS=0");
  });

  it("reports the driver's error", async () => {
    fakeSmi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", 9);
    const error = await probeGpus().catch((failure) => failure);
    expect(error.message).to.include("couldn't communicate with the NVIDIA driver");
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
  const hardware = { gpus: parseGpus(h200), cpuMilli: 16_000, memoryMib: 130_000, diskGib: 1_000, ports: 8 };
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
