/**
 * SQL: the order of a node's claims of several generations, the one that counts first (packages/waves/marketLogs.ts).
 *
 * @param claim The alias of a row of `chain.hardware_claim`.
 */
export const newestClaim = (claim: string): string =>
  `${claim}.deadline desc, ${claim}.claimed_block desc, array_to_string(${claim}.devices, ',') collate "C" desc`;
