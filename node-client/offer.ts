import type { RelayMessage } from "@ngpu/protocol/relayKinds";
import { type Hex, keccak256, stringToHex, toBytes } from "viem";
import type { Hardware } from "./probe/hardware.ts";

type NodeSpec = RelayMessage<"register">["spec"];

/** A node's hardware and price, as the chain stores them. */
export type Offer = { spec: NodeSpec; pricePerSecond: bigint; gpuName: string };

/** The offer of a machine: its hardware in the node registry's format. @param options.price Token units (1e-18) a second. */
export function offerOf(hardware: Hardware, options: { region: string | undefined; price: bigint }): Offer {
  const [gpu] = hardware.gpus;
  return {
    gpuName: gpu?.name ?? "",
    pricePerSecond: options.price,
    spec: {
      gpuModel: gpu === undefined ? "0x0000000000000000" : gpuModelOf(gpu.name),
      vramMib: gpu?.memoryMib ?? 0,
      computeCapability: gpu?.computeCapability ?? 0,
      region: options.region === undefined ? "0x0000" : stringToHex(options.region),
      total: {
        gpus: hardware.gpus.length,
        cpuMilli: hardware.cpuMilli,
        memoryMib: hardware.memoryMib,
        diskGib: hardware.diskGib,
        ports: hardware.ports,
      },
    },
  };
}

/** First 8 bytes of the hash of a GPU's name. */
export function gpuModelOf(name: string): Hex {
  return keccak256(toBytes(name)).slice(0, 18) as Hex;
}

/** The id of a GPU on the chain, where one GPU belongs to one node. */
export function gpuIdOf(uuid: string): Hex {
  return keccak256(toBytes(uuid));
}

/**
 * Whether the registry's entry is to be updated. Free disk changes with every download, so a difference of up to a tenth
 * does not count; neither does 1 % of the memory.
 */
export function offerDiffers(onChain: Omit<Offer, "gpuName">, probed: Offer): boolean {
  const a = onChain.spec;
  const b = probed.spec;
  return (
    onChain.pricePerSecond !== probed.pricePerSecond ||
    a.gpuModel !== b.gpuModel ||
    a.vramMib !== b.vramMib ||
    a.computeCapability !== b.computeCapability ||
    a.region !== b.region ||
    a.total.gpus !== b.total.gpus ||
    a.total.cpuMilli !== b.total.cpuMilli ||
    a.total.ports !== b.total.ports ||
    Math.abs(a.total.memoryMib - b.total.memoryMib) > a.total.memoryMib / 100 ||
    Math.abs(a.total.diskGib - b.total.diskGib) > a.total.diskGib / 10
  );
}

/**
 * The offer with at least the GPUs that leases hold: the registry refuses fewer. A lost card under a lease is withdrawn
 * when the lease ends. While no card is healthy, the leases keep their model.
 */
export function withLeasedGpus(offer: Offer, onChain: { spec: NodeSpec; free: NodeSpec["total"] }): Offer {
  const held = onChain.spec.total.gpus - onChain.free.gpus;
  const { gpus } = offer.spec.total;
  if (gpus >= held) return offer;
  const { gpuModel, vramMib, computeCapability } = gpus === 0 ? onChain.spec : offer.spec;
  const total = { ...offer.spec.total, gpus: held };
  return { ...offer, spec: { ...offer.spec, gpuModel, vramMib, computeCapability, total } };
}
