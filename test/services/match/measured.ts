import type { ServerMessage } from "@ngpu/protocol/wire";
import type { Hex } from "viem";

/** The result of a measurement that a node passes. */
export const result = {
  absent: false,
  downMbps: 900,
  upMbps: 800,
  latencyTenthMs: 12,
  portsReachable: 1,
  diskFreeGib: 77,
  diskWriteMibps: 400,
};

/** The fields of an order that its result repeats. */
export function drawOf({ draw, port, salt, proof }: Extract<ServerMessage, { type: "measure" }>) {
  return { draw, port, salt: salt as Hex, proof: proof as [Hex, Hex, Hex] };
}
