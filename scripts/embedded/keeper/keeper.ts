import { messageOf } from "@ngpu/runtime/errors";
import { answer, kindOf, nextTimestamp, type RpcAnswer, type RpcCall, refuse } from "./calls.ts";
import type { Entry, Journal } from "./journal.ts";
import { post, Upstream } from "./upstream.ts";

export const BLOCK_MS = 2_000;

type Listener = (header: unknown) => void;

/**
 * Stands between a simulated chain and who uses it. It makes the blocks, and writes every change down before the chain
 * has it. A chain that begins in the same second and is given the same changes has the same blocks, to the hash: so one
 * that died comes back as it was.
 */
export class Keeper {
  readonly #journal: Journal;
  readonly #now: () => number;
  readonly #upstream = new Upstream();
  readonly #listeners = new Set<Listener>();
  #last: number;
  // Changes happen one after the other, in the order of the journal.
  #changes: Promise<unknown> = Promise.resolve();
  /** The change that the chain was given last. */
  #given: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  /** A block for each transaction, beside those of the timer. */
  #isAutomining = false;

  /** @param options.genesis The second in which the chain begins. */
  constructor(options: { journal: Journal; genesis: number; now?: () => number }) {
    this.#journal = options.journal;
    this.#now = options.now ?? Date.now;
    this.#last = options.genesis;
  }

  /** Brings a chain that has just begun to where the journal ends, and serves it from then on. */
  async attach(url: string): Promise<void> {
    await this.#given.catch(() => undefined);
    // It would print every call of the past once more.
    await perform(url, ["hardhat_setLoggingEnabled", [false]]);
    for await (const entry of this.#journal.read()) await perform(url, entry);
    await perform(url, ["hardhat_setLoggingEnabled", [true]]);
    this.#upstream.open(url);
    await this.mine();
    this.#timer ??= setInterval(() => void this.mine().catch(() => undefined), BLOCK_MS);
  }

  /** The chain has ended: calls wait until another is attached. */
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

  /** Answers a request that is not about subscriptions. @throws RetryableError `chain_restarts` */
  async handle(call: RpcCall): Promise<RpcAnswer> {
    const kind = kindOf(call.method);
    if (kind === "heads") return refuse(call, -32601, `${call.method} needs a WebSocket.`);
    if (kind === "clock") {
      const why = "the embedded chain follows this machine's clock, and its past stays";
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
      const given = parseAnswer(call, await this.#give(entry, body));
      if (this.#isAutomining && call.method.startsWith("eth_send")) await this.#makeBlock();
      return given;
    });
  }

  /** Passes a body of reads on as it is. @throws RetryableError `chain_restarts` */
  read(body: string): Promise<string> {
    return this.#upstream.forward(body);
  }

  /** Calls back at each new block with its header; gives a way to end that. */
  onHead(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #makeBlock(): Promise<void> {
    this.#last = nextTimestamp(this.#now(), this.#last);
    const entry: Entry = ["evm_mine", [this.#last]];
    await this.#give(entry, bodyOf(entry));
    if (this.#listeners.size > 0) await this.#announce();
  }

  async #announce(): Promise<void> {
    const latest = { method: "eth_getBlockByNumber", params: ["latest", false] };
    const told = parseAnswer(latest, await this.#upstream.forward(bodyOf([latest.method, latest.params])));
    if (!("result" in told)) return;
    for (const listener of this.#listeners) listener(told.result);
  }

  /** Writes a change down, then gives it to the chain. What waits for a chain is not written down yet. */
  async #give(entry: Entry, body: string): Promise<string> {
    const url = await this.#upstream.url();
    this.#journal.append(entry);
    const given = post(url, body);
    this.#given = given;
    return given;
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

/** What the chain refused then it refuses now. */
async function perform(url: string, entry: Entry): Promise<void> {
  await post(url, bodyOf(entry));
}
