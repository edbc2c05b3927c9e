#!/bin/sh
# Installs the ngpu client as a service: a compute node, or with --role measurer a measurement node.
# Running it again updates the client and keeps key, journal and settings.
# All checks come before the first change, and all problems are reported together.
set -eu

role=node
api='' from='' checksum='' socket='' settings='' problems='' notes=''
dry_run=0 uninstall=0 purge=0 allow_http=0
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL

usage() {
  cat <<'TEXT'
Usage: install_mcNode.sh --api URL --wallet 0x... [options]

  --api URL             URL of the market's API
  --wallet 0x...        wallet that rewards go to once it accepts the node (default: the node's own address)
  --wallet-consent 0x.. the wallet's signature that accepts this node (default: the wallet accepts it later)
  --price N             price of a replica, in token units (1e-18) a second
  --region CC           country of the machine, two letters
  --host NAME           host name or address at which the machine's ports are reachable
  --gpus N              GPUs to offer at most (also --cpu-milli, --memory-mib, --disk-gib, --ports)
  --docker-socket PATH  socket of the Docker engine (default: /var/run/docker.sock)
  --role ROLE           node (default) or measurer
  --from SOURCE         directory or URL with the client's manifest.json (default: the API's /client)
  --sha256 HEX          sha256 of the client's archive, in place of the one in the manifest
  --allow-http          allow plain http to other machines
  --uninstall           stop and remove the client; its key and settings stay
  --purge               with --uninstall: also remove the key and the settings
  --dry-run             run the checks and print the steps without changing anything
TEXT
}

say() { printf '%s\n' "$*"; }
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }
run() { if [ "$dry_run" = 1 ]; then say "+ $*"; else "$@" </dev/null; fi; }
has() { command -v "$1" >/dev/null 2>&1; }
has_systemd() { [ -d /run/systemd/system ]; }
upper() { printf '%s' "$1" | tr 'a-z-' 'A-Z_'; }
lower() { printf '%s' "$1" | tr '[:upper:]' '[:lower:]'; }
matches() { printf '%s\n' "$1" | grep -Eq "^($2)\$"; }

# problem <message> <hint>
problem() {
  problems="$problems
  - $1
    $2"
}

note() {
  notes="$notes
Note: $1"
}

# ---- Options

parse() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --dry-run) dry_run=1 ;;
      --uninstall) uninstall=1 ;;
      --purge) purge=1 ;;
      --allow-http) allow_http=1 ;;
      -h | --help) usage; exit 0 ;;
      --api | --from | --sha256 | --role | --docker-socket | --wallet | --wallet-consent | --region | --price | --host | \
        --gpus | --cpu-milli | --memory-mib | --disk-gib | --ports)
        case "${2-}" in
          '' | --*) problem "$1 needs a value." "See --help." ;;
          *) set_option "$1" "$2"; shift ;;
        esac
        ;;
      *) problem "Unknown option $1." "See --help." ;;
    esac
    shift
  done
}

set_option() {
  # systemd and shells read the settings file: reject characters that are special to either.
  case "$1=$2" in
    --from=*) ;;
    *[!A-Za-z0-9:/._,@%?=+-]*) problem "$1 is \"$2\", which has an invalid character." "Correct it and run this again."; return ;;
  esac
  case "$1" in
    --api) api=${2%/} ;;
    --from) from=${2%/} ;;
    --sha256) checksum=$2 ;;
    --role) role=$2 ;;
    --docker-socket) socket=$2; add_setting "$1" DOCKER_SOCKET "$2" '/.+' "the absolute path of a socket" ;;
    --wallet) add_setting "$1" WALLET "$2" '0x[0-9a-fA-F]{40}' "an address: 0x and 40 hexadecimal digits" ;;
    --wallet-consent)
      add_setting "$1" WALLET_CONSENT "$2" '0x([0-9a-fA-F]{2}){65,2048}' "a signature: 0x and hexadecimal digits" ;;
    --region) add_setting "$1" REGION "$2" '[A-Z]{2}' "a country code of two letters, such as DE" ;;
    --price) add_setting "$1" PRICE "$2" '[0-9]{1,19}' "a whole number of token units (1e-18) a second" ;;
    --host) add_setting "$1" HOST "$2" '[A-Za-z0-9:._-]{1,255}' "a host name or an address" ;;
    --gpus) add_limit "$1" "$2" 255 ;;
    --ports | --disk-gib) add_limit "$1" "$2" 65535 ;;
    --cpu-milli | --memory-mib) add_limit "$1" "$2" 16777215 ;;
  esac
}

# add_setting <option> <name> <value> <pattern> <description of a valid value>
add_setting() {
  if matches "$3" "$4"; then
    settings="$settings $2=$3"
  else
    problem "$1 is \"$3\", which is not $5." "Correct it and run this again."
  fi
}

# add_limit <option> <value> <maximum>
add_limit() {
  maximum=$3
  if matches "$2" '[0-9]{1,8}' && [ "$2" -le "$maximum" ]; then
    settings="$settings LIMIT_$(upper "${1#--}")=$2"
  else
    problem "$1 is \"$2\", which is not a whole number from 0 to $maximum." "Correct it and run this again."
  fi
}

# Sets the names and paths of the installation.
set_names() {
  case "$role" in
    node) prefix=NODE command=run ;;
    measurer) prefix=MEASURER command=measure ;;
    *) problem "--role must be node or measurer, not $role." "See --help."; report ;;
  esac
  service=ngpu-$role
  shim=/usr/local/bin/ngpu-node
  target=/opt/ngpu/$role state=/var/lib/$service unit=/etc/systemd/system/$service.service env_file=/etc/ngpu/$role.env
  passphrase_file=/etc/ngpu/$role.passphrase
  [ -n "$api" ] || api=$(setting_of NGPU_API)
  [ -n "$socket" ] || socket=$(setting_of NODE_DOCKER_SOCKET)
  own_socket=$socket
  socket=${socket:-/var/run/docker.sock}
  [ "$role" = node ] || check_measurer_settings
}

setting_of() { if [ -r "$env_file" ]; then sed -n "s/^$1=//p" "$env_file"; fi; }

check_measurer_settings() {
  for item in $settings; do
    case "$item" in
      WALLET=* | REGION=*) ;;
      *) problem "A measurement node has no setting ${item%%=*}." "Remove that option." ;;
    esac
  done
}

# ---- Checks, which change nothing

check_user() {
  if [ "$dry_run" = 0 ] && [ "$(id -u)" != 0 ]; then
    problem "The installation requires root." "Run it with sudo, or with --dry-run to see the steps."
  fi
}

check_machine() {
  [ "$(uname -s)" = Linux ] || problem "The client requires Linux; this is $(uname -s)." "Use a Linux machine."
  case "$(uname -m)" in
    x86_64) platform=linux-x64 ;;
    aarch64) platform=linux-arm64 ;;
    *) platform=''; problem "The client does not support $(uname -m)." "Use an x86_64 or arm64 machine." ;;
  esac
  missing=''
  for program in curl tar gzip sha256sum install mktemp getent useradd usermod runuser; do
    has "$program" || missing="$missing $program"
  done
  [ -z "$missing" ] || problem "These programs are missing:$missing." "Install them with the system's package manager."
  has_apt=0
  if [ -r /etc/os-release ] && grep -Eq '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; then has_apt=1; fi
  check_space "${TMPDIR:-/tmp}" 100
  check_space /opt 400
  check_space /var/lib 100
}

# check_space <folder> <MiB>
check_space() {
  folder=$1
  while ! [ -d "$folder" ]; do folder=$(dirname "$folder"); done
  free=$(($(df -Pk "$folder" | sed 1d | tr -s ' ' | cut -d ' ' -f 4) / 1024))
  [ "$free" -ge "$2" ] || problem "$1 has $free MiB free; $2 MiB are required." "Free some disk space there."
}

# True for URLs whose content cannot be changed in transit: https, and this machine.
is_safe_url() {
  case "$1" in
    *@*) return 1 ;;
    https://?* | http://127.0.0.1 | http://127.0.0.1[:/]* | http://localhost | http://localhost[:/]*) ;;
    http://?*) [ "$allow_http" = 1 ] ;;
    *) return 1 ;;
  esac
}

# check_url <option> <url>
check_url() {
  is_safe_url "$2" && return
  case "$2" in
    *@*) problem "$1 contains an @: $2." "Remove the user name from the URL." ;;
    http://?*)
      problem "$1 $2 is plain http: the client could be changed in transit." \
        "Use https, or add --allow-http in a trusted network."
      ;;
    *) problem "$1 is \"$2\", which is not a URL." "Use one such as https://market.example." ;;
  esac
  return 1
}

# get <url> <file> <seconds> [curl options]: follows redirects to https only.
get() {
  url=$1 file=$2 seconds=$3
  shift 3
  curl --fail --silent --show-error --location --proto =http,https --proto-redir =https --connect-timeout 10 \
    --max-time "$seconds" --output "$file" "$@" "$url" 2>"$work/error"
}

last_error() { tail -n 1 "$work/error"; }

check_api() {
  if [ -z "$api" ]; then
    problem "--api is missing: the URL of the market's API." "Ask the market's operator for it."
    return
  fi
  check_url --api "$api" || return 0
  has curl || return 0
  if ! get "$api/v1/network" "$work/network" 20 --dump-header "$work/headers"; then
    api_failed=1
    problem "The market's API does not respond at $api/v1/network: $(last_error)." "Check the URL and this machine's network."
    return
  fi
  check_clock
  check_reachable rpcUrls "The chain's RPC endpoint"
  check_reachable matchUrls "The market's match service"
  check_reachable gatewayUrls "The market's gateway"
}

# Signatures made with a wrong clock are rejected.
check_clock() {
  served=$(sed -n 's/^[Dd]ate: *//p' "$work/headers" | tr -d '\r' | tail -n 1)
  there=$(date -u -d "$served" +%s 2>/dev/null) || return 0
  ahead=$(($(date -u +%s) - there))
  if [ "$ahead" -gt 30 ] || [ "$ahead" -lt -30 ]; then
    problem "This machine's clock differs from the market's by ${ahead#-} s." "Synchronize it: timedatectl set-ntp true."
  fi
}

# check_reachable <list in /v1/network> <name>: one reachable URL of the list is enough.
check_reachable() {
  addresses=$(tr -d ' \n' <"$work/network" | sed -n "s/.*\"$1\":\[\([^]]*\)\].*/\1/p" | tr ',' '\n' | tr -d '"' |
    grep -E '^(https?|wss?)://[A-Za-z0-9:/._%?=&+~-]+$') || addresses=''
  reached=0 unreached=''
  for address in $addresses; do
    case "$address" in ws*) address=http${address#ws} ;; esac
    if curl --silent --output "$work/response" --connect-timeout 5 --max-time 10 "$address" 2>"$work/error"; then
      reached=$((reached + 1))
    else
      unreached="$unreached $address"
    fi
  done
  if [ -z "$addresses" ]; then
    [ "$1" = gatewayUrls ] || problem "$api/v1/network lists no $1." "Check that --api is the URL of an ngpu API."
  elif [ "$reached" = 0 ]; then
    problem "$2 is not reachable from this machine at$unreached." "Allow the connection in the firewall, or ask the market's operator."
  elif [ -n "$unreached" ]; then
    note "$2 is not reachable at$unreached; another URL is."
  fi
}

# Reads the manifest from the release's directory or URL.
check_release() {
  source=${from:-$api/client} archive=''
  [ -n "$api$from" ] && [ -n "$platform" ] || return 0
  [ -z "$checksum" ] || matches "$checksum" '[0-9a-f]{64}' ||
    problem "--sha256 is \"$checksum\", which is not a sha256." "Use 64 hexadecimal digits in lower case."
  case "$source" in
    "$api"/*) is_safe_url "$api" || return 0 ;;
    *://*) check_url --from "$from" || return 0 ;;
    *) [ -d "$source" ] || { problem "There is no directory $source." "Set --from to the directory with manifest.json."; return 0; } ;;
  esac
  if ! fetch_file manifest.json "$work/manifest" 20; then
    [ "$api_failed" = 0 ] || return 0
    problem "There is no client at $source/manifest.json: $(last_error)." \
      "Ask the market's operator to serve it (CLIENT_RELEASES of apiServer), or use --from."
    return
  fi
  manifest=$(tr -d ' \n' <"$work/manifest")
  entry=$(printf '%s\n' "$manifest" | sed -n "s/.*\"$platform\":{\([^}]*\)}.*/\1/p")
  version=$(printf '%s\n' "$manifest" | sed -n 's/.*"version":"\([^"]*\)".*/\1/p')
  archive=$(printf '%s\n' "$entry" | sed -n 's/.*"file":"\([^"]*\)".*/\1/p')
  [ -n "$checksum" ] || checksum=$(printf '%s\n' "$entry" | sed -n 's/.*"sha256":"\([^"]*\)".*/\1/p')
  if [ -z "$entry" ]; then
    problem "The market has no client for $platform." "Ask its operator: npm run client:release -- --platform $platform."
  elif ! matches "$archive" '[A-Za-z0-9._/-]+' || ! matches "$checksum" '[0-9a-f]{64}'; then
    problem "$source/manifest.json is not a client's manifest." "Check --api and --from."
  fi
}

# fetch_file <file of the release> <to> <seconds>
fetch_file() {
  case "$source" in
    *://*) get "$source/$1" "$2" "$3" ;;
    *) cp "$source/$1" "$2" 2>"$work/error" ;;
  esac
}

# Sets `engine` to running, stopped or absent.
check_engine() {
  engine=running
  if [ -S "$socket" ] && { [ "$(id -u)" != 0 ] || engine_responds; }; then return; fi
  if [ -n "$own_socket" ]; then
    problem "No Docker engine responds at $socket." "Start that engine, or remove --docker-socket."
  elif has dockerd; then
    engine=stopped
    has_systemd || problem "The Docker engine is installed but not running." "$(start_engine_hint)"
  elif [ "$has_apt" = 1 ]; then
    engine=absent
    check_space /var/lib/docker 1024
    has_systemd || note "This machine has no systemd: start the Docker engine after the installation. $(start_engine_hint)"
  else
    problem "The Docker engine is not installed." "Install it: docs.docker.com/engine/install. On Debian and Ubuntu this script does."
  fi
}

engine_responds() { curl --fail --silent --output "$work/ping" --max-time 15 --unix-socket "$socket" http://localhost/_ping; }

start_engine_hint() {
  for other in /run/ngpu-*/docker.sock; do
    [ ! -S "$other" ] || { say "A market on this machine runs an engine: add --docker-socket $other."; return; }
  done
  say "Start it: dockerd."
}

check_gpus() {
  if has nvidia-smi; then
    has nvidia-container-runtime || note "The NVIDIA Container Toolkit is not installed: containers cannot use GPUs until it is \
installed and configured for Docker (nvidia-ctk runtime configure --runtime=docker)."
    return
  fi
  for device in /sys/bus/pci/devices/*; do
    [ -r "$device/vendor" ] || continue
    case "$(cat "$device/vendor" "$device/class" | tr '\n' ' ')" in
      0x10de\ 0x03*) note "This machine has an NVIDIA GPU but no driver (nvidia-smi): the GPU is offered once the driver is installed."; return ;;
    esac
  done
}

report() {
  [ -z "$notes" ] || say "${notes#?}"
  [ -n "$problems" ] || return 0
  printf 'install: Nothing was changed. Problems:%s\n' "$problems" >&2
  exit 1
}

# ---- Changes, each of which is idempotent

# Unpacks the client beside the old one: a failed update leaves the old one unchanged.
stage_client() {
  staged=$target.new
  if [ "$dry_run" = 1 ]; then
    say "+ fetch $source/$archive (sha256 $checksum)"
    say "+ unpack it to $target"
    return
  fi
  say "Fetching the client $version for $platform from $source"
  fetch_file "$archive" "$work/client.tar.gz" 1800 || fail "Cannot fetch $source/$archive: $(last_error). Nothing was changed."
  printf '%s  %s\n' "$checksum" "$work/client.tar.gz" | sha256sum -c - >"$work/sum" 2>&1 ||
    fail "$source/$archive does not match the manifest: its sha256 differs. Nothing was changed. Run this again."
  had_parent=1
  [ -d "${target%/*}" ] || had_parent=0
  rm -rf "$staged"
  install -d -m 0755 "${target%/*}" "$staged"
  tar -xzf "$work/client.tar.gz" -C "$staged" --strip-components=1 --no-same-owner
  try_client || { unstage; fail "The client does not run on this machine: $(cat "$work/error")
Nothing was changed."; }
}

# Runs the new client once: its Node must run on this machine, and it must accept the settings.
try_client() {
  "$staged/bin/node" "$staged/client.mjs" --version >"$work/version" 2>"$work/error" || return 1
  [ "$role" = node ] || return 0
  (
    set -a
    # shellcheck source=/dev/null
    . "$work/settings"
    export NODE_DIR="$work/try" NODE_PASSPHRASE_FILE="$work/try.passphrase"
    exec "$staged/bin/node" "$staged/client.mjs" identity
  ) >"$work/identity" 2>"$work/error"
}

unstage() {
  rm -rf "$staged"
  [ "$had_parent" = 1 ] || rmdir "${target%/*}" 2>/dev/null || true
}

# Settings without an option keep their value.
draft_settings() {
  if [ -r "$env_file" ]; then cat "$env_file" >"$work/settings"; else : >"$work/settings"; fi
  for item in "NGPU_API=$api" "${prefix}_DIR=$state" $(passphrase_setting) $(prefixed); do
    sed "/^${item%%=*}=/d" "$work/settings" >"$work/settings.new"
    printf '%s\n' "$item" >>"$work/settings.new"
    mv "$work/settings.new" "$work/settings"
  done
}

# The passphrase is apart from the key, unless the operator or an earlier version chose another place.
passphrase_setting() {
  if ! grep -qs "^${prefix}_PASSPHRASE_FILE=" "$env_file" && ! [ -e "$state/$role.passphrase" ]; then
    printf '%s_PASSPHRASE_FILE=%s ' "$prefix" "$passphrase_file"
  fi
}

prefixed() { for item in $settings; do printf '%s_%s ' "$prefix" "$item"; done; }

install_engine() {
  if [ "$engine" = absent ]; then
    run env DEBIAN_FRONTEND=noninteractive apt-get update -q
    run env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends docker.io iptables
  fi
  if [ "$engine" != running ] && has_systemd; then run systemctl enable --now docker; fi
}

add_user() {
  getent passwd "$service" >/dev/null ||
    run useradd --system --user-group --home-dir "$state" --no-create-home --shell /usr/sbin/nologin "$service"
  if [ "$role" = node ]; then
    getent group docker >/dev/null || run groupadd --system docker
    # Access to the engine amounts to root access: the client gets it, its containers do not.
    run usermod --append --groups docker "$service"
  fi
  run install -d -m 0700 -o "$service" -g "$service" "$state"
}

write_settings() {
  run install -d -m 0755 /etc/ngpu
  if [ "$dry_run" = 1 ]; then
    say "+ write $env_file (0600):"
    sed 's/^/    /' "$work/settings"
    return
  fi
  install -m 0600 "$work/settings" "$env_file.new"
  mv "$env_file.new" "$env_file"
}

# Random, and readable by the client's user alone. An existing one stays: without it the key cannot be decrypted.
write_passphrase() {
  grep -qs "^${prefix}_PASSPHRASE_FILE=$passphrase_file$" "$work/settings" || return 0
  [ ! -e "$passphrase_file" ] || return 0
  if [ "$dry_run" = 1 ]; then say "+ write $passphrase_file (0600)"; return; fi
  (umask 077; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$passphrase_file.new")
  chown "$service" "$passphrase_file.new"
  mv "$passphrase_file.new" "$passphrase_file"
}

replace_client() {
  if has_systemd && [ -f "$unit" ]; then run systemctl stop "$service"; fi
  [ "$dry_run" = 0 ] || return 0
  rm -rf "$target.old"
  [ ! -d "$target" ] || mv "$target" "$target.old"
  mv "$staged" "$target"
  # What is installed runs, not a release that the previous client fetched.
  rm -f "$state/updates/current" "$state/updates/pending"
  rm -rf "$target.old"
}

# Puts ngpu-node on PATH. It runs with the service's settings.
write_shim() {
  [ "$role" = node ] || return 0
  if [ "$dry_run" = 1 ]; then say "+ write $shim"; return; fi
  install -d -m 0755 "${shim%/*}"
  cat >"$shim.new" <<TEXT
#!/bin/sh
# Installed by ngpu's install_mcNode.sh.
if [ -e $env_file ] && ! [ -r $env_file ]; then
  echo "ngpu-node: This user cannot read $env_file. Run it with sudo." >&2
  exit 1
fi
set -a
[ ! -e $env_file ] || . $env_file
exec $target/bin/node $target/client.mjs "\$@"
TEXT
  chmod 0755 "$shim.new"
  mv "$shim.new" "$shim"
}

# Removes ngpu-node from PATH, but no other program of that name.
remove_shim() {
  if [ "$role" = node ] && grep -qs '^# Installed by ngpu' "$shim"; then run rm -f "$shim"; fi
}

# The archive contains the unit's template, with @names@ as placeholders.
write_unit() {
  docker=docker.service
  # For the firewall between tenants and this machine.
  capabilities='CAP_NET_ADMIN CAP_NET_RAW'
  if [ "$role" = measurer ]; then capabilities=''; fi
  if [ "$role" = measurer ] || [ -n "$own_socket" ]; then docker=''; fi
  if [ "$dry_run" = 1 ]; then say "+ write $unit"; return; fi
  sed -e "s|@role@|$role|; s|@service@|$service|g; s|@target@|$target|g; s|@env@|$env_file|; s|@command@|$command|; s|@docker@|$docker|; s|@capabilities@|$capabilities|" \
    "$target/service.unit" >"$unit"
}

start_service() {
  if has_systemd; then
    write_unit
    run systemctl daemon-reload
    run systemctl enable "$service"
    run systemctl restart "$service"
    say "Installed. Follow it with: journalctl -fu $service"
    [ "$role" = measurer ] || say "See the node and its earnings with: sudo ngpu-node status"
    return
  fi
  say "Installed. This machine has no systemd. Start the client as root with:"
  say "  sh -c 'set -a; . $env_file; exec runuser -u $service -- sh $target/launcher.sh $command'"
}

check_socket_access() {
  if [ "$dry_run" = 1 ] || [ "$role" = measurer ] || ! [ -S "$socket" ]; then return; fi
  runuser -u "$service" -- test -w "$socket" ||
    say "Note: The user $service cannot access $socket. Change the socket's group to docker (dockerd --group docker)."
}

# ---- Removal

remove_all() {
  if has_systemd && [ -f "$unit" ]; then run systemctl disable --now "$service"; fi
  [ "$role" = measurer ] || remove_containers
  remove_shim
  run rm -rf "$unit" "$target"
  if has_systemd; then run systemctl daemon-reload; fi
  if [ "$purge" = 1 ]; then
    run rm -rf "$env_file" "$passphrase_file" "$state"
    if getent passwd "$service" >/dev/null; then run userdel "$service"; fi
  else
    say "Kept $state (key and journal), $passphrase_file and $env_file. Remove them with --uninstall --purge."
  fi
}

remove_containers() {
  [ -f "$state/container-owner" ] && has docker || return 0
  ids=$(docker --host "unix://$socket" ps -aq --filter "label=ngpu.node=$(cat "$state/container-owner")") || return 0
  # shellcheck disable=SC2086 # One id a word.
  [ -z "$ids" ] || run docker --host "unix://$socket" rm --force --volumes $ids
}

main() {
  engine='' staged='' version='' own_socket='' api_failed=0
  parse "$@"
  set_names
  work=$(mktemp -d)
  trap 'rm -rf "$work"; [ -z "$staged" ] || rm -rf "$staged"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  check_user
  if [ "$uninstall" = 1 ]; then report; remove_all; return; fi
  check_machine
  check_api
  check_release
  [ "$role" = measurer ] || check_engine
  [ "$role" = measurer ] || check_gpus
  report
  draft_settings
  stage_client
  [ "$role" = measurer ] || install_engine
  add_user
  write_settings
  write_passphrase
  replace_client
  write_shim
  check_socket_access
  start_service
}

main "$@"
