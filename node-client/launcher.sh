#!/bin/sh
# Runs the client: the release beside this script, or a newer one that the client fetched into its own directory.
# A new release that does not report itself healthy in time is stopped, and the previous one runs again.
# The client ends with status 75 to be started again, with the release that is due.
set -u

here=$(cd "$(dirname "$0")" && pwd)
case "${1-}" in
  measure) state=${MEASURER_DIR-} ;;
  *) state=${NODE_DIR-} ;;
esac
updates=$state/updates
healthy_seconds=${NGPU_HEALTHY_SECONDS:-300}
stop_seconds=${NGPU_STOP_SECONDS:-30}
restart=75
child='' stopping=0 code=0

say() { printf 'launcher: %s\n' "$*" >&2; }

# Prints the version in a file of the updates, and nothing when there is none.
version_in() {
  if [ -r "$updates/$1" ]; then head -n 1 "$updates/$1" | grep -Ex '[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}'; fi
}

is_release() { [ -n "$1" ] && [ -x "$updates/releases/$1/bin/node" ] && [ -r "$updates/releases/$1/client.mjs" ]; }

# Replaces a file as a whole: write <file> <line>
write() { printf '%s\n' "$2" >"$updates/$1.new" && mv "$updates/$1.new" "$updates/$1"; }

stop() {
  stopping=1
  if [ -n "$child" ]; then kill -TERM "$child" 2>/dev/null; fi
}

is_alive() { kill -0 "$child" 2>/dev/null; }

# Waits for the client to end. A signal interrupts `wait`.
await_end() {
  while :; do
    wait "$child"
    code=$?
    is_alive || break
  done
  child=''
}

# Sets `release` to the version to run, empty for the installed one, and `trial` to 1 for a new one.
choose() {
  trial=0
  release=$(version_in pending)
  if is_release "$release"; then
    attempts=$(($(version_attempts) + 1))
    if [ "$attempts" -le 3 ]; then
      trial=1
      printf '%s %s\n' "$release" "$attempts" >"$updates/attempts"
      return
    fi
    reject "was started 3 times and did not become healthy"
  fi
  rm -f "$updates/pending"
  release=$(version_in current)
  is_release "$release" || release=''
}

# How often the pending release was started.
version_attempts() {
  if [ -r "$updates/attempts" ] && read -r of count <"$updates/attempts" && [ "$of" = "$release" ]; then
    printf '%s' "$count" | grep -Ex '[0-9]{1,3}' || printf 0
  else
    printf 0
  fi
}

# The release is not tried again on this machine.
reject() {
  say "Release $release $1. The previous one runs again."
  printf '%s\n' "$release" >>"$updates/failed"
  rm -f "$updates/pending" "$updates/attempts"
}

start() {
  home=$here
  if [ -n "$release" ]; then home=$updates/releases/$release; fi
  NGPU_UPDATES=$updates NGPU_RELEASE=$release "$home/bin/node" "$home/client.mjs" "$@" &
  child=$!
}

# Waits until the new release says that it is healthy. Sets `rejected` to 1 when it does not in time.
await_health() {
  waited=0
  while [ "$(version_in healthy)" != "$release" ] && is_alive && [ "$stopping" = 0 ] && [ "$waited" -lt "$healthy_seconds" ]; do
    sleep 1
    waited=$((waited + 1))
  done
  if [ "$(version_in healthy)" = "$release" ]; then
    write current "$release"
    rm -f "$updates/pending" "$updates/attempts"
    say "Release $release is healthy."
  elif [ "$stopping" = 0 ]; then
    rejected=1
    if is_alive; then reject "did not become healthy within $healthy_seconds s"; else reject "ended before it was healthy"; fi
  fi
  # Otherwise the operator stopped it, which says nothing about the release.
}

# Ends the client, by force where it does not end itself.
end_client() {
  kill -TERM "$child" 2>/dev/null
  waited=0
  while is_alive && [ "$waited" -lt "$stop_seconds" ]; do
    sleep 1
    waited=$((waited + 1))
  done
  kill -KILL "$child" 2>/dev/null
  wait "$child" 2>/dev/null
  child=''
}

trap stop TERM INT
while :; do
  choose
  rejected=0
  if [ "$trial" = 1 ]; then rm -f "$updates/healthy"; fi
  start "$@"
  if [ "$trial" = 1 ]; then await_health; fi
  if [ "$rejected" = 1 ]; then
    end_client
    if [ "$stopping" = 1 ]; then exit 0; fi
    continue
  fi
  await_end
  if [ "$stopping" = 1 ] || [ "$code" != "$restart" ]; then exit "$code"; fi
done
