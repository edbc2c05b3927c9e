import { minVramMibOf, sizeOfRequirement } from "@ngpu/placement/gpuMemory";
import { modelsNamed, nearNames } from "@ngpu/placement/gpuNames";
import { expect } from "chai";
import fc from "fast-check";
import { models } from "../../node-client/fixtures/gpuOutputs.ts";

describe("placement: sizes of GPU memory", () => {
  const fits = (gib: number, mib: number) => mib >= minVramMibOf(gib);

  it("accepts cards of the size they are sold with", () => {
    const cards: [gib: number, mib: number][] = [
      [24, 24_564],
      [24, 24_576],
      [24, 23_028],
      [24, 23_034],
      [24, 22_731],
      [23.9, 24_564],
      [80, 81_559],
      [80, 81_920],
      [80, 81_251],
      [40, 40_960],
      [40, 40_536],
      [16, 16_376],
      [16, 15_360],
      [16, 15_109],
      [16, 16_160],
      [48, 49_140],
      [48, 46_068],
      [48, 45_634],
      [141, 143_771],
      [94, 95_830],
      [96, 97_871],
      [32, 32_607],
      [12, 12_288],
      [11, 11_264],
      [192, 196_592],
      [180, 183_359],
      [20, 20_464],
      [8, 7_618],
    ];
    for (const [gib, mib] of cards) expect(fits(gib, mib), `${mib} MiB for ${gib}`).to.equal(true);
  });

  it("accepts no card that is sold with less", () => {
    const cards: [gib: number, mib: number][] = [
      [24, 20_475],
      [24, 22_528],
      [23.9, 22_528],
      [80, 73_728],
      [80, 49_140],
      [48, 40_960],
      [16, 12_288],
      [12, 11_264],
      [96, 95_830],
      [144, 143_771],
      [20, 16_376],
      [17, 16_384],
      [32, 24_576],
      [11, 10_240],
      [192, 183_359],
    ];
    for (const [gib, mib] of cards) expect(fits(gib, mib), `${mib} MiB for ${gib}`).to.equal(false);
  });

  it("requires more for more, and a whole size is read back", () => {
    const size = fc.double({ min: 0, max: 16_000, noNaN: true });
    fc.assert(fc.property(size, size, (a, b) => a > b || minVramMibOf(a) <= minVramMibOf(b)));
    for (const gib of [8, 12, 16, 20, 24, 32, 40, 48, 80, 96, 141, 192]) {
      expect(sizeOfRequirement(minVramMibOf(gib))).to.equal(gib);
    }
  });
});

describe("placement: names of GPUs", () => {
  const market = ["GeForce RTX 2080 Ti", "NVIDIA H100 80GB HBM3 MIG 1g.10gb"];
  const names = (typed: string) => modelsNamed(typed, market).names;

  it("finds the card that a short name stands for", () => {
    const cards: Record<string, string[]> = {
      "RTX 4090": ["NVIDIA GeForce RTX 4090"],
      rtx4090: ["NVIDIA GeForce RTX 4090"],
      "4090": ["NVIDIA GeForce RTX 4090"],
      "nvidia rtx 4090 24GB": ["NVIDIA GeForce RTX 4090"],
      "ＲＴＸ　４０９０": ["NVIDIA GeForce RTX 4090"],
      "GeForce RTX™ 4090": ["NVIDIA GeForce RTX 4090"],
      "RTX 4090 D": ["NVIDIA GeForce RTX 4090 D"],
      "4090 laptop": ["NVIDIA GeForce RTX 4090 Laptop GPU"],
      "3080ti": ["NVIDIA GeForce RTX 3080 Ti"],
      "4070 ti super": ["NVIDIA GeForce RTX 4070 Ti SUPER"],
      "h100 sxm": ["NVIDIA H100 80GB HBM3"],
      "H100 SXM5": ["NVIDIA H100 80GB HBM3"],
      "H100 PCIe": ["NVIDIA H100 PCIe"],
      "a100 80gb": ["NVIDIA A100 80GB PCIe", "NVIDIA A100-SXM4-80GB"],
      "a100-40g": ["NVIDIA A100-PCIE-40GB", "NVIDIA A100-SXM4-40GB"],
      A10: ["NVIDIA A10"],
      T4: ["Tesla T4"],
      "t 4": ["Tesla T4"],
      "L 40S": ["NVIDIA L40S"],
      "H-100 PCIe": ["NVIDIA H100 PCIe"],
      L40: ["NVIDIA L40"],
      "7900 XT": ["AMD Radeon RX 7900 XT"],
      MI300X: ["AMD Instinct MI300X"],
      "rtx 2080 ti": ["NVIDIA GeForce RTX 2080 Ti", "GeForce RTX 2080 Ti"],
      "RTX 6000 Ada": ["NVIDIA RTX 6000 Ada Generation"],
      "Max 1550": ["Intel Data Center GPU Max 1550"],
    };
    for (const [typed, found] of Object.entries(cards)) expect(names(typed), typed).to.have.members(found);
  });

  it("finds each recorded card by names that people type, and by the size it is sold with", () => {
    const typed: Record<string, [names: string[], gib: number]> = {
      "NVIDIA H100 80GB HBM3": [["H100 80GB", "h100-sxm-80gb", "NVIDIA H100 SXM5 80G"], 80],
      "NVIDIA A100-SXM4-80GB": [["A100 80GB", "a100 sxm 80 GB", "A100-SXM4 80g"], 80],
      "NVIDIA A100-SXM4-40GB": [["A100 40GB", "A100 SXM 40GiB"], 40],
      "NVIDIA A10": [["A10", "nvidia a10 24gb"], 24],
      "NVIDIA L40S": [["L40S", "l40s 48GB"], 48],
      "NVIDIA L4": [["L4", "NVIDIA L4 24 GB"], 24],
      "Tesla T4": [["T4", "NVIDIA T4", "tesla-t4"], 16],
      "NVIDIA H200": [["H200", "H200 SXM", "h200 141GB"], 141],
      "NVIDIA RTX A6000": [["A6000", "RTX A6000", "rtx-a6000 48gb"], 48],
      "NVIDIA A800 80GB PCIe": [["A800 80GB PCIe", "A800 PCI-E"], 80],
      "NVIDIA GeForce RTX 3080": [["3080", "RTX3080", "geforce rtx 3080"], 20],
      "GeForce GTX TITAN X": [["GTX TITAN X", "titan x"], 12],
      "NVIDIA GeForce RTX 4090": [["RTX 4090", "rtx-4090", "4090 24GB", "GeForce RTX™ 4090"], 24],
      "NVIDIA RTX A4000": [["A4000", "RTX A4000 16G"], 16],
    };
    for (const [name, [spellings, gib]] of Object.entries(typed)) {
      const fixture = models.flatMap(({ gpus }) => gpus).find(([model]) => model === name);
      expect(fixture?.[1], name).to.be.at.least(minVramMibOf(gib));
      for (const spelling of spellings)
        expect(modelsNamed(spelling, [name]).names, spelling).to.include(name);
    }
  });

  it("suggests what the market has for a name that no card has", () => {
    const offered = ["NVIDIA GeForce RTX 4090", "NVIDIA A100-SXM4-80GB", "AMD Instinct MI300X"];
    for (const [mistyped, meant] of [
      ["RTX 4090 Ti Super", offered[0]],
      ["RTX 40900", offered[0]],
      ["Geforce 409O", offered[0]],
      ["A100-SXN", offered[1]],
      ["MI300", offered[2]],
    ] as const) {
      const found = modelsNamed(mistyped, offered);
      expect(found.names, mistyped).to.deep.equal([]);
      expect(found.near[0], mistyped).to.equal(meant);
    }
    expect(modelsNamed("toaster", offered).near).to.deep.equal([]);
  });

  it("takes an exact name for itself alone, in any case", () => {
    expect(names("nvidia h200")).to.deep.equal(["NVIDIA H200"]);
    expect(names("H200")).to.have.members(["NVIDIA H200", "NVIDIA H200 NVL"]);
  });

  it("never takes one card for another", () => {
    expect(names("A100").every((name) => name.includes("A100"))).to.equal(true);
    expect(names("H100")).to.not.include("NVIDIA H100 80GB HBM3 MIG 1g.10gb");
    for (const typed of ["RTX", "nvidia", "80GB", "RTX 9999", "AMD 4090", "RTX 6000", ""]) {
      expect(names(typed), typed).to.deep.equal([]);
    }
  });

  it("requires the size that a name says and a model's name does not", () => {
    expect(modelsNamed("RTX 4090 48GB", []).minGib).to.equal(48);
    expect(modelsNamed("a100 80gb", []).minGib).to.equal(0);
  });

  it("suggests similar names, the most similar first", () => {
    const offered = [
      "NVIDIA GeForce RTX 4090",
      "NVIDIA GeForce RTX 4080",
      "NVIDIA H100 80GB HBM3",
      "Tesla T4",
    ];
    expect(nearNames("RTX 4099", offered)[0]).to.equal("NVIDIA GeForce RTX 4090");
    expect(nearNames("h1000", offered)[0]).to.equal("NVIDIA H100 80GB HBM3");
  });
});
