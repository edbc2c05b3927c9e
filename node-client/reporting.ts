import { assignmentStates, codeOf, type Milestone, milestones } from "@ngpu/contracts-sdk/enumNames";
import { bytesToHex, type Hex, stringToHex } from "viem";
import { elapsed } from "./elapsed.ts";
import { type Assignment, fencedKey } from "./leases.ts";
import type { Action, Facts, SubmittedMessage } from "./reconcileFacts.ts";

/** Milliseconds after which a refused message is sent again. */
const retryRefused = 20_000;
/** Milliseconds that the chain may take to show a message that match confirmed. */
const awaitConfirmed = 60_000;
const noDetail = `0x${"00".repeat(32)}` as Hex;

type ReportState = Extract<Action, { type: "report" }>["state"];

/** A report, unless it is on the chain or pending. */
export function reportIfNeeded(
  facts: Facts,
  lease: Assignment,
  state: ReportState,
  detail = noDetail,
): Action[] {
  const isOnChain = lease.state === state;
  if (isOnChain && !lease.lost && (state !== "running" || lease.detail === detail)) return [];
  const submitted = facts.reports.get(fencedKey(lease));
  if (submitted?.state === codeOf(assignmentStates, state) && submitted.detail === detail) {
    if (isPending(submitted, facts.now)) return [];
    // The contract has the state and rejected the new detail.
    if (isOnChain && !lease.lost && submitted.status === "refused") return [];
  }
  return [{ type: "report", lease, state, detail }];
}

/** Whether a report of the lease is pending. */
export function hasPendingReport(facts: Facts, lease: Assignment): boolean {
  const submitted = facts.reports.get(fencedKey(lease));
  return submitted !== undefined && isPending(submitted, facts.now);
}

/** A milestone, unless it or a later one is on the chain or pending. */
export function progressIfNeeded(facts: Facts, lease: Assignment, name: Milestone): Action[] {
  const milestone = codeOf(milestones, name);
  if (lease.milestone >= milestone) return [];
  const submitted = facts.progress.get(fencedKey(lease));
  if (submitted !== undefined && submitted.milestone >= milestone && isPending(submitted, facts.now))
    return [];
  return [{ type: "progress", lease, milestone }];
}

function isPending(submitted: SubmittedMessage, now: number): boolean {
  switch (submitted.status) {
    case "waiting":
    case "queued":
      return true;
    case "confirmed":
      return elapsed(now, submitted.settledAt ?? submitted.at) < awaitConfirmed;
    case "refused":
      return elapsed(now, submitted.settledAt ?? submitted.at) < retryRefused;
    case "expired":
      return false;
  }
}

/** Up to 16 mapped ports, big-endian uint16 each, in the order of the configuration. */
export function portsDetail(ports: number[], mapped: Record<number, number>): Hex {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  ports.slice(0, 16).forEach((port, index) => {
    view.setUint16(2 * index, mapped[port] ?? 0);
  });
  return bytesToHex(bytes);
}

/** A reason of at most 32 ASCII characters. */
export function reasonDetail(reason: string): Hex {
  return stringToHex(reason.replace(/[^\x20-\x7e]/g, "?").slice(0, 32), { size: 32 });
}

/** The first `wanted` GPUs that are not taken, or undefined when there are too few. */
export function freeGpus(
  offered: readonly string[],
  taken: ReadonlySet<string>,
  wanted: number,
): string[] | undefined {
  const free = offered.filter((uuid) => !taken.has(uuid)).slice(0, wanted);
  return free.length < wanted ? undefined : free;
}
