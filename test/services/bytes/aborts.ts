import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { chatBody, send } from "./client.ts";
import { afterRequest, type ByteMarket } from "./market.ts";

/** A client that left. `arrived`: its request had reached the container. `ms`: from its leaving to the container's closed socket. */
export type Abort = { taskId: string; leftAt: number; arrived: boolean; reached: boolean; ms: number };

type Open = { closed: Promise<number>; isOpen: boolean };

/** The longest a client's leaving may take to arrive, in milliseconds. */
const deadline = 10_000;

/** A container that streams events until its client leaves, and knows its requests by their task. */
export function streamForever(market: ByteMarket): Map<string, Open> {
  const opened = new Map<string, Open>();
  const { container } = market.workspaces[0] as ByteMarket["workspaces"][0];
  container.serve = (socket: Socket) => {
    let timer: NodeJS.Timeout | undefined;
    socket.once("close", () => clearInterval(timer));
    afterRequest(socket, (head) => {
      const closed = Promise.withResolvers<number>();
      const one: Open = { closed: closed.promise, isOpen: true };
      socket.once("close", () => {
        one.isOpen = false;
        closed.resolve(performance.now());
      });
      opened.set(/^x-request-id: (\S+)/im.exec(head)?.[1] ?? "", one);
      // The answer begins later than some of the clients leave.
      timer = setTimeout(() => {
        socket.write(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        timer = setInterval(() => socket.write("9\r\ndata: 1\n\n\r\n"), 20);
      }, 40);
    });
  };
  return opened;
}

/**
 * Sends a chat whose client leaves after some milliseconds.
 *
 * @param options.leaveAfter Milliseconds from the request on.
 */
export async function abortOnce(
  market: ByteMarket,
  opened: Map<string, Open>,
  { id, leaveAfter }: { id: string; leaveAfter: number },
): Promise<Abort> {
  const [workspace] = market.workspaces as [ByteMarket["workspaces"][0]];
  const sent = send(market, "/v1/chat/completions", chatBody(workspace.id), { "x-request-id": id });
  sent.seen.catch(() => undefined);
  await delay(leaveAfter);
  const leftAt = performance.now();
  sent.request.destroy();
  // A request that is on its way arrives within moments, or never.
  for (const end = leftAt + 250; !opened.has(id) && performance.now() < end; ) await delay(5);
  const one = opened.get(id);
  if (one === undefined) return { taskId: id, leftAt, arrived: false, reached: true, ms: 0 };
  opened.delete(id);
  return { taskId: id, leftAt, arrived: true, ...endOf(leftAt, await closingOf(one)) };
}

function endOf(leftAt: number, closedAt: number | undefined): { reached: boolean; ms: number } {
  if (closedAt === undefined) return { reached: false, ms: deadline };
  return { reached: true, ms: Math.max(0, closedAt - leftAt) };
}

/** When the container's connection closed; undefined: it is still open after the deadline. */
async function closingOf({ closed }: Open): Promise<number | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), deadline);
  try {
    return await Promise.race([closed, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs `count` aborts, `concurrency` at a time. The moments at which clients leave follow from the seed. */
export async function abortMany(
  market: ByteMarket,
  options: { count: number; concurrency: number; seed: number },
): Promise<Abort[]> {
  const opened = streamForever(market);
  const done: Abort[] = [];
  let state = options.seed >>> 0;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  let next = 0;
  const work = async () => {
    while (next < options.count) {
      const id = `abort-${options.seed}-${next++}`;
      done.push(await abortOnce(market, opened, { id, leaveAfter: 300 * random() }));
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
  // A request that arrived after its client was given up must end as well.
  return Promise.all(
    done.map(async (abort) => {
      const late = abort.arrived ? undefined : opened.get(abort.taskId);
      if (late === undefined) return abort;
      return { ...abort, arrived: true, ...endOf(abort.leftAt, await closingOf(late)) };
    }),
  );
}

/** The share of `values` in `0..1` below which a value lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
