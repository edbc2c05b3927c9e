import type { Database } from "@ngpu/db/pool";
import { RetryableError } from "@ngpu/runtime/errors";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { createLaterEnds } from "../../../services/apiServer/laterEnds.ts";
import type { TaskEnd } from "../../../services/apiServer/store/tasks.ts";
import { createTaskRecords } from "../../../services/apiServer/taskRecords.ts";
import { eventually } from "../support/context.ts";

const unreachable = () =>
  new RetryableError("Postgres does not answer.", { code: "database_unreachable", hint: "Try again." });
const ended = (status: TaskEnd["status"]): TaskEnd => ({
  status,
  served: undefined,
  httpStatus: 200,
  result: undefined,
  error: undefined,
  durationMs: 1,
});

describe("the end of a task that Postgres does not take", () => {
  const stopping = new AbortController();
  const tracked: Promise<unknown>[] = [];
  const laterEnds = createLaterEnds({
    logger: createLogger("test", "silent"),
    stopping: stopping.signal,
    track: (work) => void tracked.push(work),
  });
  after(() => stopping.abort());

  it("is recorded later, as its caller saw it last", async () => {
    let refusals = 3;
    const recorded: string[] = [];
    const write = async ({ status }: TaskEnd) => {
      if (refusals-- > 0) throw unreachable();
      recorded.push(status);
    };
    for (const status of ["succeeded", "failed"] as const) {
      const error = await laterEnds.record("one", ended(status), write).catch((one: unknown) => one);
      expect(error).to.include({ code: "database_unreachable" });
    }
    await eventually("the end is recorded", () => recorded.length > 0, 30_000);
    await Promise.all(tracked);
    expect(recorded).to.deep.equal(["failed"]);
  });

  it("is not tried again for an error that stays", async () => {
    let writes = 0;
    const error = await laterEnds
      .record("two", ended("failed"), async () => {
        writes += 1;
        throw new TypeError("no such column");
      })
      .catch((one: unknown) => one);
    expect([error instanceof TypeError, writes]).to.deep.equal([true, 1]);
  });

  it("is stored with its task, which was not stored before", async () => {
    const statements: string[] = [];
    let refusals = 1;
    const db = {
      query: async (text: string) => {
        if (refusals-- > 0) throw unreachable();
        statements.push(text);
        return { rows: [] };
      },
    } as unknown as Database;
    const records = createTaskRecords(db);
    records.begin({ id: "three", payload: undefined } as never);
    const error = await records.end("three", ended("aborted")).catch((one: unknown) => one);
    expect(error).to.include({ code: "database_unreachable" });
    expect(records.has("three")).to.equal(true);
    await records.end("three", ended("aborted"));
    expect(records.has("three")).to.equal(false);
    expect(statements.join("\n")).to.match(/app\.task/);
  });
});
