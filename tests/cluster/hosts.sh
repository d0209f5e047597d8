#!/usr/bin/env bash
# Hosts on one machine: network namespaces at a switch, each with a name, a share of the cores, and a link
# of limited rate. Needs root, iproute2 and Open MPI.
#   hosts.sh up [--hosts N] [--rate RATE|none]       two hosts and 1gbit if nothing is said; again: others
#   hosts.sh run [-n RANKS] [--no-pin] [--mca KEY VALUE]... -- COMMAND...
#                                                    one rank on each host, or RANKS spread over them
#   hosts.sh on host-a|host-b|... COMMAND...         without MPI; what mpirun uses in place of ssh
#   hosts.sh down                                    ends what still runs on the hosts
# CLUSTER_HOSTS stands for --hosts, CLUSTER_RATE for --rate, CLUSTER_PIN=0 for --no-pin.
set -euo pipefail

names=(host-a host-b host-c host-d host-e host-f host-g host-h)
switch=localbatch-switch
link=link0
subnet=10.77.0.0/24
desk=/dev/shm/localbatch-hosts # Open MPI's files, also those of jobs that were killed
period=10000                   # microseconds in which a host may use its share of a core

fail() {
  echo "hosts: $*" >&2
  exit 2
}

namespace() { echo "localbatch-$1"; }

in_namespace() { ip netns exec "$(namespace "$1")" "${@:2}"; }

number_of() {
  local i
  for i in "${!names[@]}"; do
    [ "${names[$i]}" != "$1" ] || { echo "$i"; return; }
  done
  fail "found '$1', allowed is ${names[*]}"
}

address() { echo "10.77.0.$((1 + $(number_of "$1")))"; }

# Cores of this machine: what runs on a host, such as mpirun and the agent that it starts, has one of them.
export CLUSTER_CORES=${CLUSTER_CORES:-$(nproc)}

core() { echo $(($(number_of "$1") % CLUSTER_CORES)); }

# The hosts that are up, in their order.
present() {
  local host
  for host in "${names[@]}"; do
    [ ! -e "/run/netns/$(namespace "$host")" ] || echo "$host"
  done
}

# Where more hosts than cores are, each may use as much of its core as all hosts of that core can have at
# once, less a fifth for the kernel's work for the links, whether the others work or wait: a slower machine
# of its own, not one that others disturb.
group() {
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    echo "/sys/fs/cgroup/$(namespace "$1")"
  else
    echo "/sys/fs/cgroup/cpu/$(namespace "$1")"
  fi
}

share_core() {
  local host=$1 quota=$((period * 4 / 5 / $2)) group
  group=$(group "$host")
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    echo +cpu >/sys/fs/cgroup/cgroup.subtree_control
    mkdir -p "$group"
    echo "$quota $period" >"$group/cpu.max"
  else
    mkdir -p "$group"
    echo "$period" >"$group/cpu.cfs_period_us"
    echo "$quota" >"$group/cpu.cfs_quota_us"
  fi
}

make_hosts() {
  local host
  ip netns add "$switch"
  ip -n "$switch" link add bridge0 type bridge
  ip -n "$switch" link set bridge0 up
  for host in "${names[@]:0:$1}"; do
    ip netns add "$(namespace "$host")"
    ip link add "$link" netns "$(namespace "$host")" type veth peer name "$host" netns "$switch"
    ip -n "$switch" link set "$host" master bridge0
    ip -n "$switch" link set "$host" up
    in_namespace "$host" ip link set lo up
    in_namespace "$host" ip address add "$(address "$host")/${subnet#*/}" dev "$link"
    in_namespace "$host" ip link set "$link" up
    [ "$1" -le "$CLUSTER_CORES" ] || share_core "$host" $((($1 + CLUSTER_CORES - 1) / CLUSTER_CORES))
  done
}

# Both directions of a host's link: what it sends, and what the switch sends to it.
limit_rate() {
  local host place device
  for host in $(present); do
    for place in "$(namespace "$host") $link" "$switch $host"; do
      device=${place#* }
      tc -n "${place% *}" qdisc delete dev "$device" root 2>/dev/null || true
      [ "$1" = none ] ||
        tc -n "${place% *}" qdisc add dev "$device" root tbf rate "$1" burst 2mbit latency 400ms
    done
  done
}

up() {
  local hosts=${CLUSTER_HOSTS:-2} rate=${CLUSTER_RATE:-1gbit}
  while [ $# -gt 0 ]; do
    case $1 in
      --hosts) hosts=${2:?--hosts: expected a number}; shift 2 ;;
      --rate) rate=${2:?--rate: expected a rate or none}; shift 2 ;;
      *) fail "up: found '$1', expected --hosts N or --rate RATE" ;;
    esac
  done
  [[ $hosts =~ ^[2-${#names[@]}]$ ]] || fail "up: --hosts: found '$hosts', allowed is 2 .. ${#names[@]}"
  if [ "$(present | wc -l)" != "$hosts" ] || ! [ -e "/run/netns/$switch" ]; then
    down
    make_hosts "$hosts"
  fi
  limit_rate "$rate"
  mkdir -p "$desk"
}

down() {
  local host name pids
  for host in $(present); do
    name=$(namespace "$host")
    for signal in TERM KILL; do
      pids=$(ip netns pids "$name" || true)
      [ -n "$pids" ] || break
      # shellcheck disable=SC2086  # one word each
      kill -s "$signal" $pids 2>/dev/null || true
      sleep 1
    done
    ip netns delete "$name"
    # The kernel takes a moment to see that nobody is left.
    for _ in 1 2 3 4 5; do
      [ -d "$(group "$host")" ] || break
      rmdir "$(group "$host")" 2>/dev/null || sleep 1
    done
  done
  [ ! -e "/run/netns/$switch" ] || ip netns delete "$switch"
  rm -rf "$desk"
}

# Becomes the command, so that signals reach it.
on_host() {
  local host=$1 pin=()
  shift
  [ -e "/run/netns/$(namespace "$host")" ] || fail "on: found '$host', up are: $(present | xargs)"
  [ "${CLUSTER_PIN:-1}" = 0 ] || pin=(taskset -c "$(core "$host")")
  [ ! -d "$(group "$host")" ] || echo $$ >"$(group "$host")/cgroup.procs"
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
  local hosts ranks='' tune=()
  mapfile -t hosts < <(present)
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
  [ "${#hosts[@]}" -ge 2 ] || fail "run: no hosts; '$0 up' makes them"
  ranks=${ranks:-${#hosts[@]}}
  [[ $ranks =~ ^[0-9]+$ && $ranks -ge ${#hosts[@]} ]] ||
    fail "run: -n: found '$ranks', allowed is ${#hosts[@]} or more"
  local each=$(((ranks + ${#hosts[@]} - 1) / ${#hosts[@]})) transports=self,tcp
  if [ "$each" -gt 1 ]; then
    transports=self,vader,tcp
    # Ranks that share a core must not wait busily; Open MPI counts slots, not cores.
    [ "${CLUSTER_PIN:-1}" = 0 ] || tune+=(--mca mpi_yield_when_idle 1)
  fi
  # Root, in the eyes of Open MPI, should not do this.
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  export GLOO_SOCKET_IFNAME=$link MASTER_ADDR
  MASTER_ADDR=$(address "${hosts[0]}")
  # Attached, the daemons of the other hosts end with mpirun.
  on_host "${hosts[0]}" mpirun -n "$ranks" --host "$(printf "%s:$each," "${hosts[@]}" | sed 's/,$//')" \
    --leave-session-attached --mca plm_rsh_no_tree_spawn 1 \
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
