import { Agent, FormData as OwnForm, fetch as send } from "undici";

/** Node's own fetch gives up after 300 s without a header or a byte. The deadlines of calls are those of their signals. */
const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

/** A fetch for Node that waits for an answer until its signal aborts: `longFetch` of a client. */
export const patientFetch: typeof fetch = (input, init) => {
  const body = init?.body instanceof FormData ? ownForm(init.body) : init?.body;
  return send(
    input as Parameters<typeof send>[0],
    { ...init, body, dispatcher: agent } as Parameters<typeof send>[1],
  ) as unknown as Promise<Response>;
};

/** The same form for this fetch, which does not know Node's own. Files stay where they are. */
function ownForm(given: FormData): OwnForm {
  const form = new OwnForm();
  for (const [name, value] of given) {
    if (typeof value === "string") form.append(name, value);
    else form.append(name, value, value.name);
  }
  return form;
}
