import { type ApiClient, createApiClient } from "@ngpu/api-client/client";
import { createContext, type ReactNode, useContext, useMemo, useState } from "react";

/** The market that this console shows: its own server, or the one that the page names. */
export const apiUrl = (() => {
  const named = document.querySelector<HTMLMetaElement>('meta[name="ngpu-api"]')?.content;
  return named === undefined || named === "" ? location.origin : named;
})();

const storedName = "ngpu.key";

type Session = {
  api: ApiClient;
  /** The partner's key; undefined: nobody has signed in. It leaves this tab only in the header of a request. */
  apiKey: string | undefined;
  signIn: (apiKey: string) => void;
  signOut: () => void;
};

const SessionContext = createContext<Session | undefined>(undefined);

export function SessionProvider({ children }: { children: ReactNode }) {
  const [apiKey, setApiKey] = useState(readKey);
  const session = useMemo<Session>(
    () => ({
      api: createApiClient({ url: apiUrl, apiKey }),
      apiKey,
      signIn: (key) => {
        keep(key);
        setApiKey(key);
      },
      signOut: () => {
        keep(undefined);
        setApiKey(undefined);
      },
    }),
    [apiKey],
  );
  return <SessionContext value={session}>{children}</SessionContext>;
}

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error("useSession is used outside of SessionProvider.");
  return session;
}

/** The key stays in this tab: a new tab or a closed one asks again. */
function readKey(): string | undefined {
  try {
    return sessionStorage.getItem(storedName) ?? undefined;
  } catch {
    return undefined;
  }
}

function keep(key: string | undefined): void {
  try {
    if (key === undefined) sessionStorage.removeItem(storedName);
    else sessionStorage.setItem(storedName, key);
  } catch {
    // Without storage the key is kept in memory alone.
  }
}
