import { z } from "zod";
import { busAddressOf, withDevices } from "./devices.ts";
import { cardGpu, cleanName, firstLine, type GpuInventory, merged, none, sickCard } from "./gpu.ts";
import { jsonIn, runTool } from "./tool.ts";

const program = "xpu-smi";
const scalar = z.union([z.string(), z.number()]);
const device = z.looseObject({
  device_id: scalar,
  device_name: z.string(),
  device_type: z.string().optional(),
  pci_bdf_address: z.string().optional(),
  serial_number: z.string().optional(),
  memory_physical_size_byte: scalar.optional(),
});
const listing = z.object({ device_list: z.array(z.unknown()) });

/** Reads Intel's cards. The listing lacks their memory, so each card is queried by itself. */
export async function readIntel(): Promise<GpuInventory> {
  const output = await runTool(program, ["discovery", "-j"]);
  if (output === undefined) return none;
  const list = listing.safeParse(jsonIn(output.stdout));
  if (!list.success) {
    const text = `${output.stdout}\n${output.stderr}`;
    if (/no (gpu )?devices? (was |were )?found|no device/i.test(text)) return none;
    const detail = firstLine(text) || firstLine(output.failure ?? "no output");
    return { gpus: [], sick: [{ code: "gpu_driver_failed", id: program, name: null, detail }] };
  }
  return merged(await Promise.all(list.data.device_list.map(readCard)));
}

async function readCard(entry: unknown, index: number): Promise<GpuInventory> {
  const listed = device.safeParse(entry);
  if (!listed.success)
    return sickCard("gpu_unreadable", `${program} device ${index}`, null, JSON.stringify(entry));
  const { device_id: number, pci_bdf_address: address, device_name: text } = listed.data;
  const details = await runTool(program, ["discovery", "-d", String(number), "-j"]);
  const one = device.partial().safeParse(jsonIn(details?.stdout ?? ""));
  const bus = busAddressOf(address);
  const serial = one.data?.serial_number ?? "";
  const hasSerial = /^[0-9a-z]{6,}$/i.test(serial) && !/^unknown$/i.test(serial);
  // The tool's own UUID repeats the card's place and type: machines of one kind have equal ones.
  const uuid = hasSerial ? `INTEL-${serial}` : `INTEL-${bus ?? number}`;
  const name = cleanName(text.replace(/\((R|TM)\)/gi, ""));
  const bytes = Number(
    one.data?.memory_physical_size_byte ?? listed.data.memory_physical_size_byte ?? Number.NaN,
  );
  const memoryMib = Math.floor(bytes / 2 ** 20);
  if (!(memoryMib > 0 && memoryMib < 2 ** 24)) {
    return sickCard("gpu_memory_unknown", uuid, name, firstLine(details?.stdout ?? "") || "no memory size");
  }
  return withDevices(cardGpu({ name, uuid, memoryMib, hasSerial }), bus, []);
}
