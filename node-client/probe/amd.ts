import { z } from "zod";
import { busAddressOf, withDevices } from "./devices.ts";
import { cardGpu, cleanName, firstLine, type GpuInventory, merged, none, sickCard } from "./gpu.ts";
import { jsonIn, runTool } from "./tool.ts";

const scalar = z.union([z.string(), z.number()]);
const amount = z.union([scalar, z.object({ value: scalar, unit: z.string() })]);
/** A card of `amd-smi static --json`. */
const staticCard = z.object({
  gpu: scalar,
  asic: z.object({ market_name: z.string(), asic_serial: scalar.optional() }),
  bus: z.object({ bdf: z.string() }).optional(),
  vram: z.object({ size: amount.optional(), vram_size_mb: amount.optional() }).optional(),
});
const rocmOutput = z.record(z.string(), z.record(z.string(), z.unknown()));

/** Reads AMD's cards from `amd-smi`, or from its predecessor `rocm-smi`. */
export async function readAmd(): Promise<GpuInventory> {
  const current = await runTool("amd-smi", ["static", "--asic", "--bus", "--vram", "--json"]);
  const read = current === undefined ? undefined : parseAmdSmi(current.stdout);
  if (read !== undefined) return read;
  const flags = ["--showproductname", "--showmeminfo", "vram", "--showuniqueid", "--showbus", "--json"];
  const legacy = await runTool("rocm-smi", flags);
  const rocm = legacy === undefined ? undefined : parseRocmSmi(legacy.stdout);
  if (rocm !== undefined) return rocm;
  const failed = current ?? legacy;
  if (failed === undefined) return none;
  const text = `${failed.stderr}\n${failed.stdout}`;
  if (failed.failure === undefined && /no (json data|amd gpu)/i.test(text)) return none;
  const detail = firstLine(text) || firstLine(failed.failure ?? "no output");
  return {
    gpus: [],
    sick: [{ code: "gpu_driver_failed", id: current ? "amd-smi" : "rocm-smi", name: null, detail }],
  };
}

/** Undefined: the output has no list of cards. */
function parseAmdSmi(text: string): GpuInventory | undefined {
  const document = jsonIn(text);
  const list = Array.isArray(document)
    ? document
    : (document as { gpu_data?: unknown } | undefined)?.gpu_data;
  if (!Array.isArray(list)) return undefined;
  return merged(
    list.map((entry: unknown, index) => {
      const parsed = staticCard.safeParse(entry);
      if (!parsed.success)
        return sickCard("gpu_unreadable", `amd-smi GPU ${index}`, null, JSON.stringify(entry));
      const { asic, bus, vram, gpu } = parsed.data;
      return cardOf({
        label: `amd-smi GPU ${gpu}`,
        name: asic.market_name,
        serial: String(asic.asic_serial ?? ""),
        bus: busAddressOf(bus?.bdf),
        memoryMib: mibOf(vram?.size ?? vram?.vram_size_mb),
      });
    }),
  );
}

/** Undefined: the output has no card. */
function parseRocmSmi(text: string): GpuInventory | undefined {
  const parsed = rocmOutput.safeParse(jsonIn(text));
  const cards = Object.entries(parsed.data ?? {}).filter(([name]) => /^card\d+$/.test(name));
  if (cards.length === 0) return undefined;
  return merged(
    cards.map(([label, fields]) => {
      const field = (name: string) => {
        const key = Object.keys(fields).find((one) => one.toLowerCase() === name);
        const value = key === undefined ? undefined : fields[key];
        return typeof value === "string" || typeof value === "number" ? String(value) : "";
      };
      const bytes = field("vram total memory (b)");
      return cardOf({
        label: `rocm-smi ${label}`,
        name:
          [field("card series"), field("card model"), field("device name")].find((one) => !isBlank(one)) ??
          "",
        serial: field("unique id"),
        bus: busAddressOf(field("pci bus")),
        memoryMib: mibOf({ value: bytes, unit: "B" }),
      });
    }),
  );
}

type Fields = {
  label: string;
  name: string;
  serial: string;
  bus: string | undefined;
  memoryMib: number | undefined;
};

function cardOf({ label, name: text, serial, bus, memoryMib }: Fields): GpuInventory {
  const hasSerial = /^(0x)?[0-9a-f]{6,}$/i.test(serial) && !/^(0x)?0+$/.test(serial);
  const uuid = hasSerial
    ? `AMD-${serial.replace(/^0x/i, "").toLowerCase()}`
    : `AMD-${bus ?? label.replace(/\W+/g, "-")}`;
  const name = cleanName(text);
  if (isBlank(name)) return sickCard("gpu_unreadable", uuid, null, label);
  if (memoryMib === undefined) return sickCard("gpu_memory_unknown", uuid, name, label);
  return withDevices(cardGpu({ name, uuid, memoryMib, hasSerial }), bus, ["/dev/kfd"]);
}

const isBlank = (text: string) => /^(|N\/A|unknown)$/i.test(text.trim());

/** AMD's tools print MB for MiB. Undefined: not an amount. */
function mibOf(size: z.output<typeof amount> | undefined): number | undefined {
  const { value, unit } = typeof size === "object" ? size : { value: size ?? "", unit: "MB" };
  const [, digits = "", own] = /^(\d+(?:\.\d+)?)\s*([KMG]?i?B)?$/i.exec(String(value).trim()) ?? [];
  if (digits === "") return undefined;
  const power = { b: -2, k: -1, m: 0, g: 1 }[(own ?? unit).charAt(0).toLowerCase()];
  const mib = power === undefined ? 0 : Math.floor(Number(digits) * 1024 ** power);
  return mib > 0 && mib < 2 ** 24 ? mib : undefined;
}
