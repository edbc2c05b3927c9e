export const smaller = (a: bigint, b: bigint) => (a < b ? a : b);
export const larger = (a: bigint, b: bigint) => (a > b ? a : b);
export const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
