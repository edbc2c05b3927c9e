/**
 * A model's published figures: its name as the driver prints it, the memory that it is sold with, that memory's
 * bandwidth, and its floating-point operations of 32 bits without tensor units.
 */
export type GpuModel = {
  name: string;
  memoryGib: number;
  gbPerSecond: number;
  teraflops: number;
  source: string;
};

type Row = [name: string, memoryGib: number, gbPerSecond: number, teraflops: number];
const from = (source: string, prefix: string, rows: readonly Row[]): GpuModel[] =>
  rows.map(([name, memoryGib, gbPerSecond, teraflops]) => ({
    name: prefix + name,
    memoryGib,
    gbPerSecond,
    teraflops,
    source,
  }));

const geforce: Row[] = [
  ["GTX 1060 6GB", 6, 192, 4.4],
  ["GTX 1070", 8, 256, 6.5],
  ["GTX 1070 Ti", 8, 256, 8.2],
  ["GTX 1080", 8, 320, 8.9],
  ["GTX 1080 Ti", 11, 484, 11.3],
  ["GTX 1660", 6, 192, 5],
  ["GTX 1660 Ti", 6, 288, 5.4],
  ["GTX 1660 SUPER", 6, 336, 5],
  ["RTX 2060", 6, 336, 6.5],
  ["RTX 2060 SUPER", 8, 448, 7.2],
  ["RTX 2070", 8, 448, 7.5],
  ["RTX 2070 SUPER", 8, 448, 9.1],
  ["RTX 2080", 8, 448, 10.1],
  ["RTX 2080 SUPER", 8, 496, 11.2],
  ["RTX 2080 Ti", 11, 616, 13.4],
  ["RTX 3050", 8, 224, 9.1],
  ["RTX 3060", 12, 360, 12.7],
  ["RTX 3060 Ti", 8, 448, 16.2],
  ["RTX 3070", 8, 448, 20.3],
  ["RTX 3070 Ti", 8, 608, 21.7],
  ["RTX 3080", 10, 760, 29.8],
  ["RTX 3080 Ti", 12, 912, 34.1],
  ["RTX 3090", 24, 936, 35.6],
  ["RTX 3090 Ti", 24, 1008, 40],
  ["RTX 4060", 8, 272, 15.1],
  ["RTX 4060 Ti", 16, 288, 22.1],
  ["RTX 4070", 12, 504, 29.1],
  ["RTX 4070 SUPER", 12, 504, 35.5],
  ["RTX 4070 Ti", 12, 504, 40.1],
  ["RTX 4070 Ti SUPER", 16, 672, 44.1],
  ["RTX 4080", 16, 716, 48.7],
  ["RTX 4080 SUPER", 16, 736, 52.2],
  ["RTX 4090", 24, 1008, 82.6],
  ["RTX 4090 D", 24, 1008, 73.5],
  ["RTX 4090 Laptop GPU", 16, 576, 39.7],
  ["RTX 5060", 8, 448, 19.2],
  ["RTX 5060 Ti", 16, 448, 23.7],
  ["RTX 5070", 12, 672, 30.9],
  ["RTX 5070 Ti", 16, 896, 43.9],
  ["RTX 5080", 16, 960, 56.3],
  ["RTX 5090", 32, 1792, 104.8],
  ["RTX 5090 D", 32, 1792, 104.8],
  ["RTX 5090 Laptop GPU", 24, 896, 45.3],
];

const nvidia: Row[] = [
  ["A2", 16, 200, 4.5],
  ["A10", 24, 600, 31.2],
  ["A10G", 24, 600, 31.5],
  ["A16", 16, 200, 4.5],
  ["A30", 24, 933, 10.3],
  ["A40", 48, 696, 37.4],
  ["A100-PCIE-40GB", 40, 1555, 19.5],
  ["A100-SXM4-40GB", 40, 1555, 19.5],
  ["A100 80GB PCIe", 80, 1935, 19.5],
  ["A100-SXM4-80GB", 80, 2039, 19.5],
  ["A800-SXM4-80GB", 80, 2039, 19.5],
  ["A800 80GB PCIe", 80, 1935, 19.5],
  ["L4", 24, 300, 30.3],
  ["L20", 48, 864, 59.8],
  ["L40", 48, 864, 90.5],
  ["L40S", 48, 864, 91.6],
  ["H20", 96, 4000, 44],
  ["H100 PCIe", 80, 2000, 51.2],
  ["H100 80GB HBM3", 80, 3350, 67],
  ["H100 NVL", 94, 3900, 60],
  ["H200", 141, 4800, 67],
  ["H200 NVL", 141, 4800, 60],
  ["H800", 80, 3350, 67],
  ["GH200 480GB", 96, 4000, 67],
  ["B200", 180, 7700, 80],
  ["B300", 288, 8000, 80],
  ["GB200", 186, 8000, 80],
  ["GB300", 288, 8000, 80],
  ["GB10", 128, 273, 31],
  ["RTX A2000", 6, 288, 8],
  ["RTX A2000 12GB", 12, 288, 8],
  ["RTX A4000", 16, 448, 19.2],
  ["RTX A4500", 20, 640, 23.7],
  ["RTX A5000", 24, 768, 27.8],
  ["RTX A5500", 24, 768, 34.1],
  ["RTX A6000", 48, 768, 38.7],
  ["RTX 4000 SFF Ada Generation", 20, 280, 19.2],
  ["RTX 4000 Ada Generation", 20, 360, 26.7],
  ["RTX 4500 Ada Generation", 24, 432, 39.6],
  ["RTX 5000 Ada Generation", 32, 576, 65.3],
  ["RTX 6000 Ada Generation", 48, 960, 91.1],
  ["RTX PRO 4000 Blackwell", 24, 672, 46.9],
  ["RTX PRO 4500 Blackwell", 32, 896, 54.9],
  ["RTX PRO 5000 Blackwell", 48, 1344, 73.7],
  ["RTX PRO 6000 Blackwell Workstation Edition", 96, 1792, 125],
  ["RTX PRO 6000 Blackwell Max-Q Workstation Edition", 96, 1792, 110],
  ["RTX PRO 6000 Blackwell Server Edition", 96, 1597, 120],
];

const tesla: Row[] = [
  ["Tesla T4", 16, 320, 8.1],
  ["Tesla P4", 8, 192, 5.5],
  ["Tesla P40", 24, 346, 12],
  ["Tesla P100-PCIE-16GB", 16, 732, 9.3],
  ["Tesla V100-PCIE-16GB", 16, 900, 14],
  ["Tesla V100-PCIE-32GB", 32, 900, 14],
  ["Tesla V100-SXM2-16GB", 16, 900, 15.7],
  ["Tesla V100-SXM2-32GB", 32, 900, 15.7],
  ["Quadro RTX 5000", 16, 448, 11.2],
  ["Quadro RTX 6000", 24, 672, 16.3],
  ["Quadro RTX 8000", 48, 672, 16.3],
];

const amd: Row[] = [
  ["Instinct MI210", 64, 1638, 22.6],
  ["Instinct MI250X", 64, 1638, 23.9],
  ["Instinct MI300X", 192, 5300, 163.4],
  ["Instinct MI325X", 256, 6000, 163.4],
  ["Instinct MI350X", 288, 8000, 144.2],
  ["Instinct MI355X", 288, 8000, 157.3],
  ["Radeon RX 7900 XT", 20, 800, 51.6],
  ["Radeon RX 7900 XTX", 24, 960, 61.4],
  ["Radeon PRO W7900", 48, 864, 61.3],
];

const intel: Row[] = [
  ["Data Center GPU Max 1100", 48, 1229, 22.2],
  ["Data Center GPU Max 1550", 128, 3277, 52.4],
  ["Data Center GPU Flex 140", 6, 186, 8],
  ["Data Center GPU Flex 170", 16, 576, 16],
  ["Arc A770 Graphics", 16, 560, 19.7],
  ["Arc B580 Graphics", 12, 456, 13.7],
  ["Arc Pro B60 Graphics", 24, 456, 12.3],
];

/**
 * The models whose figures are known, one GPU as the driver lists it. A card of two dies has the figures of one. They
 * contradict a proof, and never replace one.
 */
export const gpuModels: readonly GpuModel[] = [
  ...from("NVIDIA GeForce specifications", "NVIDIA GeForce ", geforce),
  ...from("NVIDIA data sheets", "NVIDIA ", nvidia),
  ...from("NVIDIA data sheets", "", tesla),
  ...from("AMD specifications", "AMD ", amd),
  ...from("Intel specifications", "Intel ", intel),
];
