import { randomUUID } from "node:crypto";
import type { Database } from "@ngpu/db/pool";
import { expect } from "chai";
import { subjectIds, takeSessions } from "../../../services/match/sessions/sessionStore.ts";
import { insertRow, openChainTables } from "../support/chainTables.ts";

const key = `0x${"ab".repeat(20)}`;

describe("match: a measurer that registered again after Measure was replaced", () => {
  let chain: Database;
  let db: Database;
  let close: () => Promise<void>;

  before(async () => {
    ({ chain, db, close } = await openChainTables("ngpu_match"));
    // Ids of the later contract begin above those of the earlier one. Its row comes first, so the order does not help.
    for (const measurer_id of [2 ** 24 + 1, 1]) {
      await insertRow(chain, "chain.measurer", { measurer_id, key, block_number: 1 });
    }
  });
  after(() => close());

  it("has its latest id", async () => {
    expect(await subjectIds(db, "measurer", [key], { measurers: 2 ** 24 })).to.deep.equal(
      new Map([[key, 2 ** 24 + 1]]),
    );
    const session = { id: randomUUID(), key, instance: "one", host: "127.0.0.1", version: "1" };
    const taken = await takeSessions(db, [{ ...session, role: "measurer" }], { measurers: 2 ** 24 });
    expect(taken).to.deep.equal(new Map([[key, 2 ** 24 + 1]]));
  });

  it("has no id before it registers with the current Measure", async () => {
    const next = { measurers: 2 ** 25 };
    expect(await subjectIds(db, "measurer", [key], next)).to.deep.equal(new Map());
    const session = { id: randomUUID(), key, instance: "one", host: "127.0.0.1", version: "1" };
    expect(await takeSessions(db, [{ ...session, role: "measurer" }], next)).to.deep.equal(new Map());
  });
});
