import type { ContractName } from "@ngpu/contracts-sdk/deployment";

/** SQL: where the contract is that a row is of. @param row A row with a `generation` of the contract's */
export const addressOf = (name: ContractName, row: string) =>
  `(select address from chain.contract where contract.name = '${name}' and contract.generation = ${row}.generation)`;
