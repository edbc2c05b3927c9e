import { type Connection, type Database, transaction } from "@ngpu/db/pool";
import type { FleetBlock } from "@ngpu/placement/fleet";
import { createFleetIndex, type FleetIndex } from "@ngpu/placement/fleetIndex/fleetIndex";
import { readBlock, readChanges, readHead, readNodes, readUptimes } from "@ngpu/queries/fleet";

/** The index as of a block. Nothing else changes it: whoever reserves in it gives back before the next await. */
export type IndexedFleet = { block: FleetBlock; index: FleetIndex };

/** How an index came to its block: as it was, by the nodes that changed, or read whole (at first, and after a reorg). */
type Followed = { type: "same" } | { type: "changed"; nodes: number } | { type: "full"; nodes: number };

/** Keeps one index at the newest exported block, by what changed since the block it was at. */
export function createFleetSync(
  pool: Database,
  onFollowed: (followed: Followed) => void = () => undefined,
): () => Promise<IndexedFleet> {
  let fleet: (IndexedFleet & { uptimes: Map<number, number> }) | undefined;
  let following: Promise<IndexedFleet> | undefined;

  const rebuildIndex = async (db: Connection, block: FleetBlock) => {
    const uptimes = await readUptimes(db, block);
    const index = createFleetIndex(await readNodes(db, block, null, uptimes));
    fleet = { block, index, uptimes };
    onFollowed({ type: "full", nodes: index.size });
    return fleet;
  };
  const followOnce = () =>
    transaction(pool, async (db): Promise<IndexedFleet> => {
      await db.query("set transaction isolation level repeatable read, read only");
      const block = await readHead(db);
      const known = fleet;
      if (known?.block.hash === block.hash) {
        onFollowed({ type: "same" });
        return known;
      }
      const before = known === undefined ? undefined : await readBlock(db, known.block.number);
      if (known === undefined || before?.hash !== known.block.hash) return rebuildIndex(db, block);
      const changes = await readChanges(db, known.block, block);
      const uptimes = changes.slots ? await readUptimes(db, block) : known.uptimes;
      const nodes = await readNodes(db, block, changes.nodeIds, uptimes);
      // From here on nothing is awaited, so that nobody sees half of it.
      for (const node of nodes) known.index.put(node);
      if (changes.slots) putUptimes(known.index, uptimes);
      fleet = { block, index: known.index, uptimes };
      onFollowed({ type: "changed", nodes: nodes.length });
      return fleet;
    });
  // Those who ask at the same time share one reading.
  return () => {
    following ??= followOnce().finally(() => {
      following = undefined;
    });
    return following;
  };
}

function putUptimes(index: FleetIndex, uptimes: ReadonlyMap<number, number>): void {
  for (const node of [...index.nodes()]) {
    const uptimePermille = uptimes.get(node.nodeId) ?? 0;
    if (uptimePermille !== node.uptimePermille) index.put({ ...node, uptimePermille });
  }
}
