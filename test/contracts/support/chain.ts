import { network } from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

let connection: Promise<NetworkConnection<"op">> | undefined;

/** The OP-stack simulation of this process: created once, since fixtures are snapshots of it. */
export function opChain(): Promise<NetworkConnection<"op">> {
  connection ??= network.create({ network: "default", chainType: "op" });
  return connection;
}
