import { InputError, type NgpuError } from "@ngpu/runtime/errors";
import { formatEther } from "viem";

/** What the contract said: `details.args` of `transaction_reverted`, and the refusal as details and cause. */
type Refusal = {
  args: Readonly<Record<string, unknown>>;
  given: { details: Record<string, unknown>; cause: NgpuError };
};

/** The refusals of the contracts that a partner can change something about, by the name of the contract's error. */
const refusals: Readonly<Record<string, (refusal: Refusal) => InputError>> = {
  AuthorizationUnknown: authorizationNotFound,
  AuthorizationOwnerMismatch: authorizationNotFound,
  AuthorizationIsRevoked: authorizationEnded,
  AuthorizationExpired: authorizationEnded,
  AuthorizationScopeMismatch: ({ args, given }) =>
    new InputError(`Authorization ${args.authorizationId} pays for another image only.`, {
      code: "authorization_scope_mismatch",
      hint: "Sign one with this image as its scope, or with none: GET /v1/authorizations/typed-data.",
      status: 409,
      ...given,
    }),
  CallerNotSpender: ({ args, given }) =>
    new InputError(`Authorization ${args.authorizationId} is for another delegate.`, {
      code: "delegate_mismatch",
      hint: "Use an authorization of this API: GET /v1/authorizations/typed-data.",
      status: 409,
      ...given,
    }),
  NonceUsed: ({ given }) =>
    new InputError("The wallet has used the nonce of this authorization.", {
      code: "authorization_used",
      hint: "Sign a new one: GET /v1/authorizations/typed-data.",
      status: 409,
      ...given,
    }),
  SignatureExpired: ({ given }) =>
    new InputError("The authorization has expired.", {
      code: "authorization_expired",
      hint: "Sign one that expires later: GET /v1/authorizations/typed-data.",
      status: 409,
      ...given,
    }),
  SignatureInvalid: ({ args, given }) =>
    new InputError(`The contract wallet ${args.signer} does not accept the signature.`, {
      code: "signer_mismatch",
      hint: "Sign the typed data of GET /v1/authorizations/typed-data with a key of the wallet.",
      status: 409,
      ...given,
    }),
  ERC2612ExpiredSignature: permitRefused,
  ERC2612InvalidSigner: permitRefused,
  ERC20InsufficientBalance: ({ args, given }) =>
    new InputError(
      `The wallet has ${formatEther(BigInt(String(args.balance)))} NGPU, less than the deposit.`,
      {
        code: "wallet_balance_too_low",
        hint: "Deposit at most what the wallet has.",
        status: 409,
        ...given,
      },
    ),
  FunctionPaused: ({ given }) =>
    new InputError("The market has paused this function.", {
      code: "function_paused",
      hint: "Wait until the market continues it. Workspaces that run are not affected.",
      status: 409,
      ...given,
    }),
};

function authorizationNotFound({ args, given }: Refusal): InputError {
  return new InputError(`The wallet has no authorization ${args.authorizationId}.`, {
    code: "authorization_not_found",
    hint: "GET /v1/account lists your authorizations. Without authorizationId, the newest one is used.",
    status: 409,
    ...given,
  });
}

function authorizationEnded({ args, given }: Refusal): InputError {
  return new InputError(`Authorization ${args.authorizationId} is revoked or has expired.`, {
    code: "authorization_ended",
    hint: "Sign a new one: GET /v1/authorizations/typed-data, then POST /v1/authorizations.",
    status: 409,
    ...given,
  });
}

function permitRefused({ given }: Refusal): InputError {
  return new InputError("The permit is not the wallet's, has expired, or was used before.", {
    code: "permit_invalid",
    hint: "Sign a new one: GET /v1/deposits/typed-data.",
    status: 409,
    ...given,
  });
}

/** A contract's refusal in a partner's words; any other stays `transaction_reverted`, with the contract's error. */
export function refusalOf(error: NgpuError): InputError {
  const { details } = error;
  const translate = refusals[String(details.error)];
  if (translate !== undefined) {
    return translate({
      args: (details.args ?? {}) as Record<string, unknown>,
      given: { details, cause: error },
    });
  }
  return new InputError(error.message, {
    code: "transaction_reverted",
    status: 409,
    hint: "details.error holds the contract's error.",
    details,
    cause: error,
  });
}
