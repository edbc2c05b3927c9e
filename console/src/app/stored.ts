/** Settings that stay in this browser. A browser that stores nothing works, and forgets them. */
export function readStored(name: string): string | null {
  try {
    return localStorage.getItem(`ngpu.${name}`);
  } catch {
    return null;
  }
}

export function store(name: string, value: string): void {
  try {
    localStorage.setItem(`ngpu.${name}`, value);
  } catch {
    // Private windows may refuse; the setting holds until the page is closed.
  }
}
