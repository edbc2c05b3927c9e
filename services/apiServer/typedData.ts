import type { TypedDataParameter } from "viem";

/** Typed data for eth_signTypedData_v4, which requires the type of the domain. */
export function typedData(
  domain: Record<string, unknown>,
  types: Record<string, readonly TypedDataParameter[]>,
  primaryType: string,
  message: Record<string, unknown>,
) {
  const EIP712Domain = [
    { name: "name", type: "string" },
    { name: "version", type: "string" },
    { name: "chainId", type: "uint256" },
    { name: "verifyingContract", type: "address" },
  ];
  const own = Object.fromEntries(Object.entries(types).map(([name, fields]) => [name, [...fields]]));
  return { domain, types: { EIP712Domain, ...own }, primaryType, message };
}
