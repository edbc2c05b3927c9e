import { messageOf } from "@ngpu/runtime/errors";
import { answer, kindOf, nextTimestamp, type RpcAnswer, type RpcCall, refuse } from "./calls.ts";
import type { Entry, Journal } from "./journal.ts";
import { post, Upstream } from "./upstream.ts";

export const BLOCK_MS = 1_000;

type Listener = (header: unknown) => void;

/**
 * A proxy between a simulated chain and its clients. It makes the blocks, and journals every change before the chain
 * receives it. A chain with the same genesis time and the same changes has the same blocks, including their hashes.
 * So a chain that ended is restored exactly.
 */
export class Keeper {
  readonly #journal: Journal;
  readonly #now: () => number;
  readonly #upstream = new Upstream();
  readonly #listeners = new Set<Listener>();
  #last: number;
  // Changes run one after the other, in the order of the journal.
  #changes: Promise<unknown> = Promise.resolve();
  /** The last change that was sent to the chain. */
  #lastSent: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  /** True: a block for each transaction, in addition to those of the timer. */
  #isAutomining = false;

  /** @param options.genesis Timestamp of the genesis block, in seconds. */
  constructor(options: { journal: Journal; genesis: number; now?: () => number }) {
    this.#journal = options.journal;
    this.#now = options.now ?? Date.now;
    this.#last = options.genesis;
  }

  /** Replays the journal on a new chain, and serves the chain from then on. */
  async attach(url: string): Promise<void> {
    await this.#lastSent.catch(() => undefined);
    for await (const entry of this.#journal.read()) await perform(url, entry);
    this.#upstream.open(url);
    await this.mine();
    this.#timer ??= setInterval(() => void this.mine().catch(() => undefined), BLOCK_MS);
  }

  /** Called when the chain has ended: calls wait until another one is attached. */
  detach(): void {
    this.#upstream.close();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Makes a block. */
  mine(): Promise<void> {
    return this.#change(async () => {
      if (this.#upstream.isThere) await this.#makeBlock();
    });
  }

  /** Handles a request that is not about subscriptions. @throws RetryableError `chain_restarting` */
  async handle(call: RpcCall): Promise<RpcAnswer> {
    const kind = kindOf(call.method);
    if (kind === "heads") return refuse(call, -32601, `${call.method} needs a WebSocket.`);
    if (kind === "clock") {
      const why = "the embedded chain follows this machine's clock, and its history is fixed";
      return refuse(call, -32601, `${call.method} is not served: ${why}.`);
    }
    if (kind === "automine") {
      this.#isAutomining = call.params?.[0] === true;
      return answer(call, true);
    }
    const body = JSON.stringify({ ...call, jsonrpc: "2.0" });
    if (kind === "read") return parseAnswer(call, await this.#upstream.forward(body));
    const entry: Entry = [call.method, call.params ?? []];
    return this.#change(async () => {
      const result = parseAnswer(call, await this.#send(entry, body));
      if (this.#isAutomining && call.method.startsWith("eth_send")) await this.#makeBlock();
      return result;
    });
  }

  /** Forwards a body of reads unchanged. @throws RetryableError `chain_restarting` */
  read(body: string): Promise<string> {
    return this.#upstream.forward(body);
  }

  /** Calls back with the header of each new block. Returns a function that unsubscribes. */
  onHead(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #makeBlock(): Promise<void> {
    this.#last = nextTimestamp(this.#now(), this.#last);
    const entry: Entry = ["evm_mine", [this.#last]];
    await this.#send(entry, bodyOf(entry));
    if (this.#listeners.size > 0) await this.#announce();
  }

  async #announce(): Promise<void> {
    const latest = { method: "eth_getBlockByNumber", params: ["latest", false] };
    const block = parseAnswer(latest, await this.#upstream.forward(bodyOf([latest.method, latest.params])));
    if (!("result" in block)) return;
    for (const listener of this.#listeners) listener(block.result);
  }

  /** Journals a change, then sends it to the chain. A change that waits for a chain is not journaled yet. */
  async #send(entry: Entry, body: string): Promise<string> {
    const url = await this.#upstream.url();
    this.#journal.append(entry);
    const sent = post(url, body);
    this.#lastSent = sent;
    return sent;
  }

  #change<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#changes.catch(() => undefined).then(work);
    this.#changes = done;
    done.catch(() => undefined);
    return done;
  }
}

function bodyOf([method, params]: Entry): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
}

function parseAnswer(call: RpcCall, text: string): RpcAnswer {
  try {
    return JSON.parse(text) as RpcAnswer;
  } catch (error) {
    return refuse(call, -32603, `The chain's answer is not JSON: ${messageOf(error)}`);
  }
}

/** Replays an entry; a call that the chain rejected then is rejected now. */
async function perform(url: string, entry: Entry): Promise<void> {
  await post(url, bodyOf(entry));
}
