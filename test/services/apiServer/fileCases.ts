import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import OpenAI, { toFile } from "openai";
import { eventually } from "../support/context.ts";
import { filesQuota, type LeaseMarket, stranger, wallet } from "./leaseMarket.ts";

type Thrown = { status: number; code: string };
const thrown = (call: PromiseLike<unknown>) =>
  Promise.resolve(call).then(
    () => expect.fail("It was not refused."),
    ({ status, code }: Thrown) => [status, code],
  );
const requestOf = (id: string, body: object, url = "/v1/completions") =>
  JSON.stringify({ custom_id: id, method: "POST", url, body });

type OutputLine = {
  custom_id: string;
  task_id: string | null;
  response: { status_code: number; body: Record<string, unknown> } | null;
  error: { code: string } | null;
};

/** Facts about files and batches, by OpenAI's own client, for a suite that has a market. */
export function fileCases(market: () => LeaseMarket): void {
  const clientFor = async (owner: string) =>
    new OpenAI({ apiKey: await market().keyFor(owner), baseURL: `${market().url}/v1`, maxRetries: 0 });
  const upload = async (
    client: OpenAI,
    text: string | Uint8Array,
    purpose: "batch" | "user_data" = "batch",
  ) => client.files.create({ file: await toFile(Buffer.from(text), "in.jsonl"), purpose });
  const linesOf = async (client: OpenAI, id: string | null | undefined) =>
    (await (await client.files.content(id ?? "")).text())
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as OutputLine);
  const run = async (client: OpenAI, lines: string[]) => {
    const file = await upload(client, lines.join("\n"));
    return client.batches.create({
      input_file_id: file.id,
      endpoint: "/v1/completions",
      completion_window: "24h",
      metadata: { run: "one" },
      output_expires_after: { anchor: "created_at", seconds: 3_600 },
    });
  };
  const ended = async (client: OpenAI, id: string) => {
    let batch = await client.batches.retrieve(id);
    await eventually(`the end of ${id}`, async () => {
      batch = await client.batches.retrieve(id);
      return ["completed", "failed", "expired", "cancelled"].includes(batch.status);
    });
    return batch;
  };

  it("keep a file's bytes, encrypted on disk and once for each content, until it is deleted", async () => {
    const client = await clientFor(wallet);
    const bytes = randomBytes(300_001);
    bytes.write("the words of a partner", 1_000);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const one = await upload(client, bytes, "user_data");
    expect(one).to.deep.include({ object: "file", bytes: 300_001, filename: "in.jsonl", sha256 });
    const other = await upload(client, bytes, "user_data");
    expect(readdirSync(market().folder).length).to.be.at.most(2);
    await market().sweepFiles();
    const [name = "", ...more] = readdirSync(market().folder);
    expect(more).to.deep.equal([]);
    expect(readFileSync(join(market().folder, name)).includes("the words of a partner")).to.equal(false);
    for (const id of [one.id, other.id, `sha256:${sha256}`]) {
      const content = await client.files.content(id);
      expect(Buffer.from(await content.arrayBuffer()).equals(bytes)).to.equal(true);
    }
    const ids: string[] = [];
    for await (const { id } of client.files.list({ purpose: "user_data", limit: 1 })) ids.push(id);
    expect(ids).to.deep.equal([other.id, one.id]);
    expect(await client.files.delete(one.id)).to.deep.include({ id: one.id, deleted: true });
    expect(await thrown(client.files.retrieve(one.id))).to.deep.equal([404, "file_not_found"]);
    await market().sweepFiles();
    expect(readdirSync(market().folder)).to.deep.equal([name]);
    await client.files.delete(other.id);
    await market().sweepFiles();
    expect(readdirSync(market().folder)).to.deep.equal([]);
  });

  it("hide files from other accounts, and break off those that were changed on disk", async () => {
    const client = await clientFor(wallet);
    const other = await clientFor(stranger);
    const file = await upload(client, Buffer.alloc(200_000, "a"), "user_data");
    expect(await thrown(other.files.retrieve(file.id))).to.deep.equal([404, "file_not_found"]);
    expect(await thrown(other.files.content(file.id))).to.deep.equal([404, "file_not_found"]);
    expect(await thrown(other.files.delete(file.id))).to.deep.equal([404, "file_not_found"]);
    const [name = ""] = readdirSync(market().folder);
    const path = join(market().folder, name);
    const sealed = readFileSync(path);
    sealed.writeUInt8(sealed.readUInt8(150_000) ^ 1, 150_000);
    writeFileSync(path, sealed);
    const broken = await client.files.content(file.id).then((answer) =>
      answer.arrayBuffer().then(
        () => "whole",
        () => "broken",
      ),
    );
    expect(broken).to.equal("broken");
    await client.files.delete(file.id);
    await market().sweepFiles();
  });

  it("refuse files above the quota, and forms that are not valid, and keep nothing of them", async () => {
    const client = await clientFor(wallet);
    const large = upload(client, Buffer.alloc(filesQuota + 1), "user_data");
    expect(await thrown(large)).to.deep.equal([413, "file_quota_exceeded"]);
    expect(
      await thrown(
        client.files.create({ file: await toFile(Buffer.from("a"), "a"), purpose: "x" as "batch" }),
      ),
    ).to.deep.equal([400, "request_invalid"]);
    const own = await market().as(wallet);
    const send = async (body: string, type: string) => {
      const answer = await own.raw("/v1/files", { method: "POST", body, headers: { "content-type": type } });
      return [answer.status, ((await answer.json()) as { error: { code: string } }).error.code];
    };
    const form = "multipart/form-data; boundary=b";
    expect(await send("{}", "application/json")).to.deep.equal([415, "media_type_unsupported"]);
    expect(await send("--b--\r\n", form)).to.deep.equal([400, "multipart_invalid"]);
    const cut = '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc';
    expect(await send(cut, form)).to.deep.equal([400, "multipart_invalid"]);
    await market().sweepFiles();
    expect(readdirSync(market().folder)).to.deep.equal([]);
    const { rows } = await market().db.query("select from app.file_content");
    expect(rows).to.deep.equal([]);
  });

  it("are audited with the address that a trusted proxy names", async () => {
    const own = await market().as(wallet);
    const send = (headers: Record<string, string>) => {
      const form = new FormData();
      form.set("purpose", "user_data");
      form.set("file", new Blob(["a"]), "a");
      return own.raw("/v1/files", { method: "POST", body: form, headers });
    };
    const file = (await (await send({ "x-forwarded-for": "203.0.113.7" })).json()) as { id: string };
    const { rows } = await market().db.query<{ action: string; address: string }>(
      "select action, address from app.audit_entry order by id desc limit 1",
    );
    expect(rows).to.deep.equal([{ action: "POST /v1/files", address: "203.0.113.7" }]);
    await own.delete(`/v1/files/${file.id}`);
  });

  it("run each request of a batch once, and write what came of it", async () => {
    const client = await clientFor(wallet);
    const lines = Array.from({ length: 40 }, (_, at) =>
      requestOf(`ok ${at}`, { model: "1/llama", prompt: `${at}` }),
    );
    lines.splice(7, 0, requestOf("refused", { model: "1", prompt: "a", input: "refuse" }));
    lines.splice(9, 0, requestOf("unknown", { model: "77", prompt: "a" }));
    const created = await run(client, lines);
    expect(created).to.deep.include({ object: "batch", status: "validating", metadata: { run: "one" } });
    const batch = await ended(client, created.id);
    expect(batch.status).to.equal("completed");
    expect(batch.request_counts).to.deep.equal({ total: 42, completed: 40, failed: 2 });
    const output = await linesOf(client, batch.output_file_id);
    expect(output.map((one) => one.custom_id)).to.deep.equal(
      Array.from({ length: 40 }, (_, at) => `ok ${at}`),
    );
    expect(output[0]?.response).to.deep.include({ status_code: 200 });
    expect(output[0]?.response?.body.object).to.equal("text_completion");
    const { created_at, expires_at } = await client.files.retrieve(batch.output_file_id ?? "");
    expect((expires_at ?? 0) - created_at).to.be.closeTo(3_600, 2);
    const errors = await linesOf(client, batch.error_file_id);
    expect(errors.map((one) => [one.custom_id, one.response?.status_code, one.error?.code])).to.deep.equal([
      ["refused", 400, undefined],
      ["unknown", undefined, "model_not_found"],
    ]);
    const { rows } = await market().db.query<{ path: string; model: string; status: string }>(
      "select path, input ->> 'model' as model, status from app.task where id = $1",
      [output[3]?.task_id],
    );
    expect(rows).to.deep.equal([{ path: "/v1/completions", model: "llama", status: "succeeded" }]);
    const listed: string[] = [];
    for await (const { id } of client.batches.list({ limit: 1 })) listed.push(id);
    expect(listed).to.include(batch.id);
    const other = await clientFor(stranger);
    expect(await thrown(other.batches.retrieve(batch.id))).to.deep.equal([404, "batch_not_found"]);
    expect(await thrown(other.batches.cancel(batch.id))).to.deep.equal([404, "batch_not_found"]);
  });

  it("fail a batch whose file has faults, with the line of each, and run none of its requests", async () => {
    const client = await clientFor(wallet);
    const { rows: before } = await market().db.query("select from app.task");
    const created = await run(client, [
      requestOf("a", { model: "1", prompt: "a" }),
      "{",
      "",
      requestOf("a", { model: "1", prompt: "b" }),
      requestOf("b", { model: "1", prompt: "b" }, "/v1/embeddings"),
      requestOf("c", { model: "1", prompt: "b", stream: true }),
      requestOf("d", {}),
    ]);
    const batch = await ended(client, created.id);
    expect(batch.status).to.equal("failed");
    expect(batch.errors?.data?.map(({ line, code }) => [line, code])).to.deep.equal([
      [2, "line_json_invalid"],
      [4, "line_custom_id_repeated"],
      [5, "line_url_mismatch"],
      [6, "line_stream_unsupported"],
      [7, "line_body_invalid"],
    ]);
    const { rows: after } = await market().db.query("select from app.task");
    expect(after.length).to.equal(before.length);
    const none = client.batches.create({
      input_file_id: `file-${"0".repeat(24)}`,
      endpoint: "/v1/completions",
      completion_window: "24h",
    });
    expect(await thrown(none)).to.deep.equal([404, "file_not_found"]);
  });

  it("cancel a batch in its container, and keep the results that it has", async () => {
    const client = await clientFor(wallet);
    const created = await run(client, [
      requestOf("done", { model: "1", prompt: "a" }),
      requestOf("long", { model: "1", prompt: "wait" }),
    ]);
    await eventually("the first result", async () => {
      const { request_counts: counts } = await client.batches.retrieve(created.id);
      return counts?.completed === 1;
    });
    await client.batches.cancel(created.id);
    const batch = await ended(client, created.id);
    expect([batch.status, batch.request_counts]).to.deep.equal([
      "cancelled",
      { total: 2, completed: 1, failed: 1 },
    ]);
    expect((await linesOf(client, batch.output_file_id)).map((one) => one.custom_id)).to.deep.equal(["done"]);
    const [long] = await linesOf(client, batch.error_file_id);
    expect([long?.custom_id, long?.error?.code]).to.deep.equal(["long", "batch_cancelled"]);
    await eventually("the end of its task", async () => {
      const { rows } = await market().db.query<{ error_code: string }>(
        "select error_code from app.task where input ->> 'prompt' = 'wait' order by created_at desc limit 1",
      );
      return rows[0]?.error_code === "task_cancelled";
    });
  });

  it("go on where a process that was killed left a batch, and run nothing again that has ended", async () => {
    const client = await clientFor(wallet);
    const { db } = market();
    const ids = ["one", "two", "three"];
    const file = await upload(client, ids.map((id) => requestOf(id, { model: "1", prompt: id })).join("\n"));
    const ended3 = await client.completions.create({ model: "1", prompt: "ended" }).withResponse();
    const taskId = ended3.response.headers.get("x-ngpu-task-id");
    // As a killed process leaves it: one line has a task that has ended, one a task that was never stored.
    const { rows } = await db.query<{ id: string }>(
      `insert into app.batch (id, wallet, key_id, endpoint, completion_window, input_file_id, input_content_id, input_key_id, status,
         total, expires_at, runner)
       select 'batch_' || repeat('a', 24), $1, (select id from app.api_key where wallet = $1 and scopes is null limit 1), '/v1/completions', '24h',
         file.id, content.id, content.key_id, 'in_progress', 3, now() + interval '1 day', 77
       from app.file as file join app.file_content as content on content.id = content_id where file.id = $2 returning id`,
      [wallet, file.id],
    );
    await db.query(
      `insert into app.batch_line (batch_id, line, custom_id, attempts, task_id)
       values ($1, 1, 'one', 1, $2), ($1, 2, 'two', 1, gen_random_uuid()), ($1, 3, 'three', 0, null)`,
      [rows[0]?.id, taskId],
    );
    const batch = await ended(client, rows[0]?.id ?? "");
    expect(batch.request_counts).to.deep.equal({ total: 3, completed: 3, failed: 0 });
    const output = await linesOf(client, batch.output_file_id);
    expect(output.map((one) => one.custom_id)).to.deep.equal(ids);
    expect(output[0]?.task_id).to.equal(taskId);
    const { rows: tasks } = await db.query<{ prompt: string }>(
      "select input ->> 'prompt' as prompt from app.task where input ->> 'prompt' in ('one', 'two', 'three')",
    );
    expect(tasks.map(({ prompt }) => prompt).sort()).to.deep.equal(["three", "two"]);
  });
}
