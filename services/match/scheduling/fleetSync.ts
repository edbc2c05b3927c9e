import { type Connection, type Database, transaction } from "@ngpu/db/pool";
import type { FleetBlock } from "@ngpu/placement/fleet";
import { createFleetIndex, type FleetIndex } from "@ngpu/placement/fleetIndex/fleetIndex";
import { readBlock, readChanges, readHead, readNodes, readUptimes } from "@ngpu/queries/fleet";
import { createWaveProofs } from "@ngpu/queries/judgedWaves";
import type { WaveTerms } from "@ngpu/waves/schedule";

/** The index as of a block. It is shared: release every reservation before the next await. */
export type IndexedFleet = { block: FleetBlock; index: FleetIndex };

/** How the index reached a block: unchanged, by the nodes that changed, or rebuilt (at first, and after a reorg). */
type SyncResult = { type: "same" } | { type: "changed"; nodes: number } | { type: "full"; nodes: number };

/**
 * Keeps an index at the newest exported block by reading the changes since its last block.
 *
 * @param waves the terms of waves, whose verdicts change what counts of nodes
 * @returns a function that synchronizes the index and returns it
 */
export function createFleetSync(
  pool: Database,
  waves: WaveTerms,
  onSynced: (result: SyncResult) => void = () => undefined,
): () => Promise<IndexedFleet> {
  let fleet: (IndexedFleet & { uptimes: Map<number, number> }) | undefined;
  const waveProofs = createWaveProofs(waves);
  let syncing: Promise<IndexedFleet> | undefined;

  const withProofs = async (db: Connection, { number }: FleetBlock, uptimes: Map<number, number>) => {
    return { uptimes, proofs: await waveProofs.upTo(db, number) };
  };
  const rebuildIndex = async (db: Connection, block: FleetBlock) => {
    const uptimes = await readUptimes(db, block);
    const index = createFleetIndex(await readNodes(db, block, null, await withProofs(db, block, uptimes)));
    fleet = { block, index, uptimes };
    onSynced({ type: "full", nodes: index.size });
    return fleet;
  };
  const syncOnce = () =>
    transaction(pool, async (db): Promise<IndexedFleet> => {
      await db.query("set transaction isolation level repeatable read, read only");
      const block = await readHead(db);
      const known = fleet;
      if (known?.block.hash === block.hash) {
        onSynced({ type: "same" });
        return known;
      }
      const before = known === undefined ? undefined : await readBlock(db, known.block.number);
      if (known === undefined || before?.hash !== known.block.hash) return rebuildIndex(db, block);
      const changes = await readChanges(db, known.block, block, waves);
      const uptimes = changes.slots ? await readUptimes(db, block) : known.uptimes;
      const nodes = await readNodes(db, block, changes.nodeIds, await withProofs(db, block, uptimes));
      // No await from here on: other callers never see a partial update.
      for (const node of nodes) known.index.put(node);
      if (changes.slots) putUptimes(known.index, uptimes);
      fleet = { block, index: known.index, uptimes };
      onSynced({ type: "changed", nodes: nodes.length });
      return fleet;
    });
  // Concurrent calls share one synchronization.
  return () => {
    syncing ??= syncOnce().finally(() => {
      syncing = undefined;
    });
    return syncing;
  };
}

function putUptimes(index: FleetIndex, uptimes: ReadonlyMap<number, number>): void {
  for (const node of [...index.nodes()]) {
    const uptimePermille = uptimes.get(node.nodeId) ?? 0;
    if (uptimePermille !== node.uptimePermille) index.put({ ...node, uptimePermille });
  }
}
