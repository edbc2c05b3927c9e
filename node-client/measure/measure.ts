import { createCipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { Agent, type IncomingMessage } from "node:http";
import { measurementBounds } from "@ngpu/protocol/measurementBounds";
import type { RelayMessage } from "@ngpu/protocol/relayKinds";
import { drained } from "@ngpu/runtime/drained";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { z } from "zod";
import { callerToken } from "../probeToken.ts";
import { answerOf, failed, open, type Probe, requirePublic } from "./probeClient.ts";

export type Measurement = RelayMessage<"reveal">["result"];

export type MeasureOptions = {
  /** URL of the probe's mapped port. */
  url: string;
  /** The round's secret, which only the node and its measurers have. It is not sent. */
  token: string;
  signal: AbortSignal;
  /** The probe may be at an address that is not public. */
  privateAddresses: boolean;
  /** Most time and bytes of one transfer, and MiB of the disk test. */
  limits?: { milliseconds: number; bytes: number; diskMib: number };
};

const defaults = { milliseconds: 3_000, bytes: 256 * 2 ** 20, diskMib: 64 };
const latencySamples = 9;
const chunkBytes = 256 * 1024;
const zeros = Buffer.alloc(chunkBytes);
const zerosOf = (bytes: number) => (bytes <= chunkBytes ? zeros.subarray(0, bytes) : Buffer.alloc(bytes));

/**
 * Measures a node through its probe container: verifies that the mapped port leads to it, then measures latency, both
 * transfer rates and the disk. Each answer is bound to its connection, and to a challenge on it just before. Bytes and
 * seconds are those that the measurer counts; what the node says of itself only lowers them.
 *
 * @throws FatalError `probe_mismatch` when what answers at the port does not have the round's secret, `probe_not_public` when its
 * address is not public; RetryableError `probe_unreachable` or `probe_failed`.
 */
export async function measureProbe(options: MeasureOptions): Promise<Measurement> {
  const { milliseconds, bytes, diskMib } = options.limits ?? defaults;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const probe: MeasuredProbe = {
    agent,
    ...options,
    token: callerToken(options.token),
    secret: options.token,
  };
  try {
    requirePublic(probe);
    const latency = await medianLatency(probe);
    const down = await download(probe, { milliseconds, bytes });
    const up = await upload(probe, { milliseconds, bytes });
    const disk = await writeDisk(probe, diskMib);
    return {
      absent: false,
      downMbps: bounded(megabits(down), measurementBounds.downMbps),
      upMbps: bounded(megabits(up), measurementBounds.upMbps),
      latencyTenthMs: bounded(latency * 10, measurementBounds.latencyTenthMs),
      portsReachable: 1,
      diskFreeGib: Math.min(Math.floor(disk.freeBytes / 2 ** 30), measurementBounds.diskFreeGib),
      diskWriteMibps: bounded(disk.writeMibps, measurementBounds.diskWriteMibps),
    };
  } finally {
    agent.destroy();
  }
}

type MeasuredProbe = Probe & { secret: string };

/** Only the container with the round's secret can compute the response. @returns The key of the connection's next answer. */
async function challenge(probe: MeasuredProbe): Promise<Buffer> {
  const nonce = randomBytes(32).toString("hex");
  const answer = await answerOf(await open(probe, "GET", `/challenge?nonce=${nonce}`));
  const { hmac } = parseAnswer(z.object({ hmac: z.string() }), answer);
  requireCode(hmac, keyed(probe.secret, nonce));
  return keyed(probe.secret, `connection ${nonce}`);
}

function keyed(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function requireCode(given: unknown, expected: Buffer): void {
  const code = Buffer.from(typeof given === "string" ? given : "", "hex");
  if (code.length === expected.length && timingSafeEqual(code, expected)) return;
  throw mismatch();
}

function mismatch(): FatalError {
  return new FatalError("What answers at the node's port is not the probe that match ordered.", {
    code: "probe_mismatch",
    hint: "Forward the node's measured port to its own probe, not to another server.",
  });
}

/** An answer that the connection's key vouches for. */
async function boundAnswer(response: IncomingMessage, key: Buffer): Promise<string> {
  const body = await answerOf(response);
  requireCode(response.headers["x-probe-code"], keyed(key, `answer ${body}`));
  return body;
}

/** Of challenges, since only the probe itself can answer them. */
async function medianLatency(probe: MeasuredProbe): Promise<number> {
  const samples: number[] = [];
  for (let i = 0; i < latencySamples; i += 1) {
    const started = performance.now();
    await challenge(probe);
    samples.push(performance.now() - started);
  }
  samples.sort((a, b) => a - b);
  return samples[Math.floor(latencySamples / 2)] ?? 0;
}

type Transfer = { bytes: number; milliseconds: number };

/**
 * Measures from the request until either limit is reached. Bytes that arrive before the first is read count with the time that
 * they took. A node that sends less than it was asked for would be measured by a burst. The bytes follow from the connection's key, so no
 * one else can send them.
 */
async function download(probe: MeasuredProbe, limit: Transfer): Promise<Transfer> {
  const seed = keyed(await challenge(probe), "download");
  const expected = createCipheriv(
    "aes-256-ctr",
    createHash("sha256").update(seed).digest(),
    Buffer.alloc(16),
  );
  const started = performance.now();
  const response = await open(probe, "GET", `/download?bytes=${limit.bytes}`);
  let bytes = 0;
  let milliseconds = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength;
      milliseconds = performance.now() - started;
      if (!expected.update(zerosOf(chunk.byteLength)).equals(chunk)) throw mismatch();
      if (milliseconds >= limit.milliseconds) return { bytes, milliseconds };
    }
  } catch (error) {
    if (error instanceof FatalError) throw error;
    throw failed(`broke off the download: ${messageOf(error)}`, error);
  }
  if (bytes === limit.bytes) return { bytes, milliseconds };
  throw failed(`sent ${bytes} of ${limit.bytes} bytes`);
}

/**
 * Measures the bytes sent, over the time until the probe responds with their digest. The bytes are random, so only a peer that
 * received all of them knows it.
 */
async function upload(probe: MeasuredProbe, limit: Transfer): Promise<Transfer> {
  const key = await challenge(probe);
  const cipher = createCipheriv("aes-256-ctr", randomBytes(32), randomBytes(16));
  const hash = createHash("sha256");
  let bytes = 0;
  const started = performance.now();
  const response = await open(probe, "POST", "/upload", async (outgoing) => {
    while (
      bytes < limit.bytes &&
      performance.now() - started < limit.milliseconds &&
      !outgoing.writableEnded
    ) {
      const chunk = cipher.update(zeros);
      bytes += chunk.byteLength;
      hash.update(chunk);
      if (!outgoing.write(chunk)) await drained(outgoing);
    }
  });
  const { sha256 } = parseAnswer(z.object({ sha256: z.string() }), await boundAnswer(response, key));
  const milliseconds = performance.now() - started;
  if (sha256 !== hash.digest("hex")) throw failed("does not have the bytes that were sent");
  return { bytes, milliseconds };
}

const diskAnswer = z.object({ freeBytes: z.number().min(0), writeMibps: z.number().min(0) });

/** The rate that the probe reports, at most that of the whole request. */
async function writeDisk(probe: MeasuredProbe, mib: number): Promise<z.output<typeof diskAnswer>> {
  const key = await challenge(probe);
  const started = performance.now();
  const response = await open(probe, "POST", `/disk?mib=${mib}`);
  const answer = parseAnswer(diskAnswer, await boundAnswer(response, key));
  const seconds = (performance.now() - started) / 1_000;
  return { ...answer, writeMibps: Math.min(answer.writeMibps, mib / seconds) };
}

function parseAnswer<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw failed("gave an answer that cannot be read", error);
  }
}

function megabits({ bytes, milliseconds }: Transfer): number {
  return (bytes * 8) / 1000 / Math.max(milliseconds, 0.001);
}

/** A positive integer up to a bound. */
function bounded(value: number, highest: number): number {
  return Math.min(highest, Math.max(1, Math.round(value)));
}
