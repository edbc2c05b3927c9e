import type { Session } from "./session.ts";
import type { Role } from "./sessionStore.ts";

/** The open sessions of this instance, by key, id, and node or measurer. */
export type Directory = {
  all(): Iterable<Session>;
  ofSubject(role: Role, id: number): Session | undefined;
  withId(id: string): Session | undefined;
  /** Sessions whose registration is not on the chain yet. */
  unregistered(): Iterable<Session>;
  /** Sets the node or measurer id of a session once it is registered. */
  setSubject(session: Session, subjectId: number): void;
  count(role: Role): number;
};

/** The directory as its owner sees it, who adds and removes sessions. */
export type OwnDirectory = Directory & {
  ofKey(key: string): Session | undefined;
  /** Adds a session, in place of the earlier one of its key. */
  put(session: Session): void;
  /** Removes a session; false when it was not there. */
  drop(session: Session): boolean;
  clear(): void;
};

type Indexes = {
  byKey: Map<string, Session>;
  byId: Map<string, Session>;
  bySubject: Record<Role, Map<number, Session>>;
  unregistered: Set<Session>;
  counts: Record<Role, number>;
};

export function createDirectory(): OwnDirectory {
  const indexes: Indexes = {
    byKey: new Map(),
    byId: new Map(),
    bySubject: { node: new Map(), measurer: new Map() },
    unregistered: new Set(),
    counts: { node: 0, measurer: 0 },
  };
  const { byKey, byId, bySubject, unregistered, counts } = indexes;
  return {
    all: () => byKey.values(),
    ofKey: (key) => byKey.get(key),
    ofSubject: (role, id) => bySubject[role].get(id),
    withId: (id) => byId.get(id),
    unregistered: () => unregistered,
    setSubject: (session, subjectId) => setSubject(indexes, session, subjectId),
    count: (role) => counts[role],
    put: (session) => put(indexes, session),
    drop: (session) => drop(indexes, session),
    clear: () => {
      for (const session of [...byKey.values()]) drop(indexes, session);
    },
  };
}

function put(indexes: Indexes, session: Session): void {
  const { byKey, byId, counts } = indexes;
  const before = byKey.get(session.key);
  if (before !== undefined) removeFromIndexes(indexes, before);
  byKey.set(session.key, session);
  byId.set(session.id, session);
  counts[session.role] += 1;
  addSubject(indexes, session);
}

function drop(indexes: Indexes, session: Session): boolean {
  const { byKey } = indexes;
  if (byKey.get(session.key) !== session) return false;
  byKey.delete(session.key);
  removeFromIndexes(indexes, session);
  return true;
}

function setSubject(indexes: Indexes, session: Session, subjectId: number): void {
  session.subjectId = subjectId;
  if (!indexes.byId.has(session.id)) return;
  indexes.unregistered.delete(session);
  addSubject(indexes, session);
}

function addSubject({ bySubject, unregistered }: Indexes, session: Session): void {
  if (session.subjectId === null) unregistered.add(session);
  else bySubject[session.role].set(session.subjectId, session);
}

/** Removes a session from the indexes other than `byKey`. */
function removeFromIndexes({ byId, bySubject, unregistered, counts }: Indexes, session: Session): void {
  byId.delete(session.id);
  unregistered.delete(session);
  counts[session.role] -= 1;
  const { role, subjectId } = session;
  if (subjectId !== null && bySubject[role].get(subjectId) === session) bySubject[role].delete(subjectId);
}
