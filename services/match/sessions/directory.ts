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

export function createDirectory() {
  const byKey = new Map<string, Session>();
  const byId = new Map<string, Session>();
  const bySubject = { node: new Map<number, Session>(), measurer: new Map<number, Session>() };
  const unregistered = new Set<Session>();
  const counts = { node: 0, measurer: 0 };
  const index = (session: Session) => {
    if (session.subjectId === null) unregistered.add(session);
    else bySubject[session.role].set(session.subjectId, session);
  };
  const remove = (session: Session) => {
    byId.delete(session.id);
    unregistered.delete(session);
    counts[session.role] -= 1;
    const { role, subjectId } = session;
    if (subjectId !== null && bySubject[role].get(subjectId) === session) bySubject[role].delete(subjectId);
  };
  const directory: Directory = {
    all: () => byKey.values(),
    ofSubject: (role, id) => bySubject[role].get(id),
    withId: (id) => byId.get(id),
    unregistered: () => unregistered,
    setSubject(session, subjectId) {
      session.subjectId = subjectId;
      if (!byId.has(session.id)) return;
      unregistered.delete(session);
      index(session);
    },
    count: (role) => counts[role],
  };
  return {
    ...directory,
    ofKey: (key: string) => byKey.get(key),
    /** Adds a session, in place of the earlier one of its key. */
    put(session: Session): void {
      const before = byKey.get(session.key);
      if (before !== undefined) remove(before);
      byKey.set(session.key, session);
      byId.set(session.id, session);
      counts[session.role] += 1;
      index(session);
    },
    /** Removes a session; false when it was not there. */
    drop(session: Session): boolean {
      if (byKey.get(session.key) !== session) return false;
      byKey.delete(session.key);
      remove(session);
      return true;
    },
    clear(): void {
      for (const session of [...byKey.values()]) {
        byKey.delete(session.key);
        remove(session);
      }
    },
  };
}
