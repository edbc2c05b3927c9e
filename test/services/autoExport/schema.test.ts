import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { eventTableDdl, eventTables } from "@ngpu/auto-export/schema";
import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { parseAbi } from "viem";
import { snakeCase } from "../../../services/autoExport/columns.ts";
import { parseProjection, sourcesOf } from "../../../services/autoExport/projection.ts";

const columnsOf = (table: { columns: { name: string; type: string }[] } | undefined) =>
  table?.columns.map(({ name, type }) => `${name} ${type}`);

describe("event tables", () => {
  it("are named in snake case", () => {
    expect(snakeCase("NodeRegistered")).to.equal("node_registered");
    expect(snakeCase("EIP712DomainChanged")).to.equal("eip712_domain_changed");
    expect(snakeCase("latencyTenthMs")).to.equal("latency_tenth_ms");
  });

  it("flatten structs and hold each number in a type that fits all of its values", () => {
    const [table] = eventTables({
      Token: parseAbi([
        "struct Inner { uint24 vramMib; address owner; }",
        "struct Outer { Inner inner; bytes32[] ids; }",
        "event Made(uint32 indexed nodeId, Outer spec, uint64 price, uint40 at, bool on, int256 delta, string indexed name)",
      ]),
    });
    expect(columnsOf(table)).to.deep.equal([
      "node_id bigint",
      "spec_inner_vram_mib integer",
      "spec_inner_owner text",
      "spec_ids text[]",
      "price numeric(78,0)",
      "at bigint",
      "on boolean",
      "delta numeric(78,0)",
      "name text",
    ]);
  });

  it("set a clashing argument apart with an underscore, and name one that has no name", () => {
    const [table] = eventTables({ Token: parseAbi(["event Made(bytes32 blockHash, uint8)"]) });
    expect(columnsOf(table)).to.deep.equal(["block_hash_ text", "arg1 integer"]);
  });

  it("are shared by contracts that declare an event alike, and told apart by a column", () => {
    const tables = eventTables({
      Escrow: parseAbi(["event Refused(uint256 index)"]),
      Pomc: parseAbi(["event Refused(uint256 index)"]),
    });
    expect(tables.map(({ table, shared }) => [table, shared])).to.deep.equal([
      ["event_refused", true],
      ["event_refused", true],
    ]);
    const ddl = eventTableDdl(tables);
    expect(ddl).to.have.length(1);
    expect(ddl[0]).to.contain('"contract" text not null');
  });

  it("are one for each contract where an event's arguments differ", () => {
    const tables = eventTables({
      Escrow: parseAbi(["event Refused(uint256 index)"]),
      Pomc: parseAbi(["event Refused(address who)"]),
    });
    expect(tables.map(({ table }) => table)).to.deep.equal(["event_escrow_refused", "event_pomc_refused"]);
  });

  it("exist for every event of the contracts", () => {
    const { tables } = loadDefinitions();
    const names = tables.map(({ table }) => table);
    expect(names).to.include.members(["event_node_registered", "event_workspace_published", "event_claimed"]);
    expect(
      tables.filter(({ table }) => table === "event_item_refused").every(({ shared }) => shared),
    ).to.equal(true);
  });
});

describe("a projection's file", () => {
  const text = `-- key: id, part
-- sums: total
create table thing (
  id bigint not null,
  part integer not null,
  total numeric(78,0) not null,
  names text[]
);

-- on Made
-- a comment of its own
select id, part, block_number, log_index, '{}'::jsonb as patch, 1 as total from event

-- on Gone
select id, part, block_number, log_index, '{}'::jsonb, 0 from event
`;

  it("says its key, its sums and what each event changes", () => {
    const projection = parseProjection("thing", text);
    expect(projection).to.deep.include({ key: ["id", "part"], sums: ["total"] });
    expect(projection.columns.map(({ name, type }) => `${name} ${type}`)).to.deep.equal([
      "id bigint",
      "part integer",
      "total numeric(78,0)",
      "names text[]",
    ]);
    expect(projection.changes.map(({ event }) => event)).to.deep.equal(["Made", "Gone"]);
    expect(projection.changes[0]?.select).to.match(/^-- a comment of its own\nselect/);
  });

  it("is refused without a key, without a column that it needs, under another table's name, with one of every projection's columns, or for an event that nobody declares", () => {
    const refused = (act: () => unknown, message: RegExp) => expect(act).to.throw(FatalError, message);
    refused(() => parseProjection("thing", text.replace("-- key: id, part\n", "")), /has no line `-- key/);
    refused(() => parseProjection("other", text), /does not create the table other/);
    refused(
      () => parseProjection("thing", text.replace("  part integer not null,\n", "")),
      /has no column part/,
    );
    refused(
      () => parseProjection("thing", text.replace("names text[]", "names text[],\n  log_index integer")),
      /declares the reserved column log_index/,
    );
    refused(() => sourcesOf(parseProjection("thing", text), []), /handles Made, which no ABI declares/);
  });
});
