import { randomUUID } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { Webhook } from "standardwebhooks";
import { encodeFunctionData, parseEther } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { temporaryDir } from "../embedded/setup.ts";
import { bringUp, image } from "../services/apiServer/partner.ts";
import { type ApiMarket, setup } from "../services/apiServer/setup.ts";
import { echo, type NodeServer } from "../services/gateway/node.ts";
import { eventually } from "../services/support/context.ts";
import { startReceiver } from "../services/webhooks/receiver.ts";
import { accounts, privateKeyOf } from "../services/workspace/chain.ts";
import { runCli } from "../support/runCli.ts";

/** A container that chats word by word and repeats other requests. */
function container(state: { chats: { messages: { content: string }[] }[] }): NodeServer {
  return async (incoming, outgoing) => {
    const path = incoming.url?.replace(/^\/w\/\d+\/\d+\/\d+/, "") ?? "";
    if (path === "/broken") return void outgoing.writeHead(500).end("no");
    if (path === "/picture") {
      outgoing.writeHead(200, { "content-type": "image/png" });
      return void outgoing.end(Buffer.from([137, 80, 78, 71]));
    }
    if (path !== "/v1/chat/completions") return echo("container")(incoming, outgoing);
    state.chats.push(JSON.parse((await buffer(incoming)).toString()));
    outgoing.writeHead(200, { "content-type": "text/event-stream" });
    for (const content of ["A lease ", "is a number."]) {
      outgoing.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
    }
    outgoing.end("data: [DONE]\n\n");
    return undefined;
  };
}

describe("a partner's work on the command line", function () {
  this.timeout(240_000);
  const state: Parameters<typeof container>[0] = { chats: [] };
  const home = temporaryDir();
  const walletKey = generatePrivateKey();
  const wallet = privateKeyToAccount(walletKey);
  const walletFile = join(home.path, "wallet.key");
  let api: ApiMarket;
  let nodeId: number;

  const cli = (args: string[], options: Omit<Parameters<typeof runCli>[1] & object, "env"> = {}) =>
    runCli(args, { cwd: home.path, ...options, env: { XDG_CONFIG_HOME: home.path } });
  /** Runs a command that succeeds. */
  const done = async (args: string[], options = {}) => {
    const { code, stdout, stderr } = await cli(args, options);
    expect(`${code} ${stderr}`, args.join(" ")).to.match(/^0 /);
    return stdout;
  };
  const read = async <Value>(...args: string[]) => JSON.parse(await done([...args, "--json"])) as Value;

  before(async () => {
    api = await setup({ explains: true, faucetKey: privateKeyOf("relayer"), limits: { signIn: 1_000 } });
    const args = [accounts.relayer.address, parseEther("150")] as const;
    const data = encodeFunctionData({ abi: tokenAbi, functionName: "transfer", args });
    await api.chain.call("treasury", "Token", data);
    nodeId = await api.addServingNode("node", container(state));
    await api.addServingNode("spare", echo("spare"));
    await api.market.exported();
    writeFileSync(walletFile, `${walletKey}\n`, { mode: 0o600 });
  });
  after(async () => {
    await api.stop();
    home[Symbol.dispose]();
  });

  it("signs in with a wallet and stores the key in a private profile", async () => {
    const stdout = await done(["login", "--wallet", walletFile, "--api", api.url]);
    expect(stdout).to.include(`Logged in to ${api.url} as ${wallet.address.toLowerCase()}.`);
    const file = join(home.path, "ngpu/profiles.json");
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    expect(stdout).not.to.include("ngpu_");
    const [key] = await read<{ name: string }[]>("keys");
    expect(key?.name).to.equal("ngpu");
  });

  it("invites a member, who signs in with an own wallet, and shows what both did", async () => {
    const memberKey = generatePrivateKey();
    const member = privateKeyToAccount(memberKey).address.toLowerCase();
    const file = join(home.path, "member.key");
    writeFileSync(file, memberKey, { mode: 0o600 });
    const invitation = (await done(["members", "invite", "developer", "--name", "Ada"])).trim();
    expect(await done(["members", "invitations"])).to.include("Ada");
    const login = ["login", "--api", api.url, "--profile", "team", "--wallet", file];
    await done([...login, "--invitation", invitation]);
    await done(["profiles", "--use", "default"]);
    const account = wallet.address.toLowerCase();
    const refused = await cli(["members", "invite", "viewer", "--profile", "team"]);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.include("role_insufficient");
    expect(await done(["members"])).to.match(new RegExp(`${member} +developer +Ada`));
    await done(["members", "role", member, "viewer"]);
    type Entry = { member: string; action: string };
    const lines = (await done(["audit", "--json"])).trim().split("\n");
    const entries = lines.map((line) => JSON.parse(line) as Entry);
    expect(entries.map(({ member: by, action }) => [by, action])).to.deep.include.members([
      [account, "POST /v1/members/{wallet}"],
      [member, "POST /v1/members/invitations"],
      [member, "POST /v1/accounts"],
    ]);
    await done(["members", "rm", member]);
    expect((await cli(["balance", "--profile", "team"])).stderr).to.include("api_key_invalid");
  });

  it("sets secrets from arguments, a file and stdin, and shows no value", async () => {
    const file = join(home.path, "key.pem");
    writeFileSync(file, "-----\n");
    expect(await done(["secrets", "set", "TOKEN=hf_value", "OTHER=a=b"])).to.equal(
      "Secret OTHER is set (version 1).\nSecret TOKEN is set (version 1).\n",
    );
    await done(["secrets", "set", "key.pem", "--file", file]);
    await done(["secrets", "set", "TYPED"], { input: "typed\n" });
    const listed = await read<{ name: string; bytes: number }[]>("secrets", "ls");
    expect(listed.map(({ name, bytes }) => [name, bytes])).to.deep.equal([
      ["OTHER", 3],
      ["TOKEN", 8],
      ["TYPED", 5],
      ["key.pem", 6],
    ]);
    expect(await done(["secrets"])).not.to.match(/hf_value|typed/);
    expect(await done(["secrets", "rm", "OTHER", "TYPED"])).to.include("Secret OTHER is deleted.");
    const wrong = await cli(["secrets", "set", "A=1", "hf_value"]);
    expect([wrong.code, wrong.stderr.includes("hf_value")]).to.deep.equal([1, false]);
  });

  it("creates and revokes keys, and logs in with one from stdin", async () => {
    const key = (await done(["keys", "create", "ci"])).trim();
    expect(key).to.match(/^ngpu_[0-9a-f]{16}_[0-9a-f]{64}$/);
    await done(["login", "--profile", "ci", "--api", api.url], { input: `${key}\n` });
    expect(await done(["profiles", "--use", "default"])).to.match(/^\*\s+default\s/m);
    const listed = await done(["profiles"]);
    expect(listed)
      .to.match(/^\s+ci\s/m)
      .and.not.to.include(key);
    const reader = (await done(["keys", "create", "reader", "--scope", "read", "--expires", "1d"])).trim();
    const denied = await cli(["keys", "--key", reader, "--api", api.url]);
    expect(denied.stderr).to.match(/^The API key lacks the scope keys\.\n.*\n\(scope_missing, request /);
    const next = (await done(["keys", "rotate", reader.slice(5, 21), "--overlap", "0s"])).trim();
    expect(await done(["ps", "--key", next, "--api", api.url])).to.match(/^ID /);
    expect(await done(["keys"])).to.match(/ reader +read +\S+ \S+ +\S+ \S+ +\d{4}-\S+ \S+$/m);
    expect(await done(["keys", "rm", key.slice(5, 21)])).to.include("is revoked");
    const refused = await cli(["ps", "--profile", "ci", "--json"]);
    expect(refused.code).to.equal(1);
    const { error } = JSON.parse(refused.stderr) as { error: Record<string, unknown> };
    expect(error).to.include({ code: "api_key_invalid", status: 401 });
    expect(error.request_id).to.match(/./);
    await done(["logout", "--profile", "ci"]);
    const wrong = await cli(["login", "--profile", "ci", "--api", api.url], { input: "ngpu_wrong\n" });
    expect([wrong.code, wrong.stderr.split("\n")[0]]).to.deep.equal([1, "The API key is not valid."]);
    expect(readFileSync(join(home.path, "ngpu/profiles.json"), "utf8")).not.to.include("ci");
  });

  it("creates, lists, rotates, pauses and deletes webhooks, and shows and repeats what they were sent", async () => {
    const secret = (
      await done(["webhooks", "create", "http://127.0.0.1:9/hook", "--event", "task.failed"])
    ).trim();
    expect(secret).to.match(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const [hook] = await read<{ id: string; url: string; events: string[] }[]>("webhooks");
    expect(hook).to.deep.include({ url: "http://127.0.0.1:9/hook", events: ["task.failed"] });
    const id = hook?.id ?? "";
    expect(await done(["webhooks", "list"])).to.match(
      new RegExp(`^${id} +http://127.0.0.1:9/hook +task.failed +ok$`, "m"),
    );
    const next = (await done(["webhooks", "rotate", id, "--overlap", "1h"])).trim();
    expect(next)
      .to.match(/^whsec_/)
      .and.not.to.equal(secret);
    const eventId = (await done(["webhooks", "test", id])).trim();
    expect(await done(["webhooks", "deliveries", id])).to.match(
      new RegExp(`^${eventId} +webhook.test +\\S+ \\S+ +pending +0 +none yet$`, "m"),
    );
    const [delivery] = await read<{ eventId: string; status: string }[]>("webhooks", "deliveries", id);
    expect(delivery).to.include({ eventId, status: "pending" });
    expect(await done(["webhooks", "replay", id, eventId])).to.equal("Events that are sent again: 0.\n");
    expect(await done(["webhooks", "replay", id, "--since", "1h"])).to.equal(
      "Events that are sent again: 0.\n",
    );
    const unclear = await cli(["webhooks", "replay", id, "--json"]);
    expect((JSON.parse(unclear.stderr) as { error: { code: string } }).error.code).to.equal("replay_unclear");
    expect(await done(["webhooks", "disable", id])).to.equal(`Webhook ${id} is disabled.\n`);
    expect(await done(["webhooks"])).to.include("disabled (partner)");
    expect(await done(["webhooks", "enable", id])).to.equal(`Webhook ${id} is enabled.\n`);
    expect(await done(["webhooks", "rm", id])).to.equal(`Webhook ${id} is deleted.\n`);
  });

  it("prints events, and forwards them, signed, to a program on this machine", async () => {
    const [{ wallet: owner } = { wallet: "" }] = (
      await api.db.query<{ wallet: string }>("select wallet from app.api_key order by created_at limit 1")
    ).rows;
    const body = { id: randomUUID(), type: "task.failed", timestamp: new Date().toISOString(), data: {} };
    const target = await startReceiver((response) => response.writeHead(202).end());
    const secret = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;
    const waits = Promise.withResolvers<void>();
    const printed = Promise.withResolvers<void>();
    const args = ["webhooks", "listen", "--forward-to", target.url, "--secret", secret, "--json"];
    const listening = cli(args, {
      interrupted: printed.promise,
      onStderr: (text) => text.includes("Waiting for events") && waits.resolve(),
      onStdout: () => printed.resolve(),
    });
    await waits.promise;
    await api.db.query("insert into app.webhook_event (id, wallet, type, body) values ($1, $2, $3, $4)", [
      body.id,
      owner,
      body.type,
      JSON.stringify(body),
    ]);
    const { stdout } = await listening;
    expect(JSON.parse(stdout)).to.deep.equal({ ...body, answer: "202" });
    const [got] = target.received;
    new Webhook(secret).verify(got?.body ?? "", got?.headers as Record<string, string>);
    expect(got?.event).to.deep.equal(body);
    target.stop();
  });

  it("names what is missing before the first deposit", async () => {
    const { code, stdout } = await cli(["doctor"]);
    expect(code).to.equal(2);
    expect(stdout)
      .to.match(/^ok +API: .* answers in \d+ ms$/m)
      .and.match(/^ok +Chain: .* serves chain \d+$/m);
    expect(stdout)
      .to.match(/^ok +Clock: /m)
      .and.match(/^ok +API key: valid/m);
    expect(stdout).to.match(/^problem +Balance: 0 NGPU\n +Deposit with ngpu deposit/m);
    expect(stdout).to.match(/^problem +Authorization: .*\n +Run ngpu authorize\./m);
  });

  it("deposits, authorizes and withdraws", async () => {
    await done(["faucet", wallet.address]);
    await done(["deposit", "5", "--authorize"]);
    await api.market.exported();
    const balance = await done(["balance"]);
    expect(balance)
      .to.match(/^Withdrawable: +5 NGPU$/m)
      .and.match(/^\d+ +500 +3\.6 +86\.4 +any +in /m);
    expect(await done(["withdraw", "1.5"])).to.match(
      /^Withdrew 1\.5 NGPU to 0x[0-9a-fA-F]{40} in 0x[0-9a-f]{64}\.$/m,
    );
    await api.market.exported();
    const changes = (await done(["statement", "--json"]))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(changes.map(({ book, kind, amount }) => [book, kind, amount])).to.deep.equal([
      ["wallet", "withdrawal", String(parseEther("1.5"))],
      ["deposit", "withdrawal", String(-parseEther("1.5"))],
      ["wallet", "deposit", String(-parseEther("5"))],
      ["deposit", "deposit", String(parseEther("5"))],
      ["wallet", "transfer", String(parseEther("100"))],
    ]);
    const statement = await done(["statement"]);
    expect(statement).to.include("Sum of wallet: 96.5 NGPU.\nSum of deposit: 3.5 NGPU.");
    expect(await done(["statement", "--wallet", wallet.address])).to.equal(statement);
    const [, newest] = (await done(["statement", "--csv"])).split("\n");
    expect(newest).to.match(/,wallet,withdrawal,1500000000000000000,0x/);
    expect((await cli(["statement", "--wallet", "0x12"])).stderr).to.include("(address_invalid)");
    expect(await done(["claim"])).to.include("has nothing to claim");
    const { code, stdout } = await cli(["doctor", "--json"]);
    expect([code, JSON.parse(stdout).ok]).to.deep.equal([0, true]);
  });

  it("signs only what was asked for", async () => {
    const lying = createServer(async (request, response) => {
      const answer = await fetch(`${api.url}${request.url}`, {
        headers: { authorization: request.headers.authorization ?? "" },
      });
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(
        (await answer.text()).replace('"value":"1000000000000000000"', '"value":"9000000000000000000"'),
      );
    });
    await new Promise<void>((resolve) => lying.listen(0, "127.0.0.1", resolve));
    const { port } = lying.address() as { port: number };
    const [key] = Object.values(
      JSON.parse(readFileSync(join(home.path, "ngpu/profiles.json"), "utf8")).profiles,
    );
    const options = ["--api", `http://127.0.0.1:${port}`, "--key", (key as { key: string }).key];
    const { code, stderr } = await cli(["deposit", "1", "--wallet", walletFile, ...options]);
    lying.close();
    lying.closeAllConnections();
    expect(code).to.equal(1);
    expect(stderr).to.include(
      "The API asks to sign value 9000000000000000000 instead of 1000000000000000000.",
    );
  });

  it("shows nodes, GPUs and prices", async () => {
    expect(await done(["market"])).to.match(new RegExp(`^ *${nodeId} +online +`, "m"));
    const node = await read<{ id: number }>("market", "node", String(nodeId));
    expect(node.id).to.equal(nodeId);
    expect(await read("market", "gpus")).to.deep.equal([]);
    const { code, stderr } = await cli(["market", "node", "77"]);
    expect(code).to.equal(1);
    expect(stderr).to.match(/^There is no node 77\.\n.*\n\(node_not_found, request \S+\)\n$/);
  });

  const manifest = `name: chat
image: ${image}
cpu: 0.5
memoryMib: 256
maxPrice: 3.6/h
env:
  MODE: small
`;

  it("explains a file without publishing it", async () => {
    writeFileSync(join(home.path, "ngpu.yaml"), manifest);
    const fits = await cli(["deploy", "--dry-run"]);
    expect([fits.code, fits.stdout]).to.satisfy(
      ([code, text]: [number, string]) => code === 0 && text.startsWith("2 of 2 nodes fit"),
    );
    expect(fits.stdout).to.include("It would cost at most 3.6 NGPU an hour. Nothing was published.");
    const none = await cli(["deploy", "--dry-run", "--gpus", "1", "--json"]);
    expect(none.code).to.equal(2);
    expect(JSON.parse(none.stdout)).to.deep.include({ fitting: 0 });
    expect(JSON.parse(none.stdout).request).to.deep.include({ gpu: { count: 1 }, env: { MODE: "small" } });
    expect(await done(["ps"])).to.equal("ID  NAME  STATUS  REPLICAS  IMAGE\n");
  });

  it("publishes a file, shows each reason, and waits until it runs", async () => {
    let progress = "";
    const onStderr = (text: string) => {
      progress += text;
    };
    const running = cli(["deploy"], { onStderr });
    const id = await eventually("the publication", async () => {
      const { rows } = await api.db.query<{ workspace_id: bigint }>(
        "select workspace_id from chain.workspace",
      );
      return rows[0] === undefined ? undefined : String(rows[0].workspace_id);
    });
    await eventually("the first reason", async () => progress.includes("(placing)") || undefined);
    await bringUp(api, id, { name: "node", nodeId });
    const { code, stdout, stderr } = await running;
    expect(code, stderr).to.equal(0);
    expect(stderr).to.match(new RegExp(`^Published workspace ${id} \\(chat\\) in 0x`));
    expect(stderr)
      .to.match(/Replica 0: .* \(placing\)$/m)
      .and.match(/Replica 0 on node \d+: runs\.$/m);
    expect(stdout).to.match(new RegExp(`^Workspace ${id} runs: 1 of 1 replicas, on node ${nodeId}\\.\n`));
    expect(await done(["ps"])).to.match(
      new RegExp(`^${id} +chat +running +1/1 +registry\\.test/chat@abab`, "m"),
    );
    expect(await done(["describe", "chat"])).to.match(/^Replica 0 on node \d+: runs\.$/m);
    const again = await cli(["deploy"]);
    expect(again.code).to.equal(1);
    expect(again.stderr).to.include(`Workspace ${id} has the name chat already.`);
  });

  it("runs tasks: waiting for the result, in the background, as bytes and as a stream", async () => {
    const { code, stdout, stderr } = await cli(["run", "chat", '{"a": 1}', "--path", "/do"]);
    expect(code, stderr).to.equal(0);
    expect(JSON.parse(stdout)).to.include({ name: "container", method: "POST", bytes: 7 });
    expect(stderr).to.match(
      new RegExp(`^Task \\S+ succeeded by node ${nodeId} in \\d+ ms, HTTP 200\\.$`, "m"),
    );
    const id = (await done(["run", "chat", "--path", "/do", "--async"])).trim();
    expect(JSON.parse(await done(["task", id, "--wait"]))).to.include({ method: "GET" });
    const picture = join(home.path, "picture.png");
    await done(["run", "chat", "--path", "/picture", "--output", picture]);
    expect([...readFileSync(picture)]).to.deep.equal([137, 80, 78, 71]);
    const streamed = await done(["run", "chat", "-", "--path", "/v1/chat/completions", "--stream"], {
      input: '{"messages": [{"role": "user", "content": "?"}]}',
    });
    expect(streamed.trim().split("\n")).to.have.length(2);
    const failed = await cli(["run", "chat", "--path", "/broken"]);
    expect(failed.code).to.equal(3);
    expect(failed.stderr).to.include("(container_error)");
    expect(await done(["tasks", "--workspace", "chat"])).to.match(/ failed .* container_error$/m);
  });

  it("chats", async () => {
    expect(await done(["chat", "chat", "What is a lease?"])).to.equal("A lease is a number.\n");
    expect(await done(["chat", "chat", "--system", "Be brief."], { input: "And a fence?" })).to.include(
      "number",
    );
    expect(state.chats.at(-1)?.messages).to.deep.equal([
      { role: "system", content: "Be brief." },
      { role: "user", content: "And a fence?" },
    ]);
  });

  it("follows the history until Ctrl-C", async () => {
    const stop = Promise.withResolvers<void>();
    const following = cli(["events", "chat", "--follow", "--json"], { interrupted: stop.promise });
    await done(["scale", "chat", "2"]);
    await api.market.exported();
    await eventually("the new number of replicas in the history", async () => {
      const history = await done(["events", "chat"]);
      return /replicas/i.test(history);
    });
    stop.resolve();
    const { code, stdout } = await following;
    expect(code).to.equal(130);
    const codes = stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { code: string }).code);
    expect(codes[0]).to.equal("workspace_published");
  });

  it("stops waiting when the time is over or at Ctrl-C, and leaves the workspace", async () => {
    const late = await cli(["deploy", "--name", "late", "--timeout", "1s"]);
    expect(late.code).to.equal(4);
    expect(late.stderr).to.include("It stays published");
    expect(await done(["ps"])).to.match(/ late +pending /);
  });

  /** A month's invoice in dollars at a stated rate, as text and as a document. */
  const showsInvoices = async () => {
    const [{ month, total } = { month: "", total: "" }] =
      await read<{ month: string; total: string }[]>("invoices");
    const { dollars } = await read<{ dollars: { total: string; perToken: string } }>(
      "invoices",
      month,
      "--dollars",
      "0.25",
    );
    expect(dollars.perToken).to.equal("0.25");
    expect(BigInt(total) > 0n).to.equal(true);
    const text = await done(["invoices", month, "--dollars", "0.25"]);
    expect(text).to.include(` NGPU (${dollars.total} USD at 0.25), `);
    const file = join(home.path, "invoice.pdf");
    const written = await read<{ file: string; bytes: number }>(
      "invoices",
      month,
      "--dollars",
      "0.25",
      "--pdf",
      file,
    );
    const pdf = readFileSync(file);
    expect([written, pdf.subarray(0, 5).toString()]).to.deep.equal([{ file, bytes: pdf.length }, "%PDF-"]);
    const wrong = await cli(["invoices", month, "--dollars", "many"]);
    expect([wrong.code, wrong.stderr.includes("(request_invalid, request ")]).to.deep.equal([1, true]);
  };

  it("updates, stops, starts and closes", async () => {
    expect(await done(["update", "chat", "--max-price", "7.2/h"])).to.match(/^Updated in 0x/);
    expect(await done(["stop", "chat"])).to.match(/^Stopped workspace \d+ \(\d leases\) in 0x/);
    expect(await done(["start", "chat"])).to.match(/^Started workspace/);
    expect(await done(["rm", "chat", "late"])).to.match(/^Closed workspace .*\nClosed workspace .*\n$/);
    await api.market.exported();
    expect((await done(["ps"])).trim().split("\n")).to.have.length(1);
    expect(await done(["ps", "--all"])).to.match(/ chat +closed /);
    expect(await done(["usage", "--since", "1d"])).to.match(/^Total: /m);
    await showsInvoices();
    const { code, stderr } = await cli(["describe", "chat"]);
    expect([code, stderr.split("\n")[0]]).to.deep.equal([1, "You have no open workspace named chat."]);
  });
});
