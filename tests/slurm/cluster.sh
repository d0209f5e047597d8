#!/usr/bin/env bash
# A private Slurm of one node on this machine, for tests: daemons, keys, ports, logs and state of its own.
#   cluster.sh start FOLDER    everything lies in FOLDER; returns when the node takes jobs
#   cluster.sh env FOLDER      prints the line that makes sbatch, srun and scontrol use it
#   cluster.sh stop FOLDER     cancels all jobs and ends every process of it
# Needs no systemd and reads nothing in /etc; the user who starts it is the one whose jobs it runs.
# The node claims four processors and 16 GB whatever the machine has, and holds nobody to them.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

SECONDS_TO_START=60
SECONDS_TO_STOP=30

fail() {
  echo "cluster.sh: $*" >&2
  exit 1
}

# Waits until a command succeeds: wait_until SECONDS COMMAND...
wait_until() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    sleep 0.2
  done
}

show_logs() {
  local log
  for log in "$folder"/log/*.log; do
    [ -s "$log" ] || continue
    echo "--- the end of $log" >&2
    tail -n 15 "$log" >&2
  done
}

# A port below those that the kernel gives to clients on which nobody listens.
free_port() {
  local port
  for _ in {1..50}; do
    port=$((RANDOM % 12000 + 20000))
    if ! (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
  fail "no free port between 20000 and 32000"
}

write_configuration() {
  local user host controller_port node_port
  user=$(id -un)
  host=$(hostname -s)
  controller_port=$(free_port)
  node_port=$(free_port)
  while [ "$node_port" = "$controller_port" ]; do node_port=$(free_port); done
  # cred_expire is also how long a requeued job waits before it starts again (by default 120 s).
  cat >"$SLURM_CONF" <<CONFIGURATION
ClusterName=localbatch
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller_port
SlurmdPort=$node_port
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=8
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny

StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
SlurmctldSyslogDebug=quiet
SlurmdSyslogDebug=quiet
MailProg=/bin/true

ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none

SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000 State=UNKNOWN

# A job in 'urgent' takes the place of one in 'normal', which gets a signal and GraceTime seconds first.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
PartitionName=normal Nodes=$host Default=YES PriorityTier=1 GraceTime=30
PartitionName=urgent Nodes=$host PriorityTier=2 PreemptMode=OFF

JobRequeue=1
ReturnToService=2
KillWait=5
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
CONFIGURATION
}

# The process that a daemon has written into its file, if that is still this daemon and alive.
daemon() {
  local pid
  pid=$(cat "$folder/$1.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ] &&
    grep -q '^State:[[:space:]]*[^ZX]' "/proc/$pid/status" && echo "$pid"
}

is_gone() {
  ! daemon "$1"
}

node_is_idle() {
  [ "$(sinfo --noheader --partition=normal --format=%t)" = idle ]
}

controller_has_answered_or_failed() {
  scontrol ping || grep 'fatal:' "$folder/log/slurmctld.log"
}

# What jobs have started and their stepds. Stepds hide their environment, but have the log open.
job_processes() {
  local process pid
  for process in /proc/[0-9]*; do
    pid=${process#/proc/}
    if [ "$(cat "$process/comm" 2>/dev/null)" = slurmstepd ]; then
      find "$process/fd" -lname "$folder/log/slurmd.log" 2>/dev/null | grep -q . && echo "$pid"
    elif grep -qzxF "SLURM_CONF=$SLURM_CONF" "$process/environ" 2>/dev/null; then
      grep -qz '^SLURM_JOB_ID=' "$process/environ" 2>/dev/null && echo "$pid"
    fi
  done
  return 0
}

no_job_is_left() {
  [ -z "$(squeue --noheader)" ]
}

no_job_process_is_left() {
  [ -z "$(job_processes)" ]
}

# Ends a daemon by its process number, politely at first.
end_daemon() {
  local pid
  pid=$(daemon "$1") || return 0
  kill "$pid"
  wait_until "$SECONDS_TO_STOP" is_gone "$1" || kill -KILL "$pid"
}

stop() {
  if daemon slurmctld >/dev/null; then
    scancel --user="$(id -un)" || true
    wait_until "$SECONDS_TO_STOP" no_job_is_left || echo "cluster.sh: jobs are left, killing them" >&2
  fi
  wait_until 10 no_job_process_is_left || job_processes | xargs -r kill -KILL
  end_daemon slurmd
  end_daemon slurmctld
  end_daemon munged
}

# Ends what has been started, says why, and leaves the logs.
give_up() {
  echo "cluster.sh: $*" >&2
  show_logs
  stop
  exit 1
}

start() {
  local program
  for program in munged slurmctld slurmd sbatch; do
    command -v "$program" >/dev/null || "$(dirname "$0")/../../third_party/install_packages.sh" slurm
  done
  [ ! -e "$SLURM_CONF" ] || fail "$folder holds a cluster already; stop it and remove the folder"
  ((${#folder} < 80)) || fail "$folder: too long a path for the name of a socket"

  (umask 077 && mkdir -p "$folder"/{munge,state,spool,log} && head -c 1024 /dev/urandom >"$folder/munge/key")
  write_configuration

  # munged would refuse a folder that other users cannot enter, which is what we want; hence --force.
  munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/log/munged.log" --seed-file="$folder/munge/seed" >"$folder/log/start.log" 2>&1 ||
    give_up "munged does not start"
  slurmctld -c -f "$SLURM_CONF" >>"$folder/log/start.log" 2>&1 || give_up "slurmctld does not start"
  wait_until "$SECONDS_TO_START" controller_has_answered_or_failed || true
  scontrol ping >/dev/null 2>&1 || give_up "slurmctld does not answer"
  slurmd -f "$SLURM_CONF" >>"$folder/log/start.log" 2>&1 || give_up "slurmd does not start"
  wait_until "$SECONDS_TO_START" node_is_idle ||
    give_up "the node is not idle after $SECONDS_TO_START s, but '$(sinfo --noheader --format='%t %E' | head -n 1)'"
}

[ $# -eq 2 ] || fail "usage: cluster.sh start|env|stop FOLDER"
folder=$(realpath -m "$2")
export SLURM_CONF=$folder/slurm.conf
case $1 in
  start) start ;;
  env) echo "export SLURM_CONF=$SLURM_CONF" ;;
  stop) stop ;;
  *) fail "$1: neither start, env nor stop" ;;
esac
