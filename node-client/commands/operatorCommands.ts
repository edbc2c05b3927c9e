import { setTimeout as sleep } from "node:timers/promises";
import { InputError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { type Command, InvalidArgumentError } from "commander";
import { parseEther } from "viem";
import { readLocalEnv } from "../env.ts";
import { requestClient } from "../operator/controlClient.ts";
import type { OfferChange } from "../operator/settings.ts";
import type { NodeStatus, OfferStatus } from "../operator/status.ts";
import { describeStatus } from "./describeStatus.ts";
import { aligned, pricePerHour } from "./format.ts";
import { marketView } from "./market.ts";

type Json = { json?: true };

const watchInterval = 2_000;
const drainPollInterval = 1_000;

/** Adds the commands that talk to the running client. */
export function addOperatorCommands(program: Command): void {
  program
    .command("status")
    .description("show the node, its leases, earnings and last measurement")
    .option("--json", "as JSON")
    .option("-w, --watch", "repeat every 2 s until interrupted")
    .action(showStatus);
  program
    .command("drain")
    .description("accept no new leases; the market moves the present ones to other nodes")
    .option("--wait", "wait until no lease is left")
    .option("--json", "as JSON")
    .action(drainNode);
  program
    .command("resume")
    .description("accept leases again")
    .option("--json", "as JSON")
    .action(async ({ json }: Json) => print(json, await post("/resume"), "This node accepts leases again."));
  program
    .command("wallet")
    .description("show the wallet that receives the earnings, or ask for another one")
    .argument("[address]", "address of the wallet, which then has to accept the node")
    .option("--json", "as JSON")
    .action(showWallet);
  addOfferCommands(program.command("offer").description("show or change what this node offers"));
}

async function showStatus({ json, watch }: Json & { watch?: true }): Promise<void> {
  for (;;) {
    const status = await readStatus();
    const { nodeId, wallet, address } = status;
    const market = await marketView(status.api, { nodeId, account: wallet ?? address });
    const text = json
      ? toJson({ ...status, market }, watch ? undefined : 2)
      : describeStatus(status, market, Date.now());
    const clear = watch && !json && process.stdout.isTTY ? "\x1b[2J\x1b[H" : "";
    process.stdout.write(`${clear}${text}\n`);
    if (!watch) return;
    await sleep(watchInterval);
  }
}

/** Drains the running node. @throws RetryableError `client_not_running`. */
export async function drainNode({ json, wait }: Json & { wait?: true }): Promise<void> {
  let status = await post("/drain");
  if (!json) process.stdout.write("This node accepts no new leases.\n");
  let left = -1;
  while (wait && status.leases.length > 0) {
    if (!json && status.leases.length !== left) process.stdout.write(`${status.leases.length} leases left\n`);
    left = status.leases.length;
    await sleep(drainPollInterval);
    status = await readStatus();
  }
  if (json) process.stdout.write(`${toJson(status, 2)}\n`);
  else if (wait) process.stdout.write("No lease is left.\n");
  else if (status.leases.length > 0)
    process.stdout.write(`${status.leases.length} leases run until they are moved: ngpu-node drain --wait\n`);
}

async function showWallet(asked: string | undefined, { json }: Json): Promise<void> {
  const status = asked === undefined ? await readStatus() : await post("/wallet", { wallet: asked });
  const { wallet, address, nodeId } = status;
  const lines = [`Wallet  ${wallet ?? `${address} (the node's own address)`}`];
  if (asked !== undefined)
    lines.push(
      `It receives the earnings once it accepts the node: npm run cli -- node accept ${nodeId ?? "<id>"}`,
    );
  print(json, { nodeId, address, wallet }, lines.join("\n"));
}

async function readStatus(): Promise<NodeStatus> {
  return (await requestClient(readLocalEnv().NODE_DIR, "GET", "/status")) as NodeStatus;
}

async function post(path: string, body?: unknown): Promise<NodeStatus> {
  return (await requestClient(readLocalEnv().NODE_DIR, "POST", path, body)) as NodeStatus;
}

function print(json: true | undefined, answer: unknown, sentence: string): void {
  process.stdout.write(json ? `${toJson(answer, 2)}\n` : `${sentence}\n`);
}

function addOfferCommands(offer: Command): void {
  offer
    .command("show")
    .description("show what this node offers")
    .option("--json", "as JSON")
    .action(async ({ json }: Json) => {
      const answer = (await requestClient(readLocalEnv().NODE_DIR, "GET", "/offer")) as OfferStatus;
      print(json, answer, describeOffer(answer));
    });
  offer
    .command("set")
    .description(
      "change the offer, from the next lease on; it outlasts restarts. 'default' returns to node.env's value",
    )
    .option("--price-per-hour <tokens>", "price of a replica in tokens an hour, such as 0.36", perHour)
    .option("--price <units>", "price of a replica in token units (1e-18) a second", text)
    .option("--gpus <count>", "GPUs to offer at most", count)
    .option("--cpu-milli <milli>", "CPU to offer at most, in thousandths of a core", count)
    .option("--memory-mib <mib>", "memory to offer at most, MiB", count)
    .option("--disk-gib <gib>", "disk to offer at most, GiB", count)
    .option("--ports <count>", "ports to offer at most", count)
    .option("--json", "as JSON")
    .action(setOffer);
}

type OfferOptions = Json & {
  pricePerHour?: string | null;
  price?: string | null;
} & Omit<OfferChange, "pricePerSecond">;

async function setOffer({ json, pricePerHour: hourly, price, ...limits }: OfferOptions): Promise<void> {
  if (hourly !== undefined && price !== undefined) {
    throw new InputError("--price and --price-per-hour are both given.", {
      code: "offer_invalid",
      hint: "Use one of them.",
    });
  }
  const pricePerSecond = price === undefined ? hourly : price;
  const change: OfferChange = { ...limits, ...(pricePerSecond !== undefined && { pricePerSecond }) };
  if (Object.keys(change).length === 0) {
    throw new InputError("Nothing is to be changed.", {
      code: "offer_invalid",
      hint: "See ngpu-node offer set --help.",
    });
  }
  const answer = (await requestClient(readLocalEnv().NODE_DIR, "PATCH", "/offer", change)) as OfferStatus;
  print(json, answer, describeOffer(answer));
}

function describeOffer(offer: OfferStatus): string {
  return aligned([
    ["Price", `${pricePerHour(offer.pricePerSecond)} (${offer.pricePerSecond} token units a second)`],
    ["GPUs", offer.gpus === 0 ? "none" : `${offer.gpus} × ${offer.gpuName}`],
    ["CPU", `${offer.cpuMilli / 1_000} cores`],
    ["Memory", `${offer.memoryMib} MiB`],
    ["Disk", `${offer.diskGib} GiB`],
    ["Ports", String(offer.ports)],
    ["Region", offer.region ?? "not set"],
  ]);
}

const unset = "default";

function text(value: string): string | null {
  return value === unset ? null : value;
}

function count(value: string): number | null {
  if (value === unset) return null;
  if (!/^\d{1,8}$/.test(value)) throw new InvalidArgumentError("It is not a whole number.");
  return Number(value);
}

/** Tokens an hour as token units a second, rounded up: the node never earns less than its operator asks. */
function perHour(value: string): string | null {
  if (value === unset) return null;
  if (!/^\d{1,9}(\.\d{1,18})?$/.test(value))
    throw new InvalidArgumentError("It is not a number of tokens such as 0.36.");
  return String((parseEther(value) + 3_599n) / 3_600n);
}
