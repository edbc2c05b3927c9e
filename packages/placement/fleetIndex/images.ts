/**
 * The nodes that have an image: a list of node ids while they are few, which a search iterates over; otherwise one bit per
 * node, which a search over all nodes tests.
 */
export type Holders = { size: number; ids: number[] | null; bits: Uint32Array };

/** The list becomes bits above 1/64 of the nodes and above 32 nodes, and a list again below half of that. */
const rareShare = 64;
const minListLength = 32;
const noBits = new Uint32Array(0);

export type Images = Map<string, Holders>;

export function addHolder(images: Images, image: string, nodeId: number, fleetSize: number): void {
  let holders = images.get(image);
  if (holders === undefined) {
    holders = { size: 0, ids: [], bits: noBits };
    images.set(image, holders);
  }
  holders.size += 1;
  if (holders.ids === null) setBit(holders, nodeId);
  else {
    holders.ids.push(nodeId);
    if (holders.size <= Math.max(minListLength, fleetSize / rareShare)) return;
    for (const id of holders.ids) setBit(holders, id);
    holders.ids = null;
  }
}

export function removeHolder(images: Images, image: string, nodeId: number, fleetSize: number): void {
  const holders = images.get(image);
  if (holders === undefined) return;
  holders.size -= 1;
  if (holders.size === 0) images.delete(image);
  else if (holders.ids !== null) {
    const last = holders.ids.pop();
    const at = last === nodeId ? -1 : holders.ids.indexOf(nodeId);
    if (last !== undefined && at >= 0) holders.ids[at] = last;
  } else {
    holders.bits[nodeId >>> 5] = (holders.bits[nodeId >>> 5] as number) & ~(1 << (nodeId & 31));
    if (holders.size < Math.max(minListLength, fleetSize / rareShare) / 2) bitsToList(holders);
  }
}

function setBit(holders: Holders, nodeId: number): void {
  const word = nodeId >>> 5;
  if (word >= holders.bits.length) {
    const longer = new Uint32Array(Math.max(word + 1, 2 * holders.bits.length));
    longer.set(holders.bits);
    holders.bits = longer;
  }
  holders.bits[word] = (holders.bits[word] as number) | (1 << (nodeId & 31));
}

function bitsToList(holders: Holders): void {
  const ids: number[] = [];
  for (let word = 0; word < holders.bits.length; word += 1) {
    const bits = holders.bits[word] as number;
    for (let bit = 0; bits >>> bit !== 0 && bit < 32; bit += 1) {
      if ((bits >>> bit) & 1) ids.push(word * 32 + bit);
    }
  }
  holders.ids = ids;
  holders.bits = noBits;
}
