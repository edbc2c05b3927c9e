import type { ContractName } from "@ngpu/contracts-sdk/deployment";

/**
 * SQL: the address of the contract that a row belongs to.
 *
 * @param row Alias of a row with the `generation` of that contract.
 */
export const addressOf = (name: ContractName, row: string) =>
  `(select address from chain.contract where contract.name = '${name}' and contract.generation = ${row}.generation)`;
