import { chainChannel } from "@ngpu/db/listen";
import type { Queryable } from "@ngpu/db/pool";
import { createHotCache, type HotCache } from "@ngpu/runtime/hotCache";
import type { ChangeFeed } from "./changeFeed.ts";
import { findKey, type KeyTerms } from "./store/keys.ts";
import { findWorkspace, findWorkspaceByName, type WorkspaceRow } from "./store/workspaces.ts";

/** Prefix of the notification on app_changed, whose trigger is in the database; the key's id follows. */
const keyNotice = "api_key:";

/** What calls of tasks read. What is read often is kept in memory, for a second at most (ADR 48). */
export type HotFacts = {
  /** By the key's id. */
  keys: HotCache<KeyTerms>;
  /** A wallet's workspace by its id. */
  workspace(wallet: string, id: string): Promise<WorkspaceRow | undefined>;
  /** A wallet's newest workspace with this name; an open one if there is any. */
  workspaceByName(wallet: string, name: string): Promise<WorkspaceRow | undefined>;
};

/** @param changes Absent: nothing is dropped before its second is over. */
export function createHotFacts(db: Queryable, changes: Pick<ChangeFeed, "onNotice"> | undefined): HotFacts {
  const keys = createHotCache({ load: (id) => findKey(db, id) });
  const workspaces = createHotCache({
    load: (key) => {
      const [kind, wallet = "", ...rest] = key.split(" ");
      const find = kind === "id" ? findWorkspace : findWorkspaceByName;
      return find(db, wallet, rest.join(" "));
    },
  });
  changes?.onNotice((channel, payload) => {
    if (payload?.startsWith(keyNotice)) keys.forget(payload.slice(keyNotice.length));
    else if (payload === undefined) keys.forget();
    // Names are given with a publication, and their rows are not notified.
    if (channel === chainChannel || payload === undefined) workspaces.forget();
  });
  return {
    keys,
    workspace: (wallet, id) => workspaces.get(`id ${wallet} ${id}`),
    workspaceByName: (wallet, name) => workspaces.get(`name ${wallet} ${name}`),
  };
}
