import { eventLog } from "../../packages/chain-reader/scriptedChain.ts";
import { measurement, spec, word } from "./fixtures.ts";
import { type Act, account, zero } from "./marketState.ts";

export const nodeActs: Act = (state, upTo) => {
  const scale = upTo(1_000);
  if (state.nodes === 0 || upTo(4) === 0) {
    state.nodes += 1;
    const nodeId = state.nodes;
    const wallet = upTo(2) === 0 ? zero : account(upTo(5));
    const gpuUuids = Array.from({ length: upTo(3) }, (_, index) => word(nodeId * 10 + index));
    return [
      eventLog("ComputeNode", "NodeRegistered", {
        nodeId,
        key: account(100 + nodeId),
        wallet,
        isBound: upTo(2) === 0,
        spec: spec(scale),
        pricePerSecond: BigInt(scale),
        gpuName: `GPU \0 "${scale}"`,
        gpuUuids,
      }),
    ];
  }
  const nodeId = 1 + upTo(state.nodes);
  const choice = upTo(6);
  if (choice === 4)
    return [eventLog("ComputeNode", "NodeWalletNominated", { nodeId, wallet: account(upTo(5)) })];
  if (choice === 5) {
    const key = upTo(3) === 0 ? zero : account(1_000 + upTo(1_000));
    return [eventLog("ComputeNode", "NodeKeySet", { nodeId, key })];
  }
  if (choice === 0) return [eventLog("ComputeNode", "NodeStatusChanged", { nodeId, status: 1 + upTo(3) })];
  if (choice === 1) {
    const wallet = upTo(3) === 0 ? zero : account(upTo(5));
    return [eventLog("ComputeNode", "NodeWalletSet", { nodeId, wallet })];
  }
  if (choice === 2) {
    state.slots += 1n;
    const bits = word(upTo(255), 1);
    return [
      eventLog("ComputeNode", "HeartbeatsCommitted", {
        slot: state.slots,
        encoding: upTo(2),
        nodeCount: state.nodes,
        bits,
      }),
    ];
  }
  return [
    eventLog("ComputeNode", "NodeSpecUpdated", {
      nodeId,
      spec: spec(scale),
      pricePerSecond: BigInt(scale),
      gpuName: `GPU ${scale}`,
    }),
  ];
};

export const waveActs: Act = (state, upTo) => {
  if (state.nodes === 0) return nodeActs(state, upTo);
  const hash = () => word(upTo(1e9));
  if (state.waves === 0 || upTo(4) === 0) {
    state.waves += 1;
    const opened = { waveId: state.waves, fillBlock: upTo(1e6), fillHash: hash() };
    return [eventLog("ProofWaves", "WaveOpened", opened)];
  }
  const waveId = 1 + upTo(state.waves);
  const of = { waveId, measurerId: 1 + upTo(3) };
  const exceptions = word(upTo(3));
  switch (upTo(5)) {
    case 0: {
      const devices = Array.from({ length: upTo(3) }, hash);
      return [
        eventLog("ProofWaves", "HardwareClaimed", { nodeId: 1 + upTo(state.nodes), deadline: 99n, devices }),
      ];
    }
    case 1:
      return [eventLog("ProofWaves", "WavePosted", { ...of, stage: upTo(3), root: hash() })];
    case 2: {
      // The contract accepts no reveal without a post.
      const posted = eventLog("ProofWaves", "WavePosted", { ...of, stage: 2, root: hash() });
      const revealed = { ...of, results: hash(), transcripts: hash(), exceptions };
      return [posted, eventLog("ProofWaves", "WaveRevealed", revealed)];
    }
    case 3:
      return [eventLog("ProofWaves", "ExceptionsPublished", { waveId, exceptions, list: word(upTo(1e9)) })];
    default: {
      const hashes = { chaseHash: hash(), workHash: hash(), auditHash: hash() };
      return [eventLog("ProofWaves", "WaveSeedsRecorded", { waveId, ...hashes })];
    }
  }
};

export const measureActs: Act = (state, upTo) => {
  if (upTo(4) === 0) {
    state.measurers += 1;
    return [
      eventLog("Measure", "MeasurerRegistered", {
        measurerId: state.measurers,
        key: account(200 + state.measurers),
        wallet: zero,
        region: "0x4652",
      }),
      eventLog("Measure", "MeasurerAdmissionSet", { measurerId: state.measurers, admitted: upTo(2) === 0 }),
    ];
  }
  if (state.nodes === 0) return nodeActs(state, upTo);
  if (state.rounds === 0n || upTo(4) === 0) {
    state.rounds += 1n;
    const nodeId = 1 + upTo(state.nodes);
    return [
      eventLog("Measure", "MeasureRequested", {
        roundId: state.rounds,
        nodeId,
        opensAt: 10,
        closesAt: 2 ** 40 - 1,
        drawBlock: 5,
        draws: word(upTo(1e9)),
      }),
    ];
  }
  const roundId = BigInt(1 + upTo(Number(state.rounds)));
  const nodeId = 1;
  const scale = upTo(1_000);
  const choice = upTo(3);
  if (choice === 0) return [eventLog("Measure", "MeasureFailed", { roundId, nodeId, submissions: 0 })];
  if (choice === 1) {
    const result = measurement(scale);
    return [eventLog("Measure", "MeasureSubmitted", { roundId, nodeId, measurerId: 1, port: 80, result })];
  }
  return [
    eventLog("Measure", "MeasureFinalized", {
      roundId,
      nodeId,
      submissions: 1,
      median: measurement(scale),
      expiresAt: 99,
    }),
  ];
};
