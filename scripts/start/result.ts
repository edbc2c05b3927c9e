import type { StepTiming } from "./reporter.ts";

/** The one JSON object of `npm start -- --once --json`; every value is read back from where it lives. */
export type JourneyResult = {
  ok: true;
  steps: StepTiming[];
  node: { id: number; address: string };
  workspace: { id: string; image: string; containerId: string };
  measurement: { id: string; downMbps: number; upMbps: number; portsReachable: number };
  task: { id: string; nodeId: number; ms: number; result: unknown };
  epoch: { number: number; root: string; total: string };
  claim: { wallet: string; amount: string; txHash: string };
};

export type JourneyFailure = { ok: false; failedStep: string; error: string; steps: StepTiming[] };
