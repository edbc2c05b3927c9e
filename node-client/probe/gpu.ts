/** One healthy GPU as its driver describes it. */
export type Gpu = {
  name: string;
  uuid: string;
  memoryMib: number;
  /** CUDA compute capability times ten; 0: unknown, or not an NVIDIA GPU. */
  computeCapability: number;
  /** Device files that a container needs. Undefined: the engine's NVIDIA runtime selects the card by its UUID. */
  devices?: string[];
  /** The UUID is derived from the card's place in this machine: another machine may have the same one. */
  isLocal?: true;
};

/** Why a card is not offered. */
export const sickCodes = [
  /** The driver lost the card, or it left the bus. */
  "gpu_lost",
  /** The driver asks for a reset of the card. */
  "gpu_reset_required",
  /** The driver reads the card and reports errors of its memory that it cannot correct. */
  "gpu_memory_errors",
  /** A field has an error or an unknown value. */
  "gpu_unreadable",
  /** The card has no amount of memory, and is not known to share the system's. */
  "gpu_memory_unknown",
  /** The card is divided by MIG, and has no MIG device that can be offered. */
  "gpu_mig",
  /** The device files of the card cannot be handed to a container. */
  "gpu_device_missing",
  /** The driver's tool failed as a whole. */
  "gpu_driver_failed",
] as const;

/** A card that is not offered. */
export type SickGpu = {
  code: (typeof sickCodes)[number];
  /** UUID, bus address or tool: what identifies the card to its operator. */
  id: string;
  name: string | null;
  /** What the driver printed. */
  detail: string;
};

export type GpuInventory = { gpus: Gpu[]; sick: SickGpu[] };

export const none: GpuInventory = { gpus: [], sick: [] };

/** All cards, each once. A card that one line describes and another calls sick is sick: it is not offered. */
export function merged(inventories: readonly GpuInventory[]): GpuInventory {
  const gpus = new Map(inventories.flatMap((one) => one.gpus).map((gpu) => [keyOf(gpu.uuid), gpu]));
  const sick = new Map<string, SickGpu>();
  for (const one of inventories.flatMap((inventory) => inventory.sick)) {
    const name = one.name ?? gpus.get(keyOf(one.id))?.name ?? null;
    sick.set(`${keyOf(one.id)}/${one.code}`, { ...one, name });
  }
  for (const { id } of sick.values()) gpus.delete(keyOf(id));
  return { gpus: [...gpus.values()], sick: [...sick.values()] };
}

/** Drivers print a UUID in either case, with its prefix or without. */
const keyOf = (id: string) => id.toLowerCase().replace(/^gpu-/, "");

/** A name as the chain stores it: one line, printable, at most 120 characters. */
export function cleanName(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 120);
}

/** The first line of a text, shortened for logs. */
export function firstLine(text: string): string {
  return (text.trim().split("\n")[0] ?? "").trim().slice(0, 300);
}

/** A card of a maker other than NVIDIA. Without a serial number its UUID is unique on this machine only. */
export function cardGpu({
  name,
  uuid,
  memoryMib,
  hasSerial,
}: {
  name: string;
  uuid: string;
  memoryMib: number;
  hasSerial: boolean;
}): Gpu {
  return { name, uuid, memoryMib, computeCapability: 0, ...(hasSerial ? {} : { isLocal: true as const }) };
}

/** The inventory of one card that cannot be offered. */
export function sickCard(
  code: SickGpu["code"],
  id: string,
  name: string | null,
  detail: string,
): GpuInventory {
  return { gpus: [], sick: [{ code, id, name, detail: firstLine(detail) }] };
}
