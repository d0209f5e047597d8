#!/usr/bin/env bash
# Two hosts on one machine: two network namespaces, joined by a link of limited rate, each with a name
# and a core of its own. Needs root, iproute2 and Open MPI.
#   two_hosts.sh up [--rate RATE|none]                 1gbit if nothing is said; again: another rate
#   two_hosts.sh run [-n RANKS] [--no-pin] [--mca KEY VALUE]... -- COMMAND...
#                                                      one rank on each host, or half of RANKS
#   two_hosts.sh on host-a|host-b COMMAND...           without MPI; what mpirun uses in place of ssh
#   two_hosts.sh down                                  ends what still runs on the hosts
# CLUSTER_RATE stands for --rate, CLUSTER_PIN=0 for --no-pin.
set -euo pipefail

hosts=(host-a host-b)
link=link0
subnet=10.77.0.0/24
declare -A address=([host-a]=10.77.0.1 [host-b]=10.77.0.2)
declare -A core=([host-a]=0 [host-b]=1)
desk=/dev/shm/localbatch-hosts # Open MPI's files, also those of jobs that were killed

fail() {
  echo "two_hosts: $*" >&2
  exit 2
}

namespace() { echo "localbatch-$1"; }

in_namespace() { ip netns exec "$(namespace "$1")" "${@:2}"; }

are_up() {
  local host
  for host in "${hosts[@]}"; do
    in_namespace "$host" ip -brief address show dev "$link" up 2>/dev/null |
      grep -q " ${address[$host]}/" || return 1
  done
}

make_hosts() {
  local host
  for host in "${hosts[@]}"; do
    ip netns add "$(namespace "$host")"
  done
  ip link add "$link" netns "$(namespace host-a)" type veth \
    peer name "$link" netns "$(namespace host-b)"
  for host in "${hosts[@]}"; do
    in_namespace "$host" ip link set lo up
    in_namespace "$host" ip address add "${address[$host]}/${subnet#*/}" dev "$link"
    in_namespace "$host" ip link set "$link" up
  done
}

limit_rate() {
  local host
  for host in "${hosts[@]}"; do
    in_namespace "$host" tc qdisc delete dev "$link" root 2>/dev/null || true
    [ "$1" = none ] ||
      in_namespace "$host" tc qdisc add dev "$link" root tbf rate "$1" burst 256kbit latency 400ms
  done
}

up() {
  local rate=${CLUSTER_RATE:-1gbit}
  if [ "${1:-}" = --rate ]; then
    rate=${2:?--rate: expected a rate or none}
    shift 2
  fi
  [ $# -eq 0 ] || fail "up: found '$1', expected --rate RATE"
  if ! are_up; then
    down
    make_hosts
  fi
  limit_rate "$rate"
  mkdir -p "$desk"
}

down() {
  local host name pids
  for host in "${hosts[@]}"; do
    name=$(namespace "$host")
    [ -e "/run/netns/$name" ] || continue
    for signal in TERM KILL; do
      pids=$(ip netns pids "$name" || true)
      [ -n "$pids" ] || break
      # shellcheck disable=SC2086  # one word each
      kill -s "$signal" $pids 2>/dev/null || true
      sleep 1
    done
    ip netns delete "$name"
  done
  rm -rf "$desk"
}

# Becomes the command, so that signals reach it.
on_host() {
  local host=$1 pin=()
  shift
  [ -n "${address[$host]:-}" ] || fail "on: found '$host', allowed is ${hosts[*]}"
  [ "${CLUSTER_PIN:-1}" = 0 ] || pin=(taskset -c "${core[$host]}")
  # shellcheck disable=SC2016  # for the inner shell
  exec ip netns exec "$(namespace "$host")" unshare --uts "${pin[@]}" \
    sh -c 'hostname "$0" && exec "$@"' "$host" "$@"
}

# Words as ssh takes them: joined, for a shell.
as_agent() {
  local host=$1
  shift
  on_host "$host" sh -c "$*"
}

run() {
  local ranks=2 tune=()
  while [ $# -gt 0 ]; do
    case $1 in
      -n) ranks=${2:?-n: expected a number}; shift 2 ;;
      --no-pin) export CLUSTER_PIN=0; shift ;;
      --mca) tune+=(--mca "${2:?}" "${3:?}"); shift 3 ;;
      --) shift; break ;;
      *) fail "run: found '$1', expected -n RANKS, --no-pin, --mca KEY VALUE or -- COMMAND" ;;
    esac
  done
  [ $# -gt 0 ] || fail "run: expected -- COMMAND"
  [[ $ranks =~ ^[0-9]+$ && $ranks -ge 2 ]] || fail "run: -n: found '$ranks', allowed is 2 or more"
  are_up || fail "run: no hosts; '$0 up' makes them"
  local each=$(((ranks + 1) / 2)) transports=self,tcp
  if [ "$each" -gt 1 ]; then
    transports=self,vader,tcp
    # Ranks that share a core must not wait busily; Open MPI counts slots, not cores.
    [ "${CLUSTER_PIN:-1}" = 0 ] || tune+=(--mca mpi_yield_when_idle 1)
  fi
  # Root, in the eyes of Open MPI, should not do this.
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  export GLOO_SOCKET_IFNAME=$link MASTER_ADDR=${address[host-a]}
  # Attached, the daemon of the other host ends with mpirun.
  on_host host-a mpirun -n "$ranks" --host "host-a:$each,host-b:$each" --leave-session-attached \
    --mca plm_rsh_agent "$(realpath "$0") agent" --mca pml ob1 --mca btl "$transports" \
    --mca btl_tcp_if_include "$subnet" --mca oob_tcp_if_include "$subnet" --bind-to none \
    --mca orte_tmpdir_base "$desk" --mca btl_vader_backing_directory "$desk" \
    "${tune[@]}" "$@"
}

[ "$(id -u)" -eq 0 ] || fail "needs root: it makes network namespaces"
command=${1:-}
[ $# -eq 0 ] || shift
case $command in
  up) up "$@" ;;
  down) down ;;
  run) run "$@" ;;
  on) on_host "$@" ;;
  agent) as_agent "$@" ;;
  *) fail "found '$command', allowed is up, down, run, on" ;;
esac
