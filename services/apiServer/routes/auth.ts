import { InputError } from "@ngpu/runtime/errors";
import { isAddressEqual, recoverMessageAddress } from "viem";
import { generateSiweNonce, parseSiweMessage, type SiweMessage, validateSiweMessage } from "viem/siwe";
import { createKey, parseInvitation } from "../access.ts";
import { callerOf } from "../audit.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { nonceAnswer, signIn, signInAnswer } from "../schemas/accounts.ts";
import { insertNonce, openAccount } from "../store/keys.ts";

/** Lifetime of a nonce, in seconds. */
const nonceSeconds = 600;

export function authRoutes(deps: ApiDeps): Endpoint[] {
  return [newNonce(deps), signInToAccount(deps)];
}

const newNonce = (deps: ApiDeps) => {
  const { host: domain, origin } = new URL(deps.publicUrl);
  const { chainId } = deps.deployment;
  return endpoint(
    {
      method: "post",
      path: "/v1/auth/nonce",
      tag: "Accounts",
      summary: "Begin a sign-in",
      description:
        "Returns the values for an EIP-4361 message. A nonce is valid for one sign-in within ten minutes.",
      access: "auth",
      answer: nonceAnswer,
    },
    async () => {
      const nonce = generateSiweNonce();
      const expiresAt = new Date(Date.now() + nonceSeconds * 1000);
      await insertNonce(deps.db, nonce, expiresAt);
      return { nonce, domain, uri: origin, chainId, expiresAt: expiresAt.toISOString() };
    },
  );
};

const signInToAccount = (deps: ApiDeps) => {
  const { host: domain } = new URL(deps.publicUrl);
  const { chainId } = deps.deployment;
  return endpoint(
    {
      method: "post",
      path: "/v1/accounts",
      tag: "Accounts",
      summary: "Sign in with a wallet and get an API key",
      description:
        "Creates the wallet's account if it does not exist. The key is shown only once; each sign-in issues a new key. With `account` the key is for an account that the wallet is a member of; `invitation` makes it a member.",
      access: "auth",
      body: signIn,
      status: 201,
      errors: [401, 403],
      answer: signInAnswer,
    },
    async ({ body, request, response }) => {
      const parsed = parseSiweMessage(body.message);
      const { address, nonce } = requireSignIn(parsed, { domain, chainId });
      if (!(await isSignedBy(deps, address, body.message, body.signature))) {
        throw refusal(
          "signer_mismatch",
          "The signature does not match the message's address.",
          "Get a new nonce and sign the message with the wallet that it names.",
        );
      }
      const member = address.toLowerCase();
      const key = createKey();
      const opened = await openAccount(deps.db, {
        nonce,
        member,
        account: body.account,
        invitation: invitationIn(body.invitation),
        key: { ...key, name: body.keyName },
        from: { ...callerOf(request, response), action: "POST /v1/accounts", subject: undefined },
      });
      if (typeof opened === "string") throw refusals[opened]();
      const { account, role } = opened;
      return { wallet: account, member, role, keyId: key.id, apiKey: key.text };
    },
  );
};

/** @throws InputError `invitation_invalid` (403). */
function invitationIn(text: string | undefined): ReturnType<typeof parseInvitation> {
  const parsed = text === undefined ? undefined : parseInvitation(text);
  if (text !== undefined && parsed === undefined) throw refusals.invitation();
  return parsed;
}

const refusals = {
  nonce: () =>
    refusal(
      "nonce_invalid",
      "The nonce is unknown, used or expired.",
      "Get a new one from POST /v1/auth/nonce.",
    ),
  invitation: () =>
    new InputError("The invitation cannot be accepted by this wallet.", {
      code: "invitation_invalid",
      status: 403,
      hint: "It may be used, revoked, expired or for another wallet, or the wallet is a member already. Ask for another.",
    }),
  membership: () =>
    new InputError("The wallet is no member of the account.", {
      code: "membership_missing",
      status: 403,
      hint: "Ask an owner of the account for an invitation.",
    }),
};

function requireSignIn(
  message: ReturnType<typeof parseSiweMessage>,
  expected: { domain: string; chainId: number },
): { address: SiweMessage["address"]; nonce: string } {
  const { address, nonce } = message;
  if (address === undefined || nonce === undefined || message.version !== "1") {
    throw new InputError("The message is not a sign-in with Ethereum (EIP-4361).", {
      code: "siwe_invalid",
      hint: "Sign the message that POST /v1/auth/nonce describes, with version 1, address and nonce.",
    });
  }
  if (message.chainId !== expected.chainId) {
    throw refusal(
      "siwe_chain_mismatch",
      `The message is for chain ${message.chainId}; this market is on chain ${expected.chainId}.`,
      `Get a new nonce and sign a message for chain ${expected.chainId}.`,
    );
  }
  if (message.domain !== expected.domain) {
    throw refusal(
      "siwe_domain_mismatch",
      `The message is for the domain ${message.domain}; this API's domain is ${expected.domain}.`,
      `Get a new nonce and sign a message for the domain ${expected.domain}.`,
    );
  }
  if (!validateSiweMessage({ message, address, domain: expected.domain, nonce, time: new Date() })) {
    throw refusal(
      "siwe_time_invalid",
      "The message has expired or is not valid yet.",
      "Get a new nonce and sign a message that is valid now.",
    );
  }
  return { address, nonce };
}

async function isSignedBy(
  deps: ApiDeps,
  address: `0x${string}`,
  message: string,
  signature: `0x${string}`,
): Promise<boolean> {
  try {
    if (isAddressEqual(await recoverMessageAddress({ message, signature }), address)) return true;
  } catch {
    // Not the signature of an externally owned account; a contract wallet may still accept it.
  }
  const code = await deps.chain.getCode({ address });
  return code !== undefined && deps.chain.verifyMessage({ address, message, signature });
}

function refusal(code: string, message: string, hint: string): InputError {
  return new InputError(message, { code, status: 401, hint });
}
