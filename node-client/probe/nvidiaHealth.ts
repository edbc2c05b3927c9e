import { firstLine, type GpuInventory, type SickGpu } from "./gpu.ts";
import { runTool } from "./tool.ts";

type Query = { field: string /** Undefined: the value says nothing of the card's health. */; judge: Judge };
type Judge = (value: string) => "healthy" | Exclude<SickGpu["code"], "gpu_driver_failed"> | undefined;

/**
 * What the driver knows of a card that it can still read, most telling first; the first that says something counts. Each field is
 * queried by itself: a driver that does not know one refuses the whole query.
 *
 * - A failed remapping of memory rows is a defect of the card.
 * - The recovery action says whether the card can be used at this time, after any Xid. Drivers have it since R570.
 * - Without it, errors of the memory that ECC cannot correct count, until the card is reset.
 */
const queries: readonly Query[] = [
  {
    field: "remapped_rows.failure",
    judge: (value) => (/^yes$/i.test(value) ? "gpu_memory_errors" : undefined),
  },
  {
    field: "gpu_recovery_action",
    judge: (value) => {
      if (/^none$/i.test(value)) return "healthy";
      return /^(gpu )?reset$|reboot|drain/i.test(value) ? "gpu_reset_required" : undefined;
    },
  },
  {
    field: "ecc.errors.uncorrected.volatile.total",
    judge: (value) => (/^\d+$/.test(value) && Number(value) > 0 ? "gpu_memory_errors" : undefined),
  },
];

/** Leaves out the cards that the driver reads and calls faulty. A query that fails as a whole says nothing. */
export async function withoutFaulty(program: string, inventory: GpuInventory): Promise<GpuInventory> {
  if (inventory.gpus.length === 0) return inventory;
  const format = "--format=csv,noheader,nounits";
  const outputs = await Promise.all(
    queries.map(({ field }) => runTool(program, [`--query-gpu=uuid,${field}`, format])),
  );
  return judged(
    inventory,
    outputs.map((output) => output?.stdout ?? ""),
  );
}

function judged({ gpus, sick }: GpuInventory, outputs: readonly string[]): GpuInventory {
  const verdicts = new Map<string, SickGpu["code"] | "healthy">();
  const details = new Map<string, string>();
  for (const [index, { field, judge }] of queries.entries()) {
    for (const line of (outputs[index] ?? "").split(/\r?\n/)) {
      const at = line.indexOf(",");
      const uuid = line.slice(0, Math.max(0, at)).trim();
      const value = line.slice(at + 1).trim();
      const verdict = judge(value);
      if (at < 0 || verdict === undefined || verdicts.has(uuid)) continue;
      verdicts.set(uuid, verdict);
      details.set(uuid, firstLine(`${field}: ${value}`));
    }
  }
  const faulty = gpus.flatMap((gpu): SickGpu[] => {
    const code = verdicts.get(gpu.uuid);
    if (code === undefined || code === "healthy") return [];
    return [{ code, id: gpu.uuid, name: gpu.name, detail: details.get(gpu.uuid) ?? "" }];
  });
  const ids = new Set(faulty.map(({ id }) => id));
  return { gpus: gpus.filter(({ uuid }) => !ids.has(uuid)), sick: [...sick, ...faulty] };
}
