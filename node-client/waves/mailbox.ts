import type { WavePartName } from "@ngpu/protocol/waves";
import { RetryableError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";

/** @deadline The wave's container to take a part of an answer, or to answer for its health. It is asked again. */
const requestDeadline = 5_000;
/** Milliseconds between two tries, and their number. */
const interval = 100;
const tries = 50;

/** Waits until the server of the wave's container responds. @throws RetryableError `wave_probe_silent` */
export async function awaitHealth(port: number, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; attempt < tries && !signal.aborted; attempt++) {
    if (await isOk(fetch(`http://127.0.0.1:${port}/healthz`, limited(signal)))) return;
    await rest(interval, signal);
  }
  throw silent(port);
}

/** Puts the parts of a device's answer where measurers read them. */
export function createPublisher(to: {
  port: number;
  device: number;
  driverToken: string;
  signal: AbortSignal;
}) {
  const { port, device, driverToken, signal } = to;
  return async (part: WavePartName, body: Uint8Array): Promise<void> => {
    const request = {
      method: "PUT",
      body: Buffer.from(body),
      headers: { authorization: `Bearer ${driverToken}` },
    };
    const url = `http://127.0.0.1:${port}/wave/${device}/${part}`;
    for (let attempt = 0; attempt < tries && !signal.aborted; attempt++) {
      if (await isOk(fetch(url, { ...request, ...limited(signal) }))) return;
      await rest(interval, signal);
    }
    throw silent(port);
  };
}

function limited(signal: AbortSignal) {
  return { signal: AbortSignal.any([signal, AbortSignal.timeout(requestDeadline)]) };
}

async function isOk(request: Promise<Response>): Promise<boolean> {
  try {
    const response = await request;
    await response.body?.cancel();
    // A part that is there was put by the try whose response was lost.
    return response.ok || response.status === 409;
  } catch {
    return false;
  }
}

function silent(port: number) {
  return new RetryableError(`The wave's container does not respond at port ${port}.`, {
    code: "wave_probe_silent",
    hint: "See the container's log; another program may use the port.",
  });
}
