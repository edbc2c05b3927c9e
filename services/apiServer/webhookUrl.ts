import { InputError } from "@ngpu/runtime/errors";
import { requirePublicHost } from "@ngpu/runtime/publicAddress";

/**
 * Checks where a partner wants its events. The service that sends them checks the address at each connection.
 *
 * @throws InputError `webhook_url_invalid`, `host_not_public` or `host_unresolved`.
 */
export async function requireWebhookUrl(text: string, privateAddresses: boolean): Promise<string> {
  const url = URL.parse(text);
  if (url === null) throw invalid("It is not a URL.");
  const isAllowed = url.protocol === "https:" || (privateAddresses && url.protocol === "http:");
  if (!isAllowed) throw invalid("It does not begin with https://.");
  if (url.username !== "" || url.password !== "") throw invalid("It contains a user name or a password.");
  url.hash = "";
  if (!privateAddresses) await requirePublicHost(url.hostname.replace(/^\[|\]$/g, ""));
  return url.href;
}

function invalid(why: string): InputError {
  return new InputError(`Events cannot be sent to this URL. ${why}`, {
    code: "webhook_url_invalid",
    hint: "Use an https URL without a user name and password. A secret part of the path or the signature shows who sends.",
  });
}
