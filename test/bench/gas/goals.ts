/** Maximum gas per unit of an act. Acts without a goal are measured for information. */
export const goals: Record<string, number> = {
  "heartbeat-10k-2": 4.2,
  "heartbeat-100k-2": 1.8,
  "register-50": 115_000,
  "register-50-gpu": 115_000,
  "publish-assign-start-50": 130_000,
  "report-state-50": 18_000,
  "settle-50": 25_000,
  "progress-first-50": 34_000,
  "progress-later-50": 16_500,
  "post-epoch-100k": 0.5,
  "claim-repeat": 56_000,
  "claim-first-existing": 73_000,
  "claim-fresh": 90_000,
  "claim-many-500": 15_000,
  "wave-10k-7": 75,
};
