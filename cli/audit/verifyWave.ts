import { createBlockClock, readMarketLogs } from "@ngpu/audit/chainHistory";
import { createChainClient } from "@ngpu/chain-reader/client";
import { readHeader } from "@ngpu/chain-reader/rpc";
import { InputError } from "@ngpu/runtime/errors";
import { type DeviceVerdict, keyOf } from "@ngpu/waves/types";
import { type Wave, waveEvents, waveOf } from "@ngpu/waves/waveLogs";
import { readEvidence } from "./evidenceFiles.ts";
import { type SourceOptions, sourceOf } from "./recompute.ts";
import { printVerdict } from "./verdict.ts";
import { auditWave, type WaveAudit, type WaveHeaders } from "./waveAudit.ts";

type Options = SourceOptions & { json: boolean; evidence?: string };

/**
 * Recomputes a wave of the proof of hardware from an RPC endpoint, and with evidence what devices proved. The exit code is
 * 0 if everything agrees, else 2.
 */
export async function verifyWave(number: string, options: Options): Promise<void> {
  if (!/^[1-9]\d{0,9}$/.test(number)) {
    throw new InputError(`${number} is not the number of a wave.`, {
      code: "wave_number_invalid",
      hint: "Waves are numbered from 1; GET /v1/nodes/{id}/proof names those of a node.",
    });
  }
  const { wave, audit } = await audited(Number(number), options, true);
  const { checks, verdict, evidence, outliers } = audit;
  const of = (outcome: string) => verdict.devices.filter((device) => device.outcome === outcome).length;
  printVerdict(
    options,
    checks,
    { wave: summaryOf(wave), verdict, outliers, evidence: evidence.map(shownOf) },
    [
      `Wave ${wave.waveId} began at block ${wave.blocks.fill}. Drawn measurers: ${idsOf(wave.drawn)}.`,
      verdict.held
        ? `Held: ${of("passed")} devices passed, ${of("failed")} failed, ${of("kept")} keep their last proof, ` +
          `about ${of("undecided")} measurers differ.`
        : `Not held (${verdict.reason}), so it counts for no device.`,
      ...verdict.devices.filter(({ contested }) => contested).map(contestedText),
      ...evidence.flatMap(({ file, verdict: own }) => (own.accepted ? [] : [`${file}: ${own.message}`])),
      ...(outliers.length === 0 ? [] : [`Measurers with other results, or none: ${outliers.join(", ")}.`]),
    ],
  );
}

/**
 * Recomputes what one device proved in a wave: from the statements of measurers, and from its evidence where it is given.
 *
 * @param id Wave, node and device, as in 12/7/0.
 */
export async function verifyMeasurement(id: string, options: Options): Promise<void> {
  const [waveId, nodeId, device] = /^[1-9]\d{0,9}\/\d{1,10}\/\d{1,3}$/.test(id)
    ? id.split("/").map(Number)
    : [];
  if (waveId === undefined || nodeId === undefined || device === undefined) {
    throw new InputError(`${id} is not the id of a measurement.`, {
      code: "measurement_id_invalid",
      hint: "Name wave, node and device, as in 12/7/0.",
    });
  }
  const { wave, audit } = await audited(waveId, options, false);
  const key = keyOf({ nodeId, device });
  const own = audit.verdict.devices.find((verdict) => keyOf(verdict) === key);
  if (own === undefined) {
    throw new InputError(`Wave ${waveId} did not challenge device ${device} of node ${nodeId}.`, {
      code: "device_not_challenged",
      hint: "A wave challenges the devices that a node's key claimed before its first block.",
    });
  }
  const stated = wave.statements.map(({ measurerId, exceptions }) => {
    return { measurerId, shares: exceptions.get(key) ?? { memory: 255, bandwidth: 255, arithmetic: 255 } };
  });
  const claimed = wave.challenged.find((challenged) => keyOf(challenged) === key)?.figures;
  const { checks, outliers, verdict } = audit;
  const figures = { measurement: id, held: verdict.held, claimed, ...own, stated, outliers };
  printVerdict(options, checks, figures, [
    `${own.outcome}${verdict.held ? "" : `, in a wave without a verdict (${verdict.reason})`}.`,
    `Proven: ${own.proven.bytes} bytes, ${own.proven.bytesPerSecond} bytes/s, ${own.proven.operationsPerSecond} operations/s.`,
    ...(own.contested ? [contestedText(own)] : []),
    ...stated.map(({ measurerId, shares: { memory, bandwidth, arithmetic } }) => {
      return `Measurer ${measurerId} states ${memory}, ${bandwidth} and ${arithmetic} of 255.`;
    }),
    ...audit.evidence.flatMap(({ file, verdict: shown }) =>
      shown.accepted ? [] : [`${file}: ${shown.message}`],
    ),
  ]);
}

async function audited(
  waveId: number,
  options: Options,
  isFolder: boolean,
): Promise<{ wave: Wave; audit: WaveAudit }> {
  const { deployment, rpcUrls } = await sourceOf(options);
  const client = createChainClient({ chainId: deployment.chainId, rpcUrls });
  const { number: upTo } = await readHeader(client, "latest");
  const clock = createBlockClock(client, upTo);
  const logs = await readMarketLogs(client, deployment, { events: waveEvents, upTo, clock, untimed: true });
  const terms = deployment.parameters.waves;
  const wave = waveOf(logs, waveId, terms);
  if (wave === undefined) {
    throw new InputError(`The chain has no wave ${waveId}.`, {
      code: "wave_not_found",
      hint: "Waves are numbered from 1, in the order in which they were opened.",
    });
  }
  const headers: WaveHeaders = {};
  for (const name of ["fill", "chase", "work", "answered", "audit"] as const) {
    const block = BigInt(wave.blocks[name]);
    if (block > upTo) continue;
    const { hash, timestamp } = await readHeader(client, block);
    headers[name] = { hash, time: Number(timestamp) };
  }
  const evidence = options.evidence === undefined ? [] : readEvidence(options.evidence, isFolder);
  return { wave, audit: auditWave({ wave, logs, terms, headers, evidence }) };
}

const idsOf = (measurers: Wave["drawn"]) =>
  measurers.map(({ measurerId }) => measurerId).join(", ") || "none";

function contestedText({ nodeId, device }: DeviceVerdict): string {
  return `Measurers differ about device ${device} of node ${nodeId}: its evidence decides.`;
}

function shownOf({ file, nodeId, device, verdict }: WaveAudit["evidence"][number]) {
  return { file, nodeId, device, ...verdict };
}

function summaryOf({ waveId, blocks, fillHash, rules, drawn, withheld }: Wave) {
  return { waveId, blocks, fillHash, rules, drawn: drawn.map(({ measurerId }) => measurerId), withheld };
}
