/** Numbers of the faults whose switches were passed during the recording. */
export const passed = new Set<number>();

let state: "off" | "recording" | number = "off";

/** Turns one fault on, all off, or records the passed ones. Takes effect from the next snapshot on. */
export function setSwitch(next: typeof state): void {
  state = next;
}

export function coinbaseOf(): `0x${string}` {
  const value = state === "off" ? 0 : state === "recording" ? 1 : 0x1000000 + state;
  return `0x${value.toString(16).padStart(40, "0")}`;
}
