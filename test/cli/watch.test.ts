import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { expect } from "chai";
import getPort from "get-port";
import { Webhook } from "standardwebhooks";
import { decodeFunctionData, type Hex, parseTransaction } from "viem";
import { generatePrivateKey } from "viem/accounts";
import { watchMarket } from "../../cli/watch/watch.ts";
import { temporaryDir } from "../embedded/setup.ts";
import { eventually } from "../services/support/context.ts";
import { honestEpoch } from "./recordedEpoch.ts";
import {
  account,
  earned,
  marketLogs,
  type Placed,
  type RecordedMarket,
  serveMarket,
} from "./recordedMarket.ts";
import { assigned, market as placements } from "./recordedPlacements.ts";
import { run, sourceOf } from "./runVerify.ts";

const honest = assigned(7, 1);
const lie = assigned(30, 3, { workspaceId: 1n, replica: 1, decidedAt: 28n, price: 30n });
const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

type Alert = { type: string; data: { kind: string; id: string; block: string; checks: object } };

/** A program that gets alerts. The first `refusals` are answered with 503. */
async function openReceiver(refusals = 0) {
  const alerts: Alert[] = [];
  let asked = 0;
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    asked += 1;
    if (asked > refusals) {
      const headers = request.headers as Record<string, string>;
      alerts.push(new Webhook(secret).verify(Buffer.concat(chunks).toString(), headers) as Alert);
    }
    response.writeHead(asked > refusals ? 204 : 503).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    alerts,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => server.close(),
  };
}

describe("watch", () => {
  let market: RecordedMarket | undefined;
  let receiver: Awaited<ReturnType<typeof openReceiver>> | undefined;
  afterEach(async () => {
    receiver?.close();
    await market?.close();
  });

  const open = async (refusals?: number) => {
    market = await serveMarket([...placements, honest, lie]);
    receiver = await openReceiver(refusals);
    const options = {
      ...sourceOf(market),
      receipts: true,
      exit: true,
      interval: 0.1,
      webhook: receiver.url,
      webhookSecret: secret,
    };
    return { market, receiver, options };
  };

  it("ends at the first difference with exit code 2, after its alert was taken", async () => {
    const given = await open(2);
    const { code } = await run(() => watchMarket({ ...given.options, json: false }));
    expect(code).to.equal(2);
    const [alert] = given.receiver.alerts;
    expect(given.receiver.alerts).to.have.lengthOf(1);
    expect(alert?.type).to.equal("market.differs");
    expect(alert?.data).to.deep.include({ kind: "placement", id: "1/1/1", block: "30" });
    expect(alert?.data.checks).to.include({ best: false });
  });

  it("compares what the chain adds, also after all its blocks were replaced", async () => {
    const given = await open();
    given.market.setHead(20);
    const address = `127.0.0.1:${await getPort()}`;
    const ends = run(() => watchMarket({ ...given.options, metrics: address, json: false }));
    const metrics = async () => (await fetch(`http://${address}/metrics`)).text();
    await eventually("the first blocks", async () =>
      (await metrics().catch(() => "")).includes('ngpu_watch_block{service="watch"} 20'),
    );
    expect(await metrics()).to.include('ngpu_watch_records_total{kind="placement",service="watch"} 1');
    given.market.reorganize();
    given.market.setHead(25);
    await eventually("the new blocks", async () =>
      (await metrics()).includes('ngpu_watch_block{service="watch"} 25'),
    );
    const counted = await metrics();
    expect(counted).to.include('ngpu_watch_failures_total{code="rpc_blocks_unlinked",service="watch"} 1');
    // The record that was seen before is counted once.
    expect(counted).to.include('ngpu_watch_records_total{kind="placement",service="watch"} 1');
    given.market.setHead(40);
    expect((await ends).code).to.equal(2);
    expect(given.receiver.alerts.map(({ data }) => data.id)).to.deep.equal(["1/1/1"]);
  });

  it("attests an epoch that is right, and disables one that differs, each with its key alone", async () => {
    using folder = temporaryDir();
    const key = join(folder.path, "key");
    writeFileSync(key, generatePrivateKey());
    const callsOf = async (logs: Placed[], keys: object) => {
      market = await serveMarket(logs);
      const last = Math.max(...logs.map(({ block }) => block));
      const address = `127.0.0.1:${await getPort()}`;
      const options = {
        ...sourceOf(market),
        receipts: true,
        exit: false,
        interval: 0.1,
        metrics: address,
        ...keys,
      };
      const ends = run(() => watchMarket({ ...options, json: false }));
      await eventually("all blocks", async () => {
        const answer = await fetch(`http://${address}/metrics`).catch(() => undefined);
        return (await answer?.text())?.includes(`ngpu_watch_block{service="watch"} ${last + 10}`);
      });
      process.emit("SIGINT");
      await ends;
      const { transactions } = market;
      await market.close();
      market = undefined;
      return transactions.map((sent: Hex) => {
        const { data = "0x" } = parseTransaction(sent);
        return decodeFunctionData({ abi: pomcAbi, data });
      });
    };
    const { root } = claimTreeOf([{ account, cumulative: earned }]);
    const honestLogs = await honestEpoch();
    const falseLogs = marketLogs(claimTreeOf([{ account, cumulative: earned + 1n }]).root, earned + 1n);
    expect(await callsOf(honestLogs, { attestWith: key })).to.deep.equal([
      { functionName: "attestEpoch", args: [1n, root] },
    ]);
    expect(await callsOf(falseLogs, { guardianWith: key })).to.deep.equal([
      { functionName: "disableEpoch", args: [1n] },
    ]);
    expect(await callsOf(honestLogs, { guardianWith: key })).to.deep.equal([]);
    expect(await callsOf(falseLogs, { attestWith: key })).to.deep.equal([]);
  });

  it("refuses a key, a receiver, a secret and an address that cannot be used, before it reads the chain", async () => {
    const given = await open();
    using folder = temporaryDir();
    const keyFile = join(folder.path, "key");
    writeFileSync(keyFile, "0x12");
    const codeOf = (changes: object) =>
      watchMarket({ ...given.options, ...changes, json: true }).then(
        () => "",
        ({ code }: { code: string }) => code,
      );
    expect(await codeOf({ attestWith: keyFile })).to.equal("watcher_key_invalid");
    expect(await codeOf({ guardianWith: "/nowhere" })).to.equal("watcher_key_invalid");
    expect(await codeOf({ webhook: "example" })).to.equal("alert_url_invalid");
    expect(await codeOf({ webhookSecret: "!" })).to.equal("alert_secret_invalid");
    expect(await codeOf({ metrics: "9400" })).to.equal("metrics_address_invalid");
  });
});
