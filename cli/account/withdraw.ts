import { escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { InputError } from "@ngpu/runtime/errors";
import { isAddress } from "viem";
import { json, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { parseTokens, tokens } from "../shared/units.ts";
import { openChain, sent } from "./chainWallet.ts";
import { walletOf } from "./wallet.ts";

type Options = GlobalOptions & { wallet?: string; to?: string; rpcUrl?: string };

/** Withdraws tokens from the deposit. */
export async function withdraw(text: string, options: Options): Promise<void> {
  const settings = settingsOf(options);
  const account = walletOf(settings, options.wallet);
  const to = options.to ?? account.address;
  if (!isAddress(to)) {
    throw new InputError(`${to} is not an address.`, {
      code: "address_invalid",
      hint: "Write 0x and 40 hexadecimal digits, with the checksum's capitals or in lowercase.",
    });
  }
  const chain = await openChain(partnerApi(settings), account, options.rpcUrl);
  const { client, deployment } = chain;
  const escrow = { address: deployment.contracts.Escrow, abi: escrowAbi } as const;
  const amount =
    text === "all"
      ? await client.readContract({ ...escrow, functionName: "withdrawableOf", args: [account.address] })
      : parseTokens(text);
  const txHash = await sent(chain, () =>
    client.writeContract({ ...escrow, functionName: "withdraw", args: [amount, to] }),
  );
  print(
    settings.json ? json({ amount, to, txHash }) : `Withdrew ${tokens(amount)} NGPU to ${to} in ${txHash}.`,
  );
}
