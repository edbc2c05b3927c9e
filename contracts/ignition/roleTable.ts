import { abis } from "@ngpu/contracts-sdk/abis";
import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { managerAbi } from "@ngpu/contracts-sdk/generated/abi";
import type { Abi } from "viem";
import { toFunctionSelector, toFunctionSignature } from "viem";

export type Changing = { contract: ContractName; name: string; signature: string; selector: `0x${string}` };

/** Every state-changing function of every contract. */
export function changingFunctions(): Changing[] {
  const all = { AccessManager: managerAbi, ...abis } as unknown as Record<ContractName, Abi>;
  return (Object.keys(all) as ContractName[]).flatMap((contract) =>
    all[contract].flatMap((item) => {
      if (item.type !== "function" || item.stateMutability === "view" || item.stateMutability === "pure")
        return [];
      const signature = toFunctionSignature(item);
      return [{ contract, name: item.name, signature, selector: toFunctionSelector(item) }];
    }),
  );
}
