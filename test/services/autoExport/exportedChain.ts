import { createScriptedChain, type ScriptedLog } from "../../packages/chain-reader/scriptedChain.ts";
import { word } from "./fixtures.ts";
import { type Exporter, setup, startExporter, untilStored } from "./setup.ts";

export const alice = word(0xa11ce, 20);
export const bob = word(0xb0b, 20);
export const ref = { workspaceId: 1n, nodeId: 1, replica: 0, lease: 1 };

type Row = Record<string, unknown>;

/** Mocha hooks that export a new scripted chain in each test, and functions that read the rows. */
export function useExportedChain() {
  let market: Awaited<ReturnType<typeof setup>>;
  let exporter: Exporter;
  let chain: ReturnType<typeof createScriptedChain>;

  before(async () => {
    market = await setup();
  });

  beforeEach(() => {
    // Each test has its own chain: the rows of the previous one have another origin and are dropped.
    chain = createScriptedChain();
    exporter = startExporter(market.database, chain.client);
  });

  afterEach(() => exporter.stop());

  after(() => market.drop());

  const rows = async (sql: string): Promise<Row[]> => (await market.db.query(sql)).rows;
  return {
    chain: () => chain,
    db: () => market.db,
    /** Mines one block for each list of logs and waits until the last one is stored. */
    mined: async (...blocks: ScriptedLog[][]) => {
      chain.mine(...blocks);
      await untilStored(market.db, chain);
    },
    rows,
    row: async (sql: string) => (await rows(sql))[0] ?? {},
    /** A projection's current rows without the log index of the last change. */
    current: async (name: string): Promise<Row[]> =>
      (await rows(`select * from ${name}`)).map(({ log_index: _, ...row }) => row),
  };
}
