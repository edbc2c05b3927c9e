import { cleanName, firstLine, type Gpu, type GpuInventory, merged, none, type SickGpu } from "./gpu.ts";
import { migInventory } from "./mig.ts";
import { withoutFaulty } from "./nvidiaHealth.ts";
import { runTool, type ToolOutput } from "./tool.ts";

const program = "nvidia-smi";
const format = "--format=csv,noheader,nounits";
/** Chips whose GPU has no memory of its own: DGX Spark, Jetson and their relatives. */
const unified = /\b(GB10|GB20B|N1X|Thor|Orin|Xavier|Tegra|nvgpu|Jetson)\b/i;
const uuidPattern =
  /\b(?:GPU-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\bGPU-[0-9a-f-]{8,}/i;
const busPattern = /\b(?:[0-9a-f]{4,8}:)?[0-9a-f]{2,8}:[0-9a-f]{2}\.[0-7]\b/i;

/** Reads NVIDIA's cards. The first query of old drivers lacks the compute capability; it is then unknown. */
export async function readNvidia(systemMemoryMib: number): Promise<GpuInventory> {
  let output = await runTool(program, ["--query-gpu=name,uuid,memory.total,compute_cap", format]);
  if (output === undefined) return none;
  if (/not a valid field/i.test(output.stdout + output.stderr)) {
    output = await runTool(program, ["--query-gpu=name,uuid,memory.total", format]);
    if (output === undefined) return none;
  }
  const read = await withoutFaulty(program, parseNvidia(output, systemMemoryMib));
  if (read.gpus.length === 0) return read;
  const [list, modes] = await Promise.all([
    runTool(program, ["-L"]),
    runTool(program, ["--query-gpu=uuid,mig.mode.current", format]),
  ]);
  return migInventory(read, list?.stdout ?? "", modes?.stdout ?? "");
}

/** Parses the cards, one a line. A line that is not a card is one of a sick card, a warning, or the whole tool's error. */
export function parseNvidia(output: ToolOutput, systemMemoryMib: number): GpuInventory {
  const [stdout, stderr] = [output.stdout, output.stderr].map((text) => text.replace(colors, "")) as [
    string,
    string,
  ];
  const { failure } = output;
  const lines = stdout.split(/\r?\n/).filter((line) => line.trim() !== "");
  const parts = lines.map((line) => cardOf(line) ?? complaintOf(line));
  const errors = stderr.split(/\r?\n/).map(complaintOf);
  const found = merged([...parts, ...errors].filter((part) => part !== undefined));
  const isEmpty = found.gpus.length === 0 && found.sick.length === 0;
  if (isEmpty && /no devices were found/i.test(stdout + stderr)) return none;
  if (isEmpty && (failure !== undefined || lines.length > 0)) {
    const detail = firstLine(stdout) || firstLine(stderr) || firstLine(failure ?? "");
    return { gpus: [], sick: [{ code: "gpu_driver_failed", id: program, name: null, detail }] };
  }
  return withSystemMemory(found, systemMemoryMib);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's colors begin with one
const colors = /\x1b\[[0-9;]*[A-Za-z]/g;

/** Memory of cards that have none of their own, until the system's is known. */
const shared = -1;

/** The cells of a line, in the forms that wrappers and locales give it: quoted, with semicolons or tabs. */
function cellsOf(line: string): string[] {
  return line.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"|"$/g, "").trim());
}

/** A line of CSV: the UUID divides it, so a name may contain commas. Undefined: the line describes no card. */
function cardOf(line: string): GpuInventory | undefined {
  const cells = cellsOf(line);
  if (cells.length < 3) return undefined;
  const at = cells.findIndex(
    (cell, index) => index > 0 && new RegExp(`^${uuidPattern.source}$`, "i").test(cell),
  );
  const nameEnd = at === -1 ? Math.max(1, cells.length - 3) : at;
  const name = cleanName(cells.slice(0, nameEnd).join(", "));
  const [uuid = "", ...values] = cells.slice(nameEnd);
  const { memoryText, capabilityText } = amountsOf(values);
  // A sentence of a warning may have commas; no card's does.
  if (at === -1 && !/^(\[.*\]|ERR!|N\/A)$/i.test(uuid)) return undefined;
  const sick = (code: SickGpu["code"]): GpuInventory => ({
    gpus: [],
    sick: [{ code, id: at === -1 ? name : uuid, name, detail: firstLine(line) }],
  });
  const error = errorCodeOf(line);
  if (error !== undefined) return sick(error);
  if (at === -1 || isBlank(name)) return sick("gpu_unreadable");
  const memoryMib = memoryOf(memoryText);
  if (memoryMib === undefined || memoryMib === 0) {
    if (!unified.test(name))
      return sick(isBlank(memoryText) || memoryMib === 0 ? "gpu_memory_unknown" : "gpu_unreadable");
    return card({ name, uuid, memoryMib: shared, computeCapability: capabilityOf(capabilityText) });
  }
  return card({ name, uuid, memoryMib, computeCapability: capabilityOf(capabilityText) });
}

/** Memory and capability. Their commas may divide thousands (`24,564 MiB`) or be the decimal point (`8,9`). */
function amountsOf(values: readonly string[]): { memoryText: string; capabilityText: string } {
  const parts = values.findIndex((value, index) => index > 0 && !/^\d{3}(\s*[MG]i?B)?$/i.test(value));
  const end = parts === -1 ? values.length : parts;
  return { memoryText: values.slice(0, end).join(""), capabilityText: values.slice(end).join(".") };
}

const card = (gpu: Gpu): GpuInventory => ({ gpus: [gpu], sick: [] });
const isBlank = (text: string) => /^(|\[?N\/?A\]?|\[Not Supported\])$/i.test(text);

/** What locales put between thousands, besides the comma. A number of MiB has no decimals. */
const thousands = /(?<=^\d{1,3})[ .'\u00a0\u202f](?=\d{3}\s*(MiB|MB)?$)/i;

/** `24564`, `24564 MiB`, `24,564` without its comma, `24 564`, `23.99 GiB`. Undefined: not an amount that a card can have. */
function memoryOf(text: string): number | undefined {
  const [, digits, unit = "mib"] =
    /^(\d{1,9}(?:\.\d+)?)\s*(MiB|MB|GiB|GB)?$/i.exec(text.replace(thousands, "")) ?? [];
  if (digits === undefined) return undefined;
  const mib = Math.floor(Number(digits) * (unit.toLowerCase().startsWith("g") ? 1024 : 1));
  return mib < 2 ** 24 ? mib : undefined;
}

/** The capability times ten; 0 where the driver does not know it. */
function capabilityOf(text = ""): number {
  return /^\d{1,2}\.\d$/.test(text) ? Math.min(255, Math.round(Number(text) * 10)) : 0;
}

function errorCodeOf(text: string): SickGpu["code"] | undefined {
  if (/GPU is lost|fallen off the bus|GPU not found/i.test(text)) return "gpu_lost";
  if (/requires reset|reset required/i.test(text)) return "gpu_reset_required";
  if (/Unknown Error|ERR!|GPU access blocked|Insufficient Permissions/i.test(text)) return "gpu_unreadable";
  return undefined;
}

/** A sentence about one card. Undefined: a warning, or an error of the whole tool. */
function complaintOf(line: string): GpuInventory | undefined {
  const code = errorCodeOf(line);
  const named =
    /\bGPU\s?(\d{1,2})?\b/i.test(line) && /device handle|GPU is lost|fallen off the bus/i.test(line);
  const id =
    uuidPattern.exec(line)?.[0] ??
    /GPU\s?([0-9a-f]{4,8}:[0-9a-f:.]+)/i.exec(line)?.[1] ??
    busPattern.exec(line)?.[0];
  if (id === undefined && !named) return undefined;
  if (code === undefined && !/device handle/i.test(line)) return undefined;
  const text = firstLine(line);
  return {
    gpus: [],
    sick: [
      { code: code ?? "gpu_unreadable", id: (id ?? text).replace(/[:.]+$/, ""), name: null, detail: text },
    ],
  };
}

/** Divides the system's memory among the chips that share it. */
function withSystemMemory({ gpus, sick }: GpuInventory, systemMemoryMib: number): GpuInventory {
  const count = gpus.filter((gpu) => gpu.memoryMib === shared).length;
  if (count === 0) return { gpus, sick };
  const memoryMib = Math.min(2 ** 24 - 1, Math.floor(systemMemoryMib / count));
  return { sick, gpus: gpus.map((gpu) => (gpu.memoryMib === shared ? { ...gpu, memoryMib } : gpu)) };
}
