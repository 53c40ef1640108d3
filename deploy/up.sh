#!/usr/bin/env bash
# Builds tracegate and runs it on this machine: one node or several, on the Redis that answers at redis.url or on a private
# one. Ctrl-C (or SIGTERM, SIGHUP) ends exactly what it started and waits for it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/lib/install.sh
source "$root/deploy/lib/install.sh"

usage() {
	cat <<'TEXT'
Usage: bash deploy/up.sh [options] [-- gateway options]
  --nodes N     how many nodes to start (1)
  --port PORT   first port: node 1 serves clients on PORT and its admin port on PORT+1, node 2 on PORT+2 ... (8080)
  --build DIR   build folder (build/ in the repository)
  --no-build    use what the build folder holds
Gateway options go to every node: bash deploy/up.sh -- --log.level debug. Where nodes listen and what they are called is
--port's to say. Redis is looked for at TRACEGATE_REDIS_URL (redis://127.0.0.1:6379); when none answers there, a private one
is started and goes away again. One that gateway options name (--redis.url, --redis.url_file) is taken as it is.
TEXT
}

say() { printf '%s\n' "$*"; }
fail() {
	printf 'up.sh: %s\n' "$*" >&2
	exit 1
}

# Nodes that listen elsewhere than this script says would not be found.
refuse_addresses() { # gateway options...
	local option
	for option; do
		case ${option%%=*} in
		--listen | --admin.listen | --node.name) fail "${option%%=*} is chosen for each node: use --port, or start build/bin/tracegate yourself" ;;
		esac
	done
}

nodes=1 port=8080 build=$root/build wants_build=1 gateway_options=()
parse_arguments() {
	while (($#)); do
		case $1 in
		--nodes | --port | --build) [[ $# -ge 2 ]] || fail "$1 needs a value" ;;&
		--nodes) nodes=$2 && shift 2 ;;
		--port) port=$2 && shift 2 ;;
		--build) build=$2 && shift 2 ;;
		--no-build) wants_build=0 && shift ;;
		--help | -h) usage && exit 0 ;;
		--) shift && gateway_options=("$@") && break ;;
		*) usage >&2 && fail "no such option: $1" ;;
		esac
	done
	refuse_addresses "${gateway_options[@]}"
	[[ $nodes =~ ^[1-9][0-9]{0,2}$ ]] || fail "--nodes $nodes is not a number from 1 to 999"
	[[ $port =~ ^[1-9][0-9]{0,4}$ && $port -lt 65535 ]] || fail "--port $port is not a port"
}

build_gateway() {
	((wants_build)) || return 0
	say "Building in ${build#"$PWD"/}"
	local generator=()
	[[ -e $build/CMakeCache.txt ]] || generator=(-G Ninja -DTRACEGATE_TESTS=OFF)
	cmake -S "$root" -B "$build" "${generator[@]}" >"$scratch/cmake.log" 2>&1 ||
		{ cat "$scratch/cmake.log" >&2 && fail "cmake failed"; }
	cmake --build "$build" --parallel "$(nproc)" --target tracegate tgcli >"$scratch/build.log" 2>&1 ||
		{ tail -n 60 "$scratch/build.log" >&2 && fail "the build failed"; }
}

# Waits without a process of its own: nothing is ever written to that pipe.
pause() { read -r -t "$1" -u "$silence" _ || true; }

# Whether something accepts connections on that port of this machine.
is_busy() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints the first of the ports from $1 on with $2 free ones in a row.
find_ports() {
	local first=$1 i
	while ((first + $2 <= 65536)); do
		for ((i = 0; i < $2; i++)); do
			is_busy $((first + i)) && first=$((first + i + 1)) && continue 2
		done
		echo "$first" && return
	done
	return 1
}

# Prints the status of GET $2 on port $1 of this machine; nothing where nobody answers.
http_status() {
	local status
	{
		exec 3<>"/dev/tcp/127.0.0.1/$1" &&
			printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&3 &&
			read -r -t 2 _ status _ <&3 && echo "$status" && exec 3>&-
	} 2>/dev/null
	return 0
}

# Everything that was started, by process id; each is in a session of its own, so that a Ctrl-C of the terminal reaches
# only this script, and nodes end before the Redis they use.
scratch='' redis_pid='' node_pids=()
start_process() { # log file, command...; sets started_pid
	local log=$1
	shift
	setsid "$@" >"$log" 2>&1 </dev/null {silence}>&- &
	started_pid=$!
}

stop_everything() {
	trap 'kill -KILL "${node_pids[@]}" 2>/dev/null || true' INT TERM HUP
	local pid
	if ((${#node_pids[@]})); then
		say "Stopping ${#node_pids[@]} node(s); Ctrl-C again ends them at once"
		kill -TERM "${node_pids[@]}" 2>/dev/null || true
		for pid in "${node_pids[@]}"; do
			while kill -0 "$pid" 2>/dev/null; do wait "$pid" || true; done
		done
	fi
	if [[ -n $redis_pid ]]; then
		kill -TERM "$redis_pid" 2>/dev/null || true
		while kill -0 "$redis_pid" 2>/dev/null; do wait "$redis_pid" || true; done
	fi
	[[ -z $scratch ]] || rm -rf "$scratch"
}

# A reply of any kind proves a Redis; a wrong password is for the gateway to report. What redis-cli cannot ask (Sentinel,
# Unix sockets) is taken as it is.
redis_answers() {
	case $1 in
	redis://*) [[ $(timeout 3 redis-cli --no-auth-warning -u "$1" PING 2>&1) =~ PONG|NOAUTH|WRONGPASS|LOADING ]] ;;
	*) return 0 ;;
	esac
}

# Up to the last @, since a password may hold one.
without_password() { sed -E 's#//.*@#//***@#' <<<"$1"; }

# Prints the url that the gateway options or the environment give the nodes, the last of them; nothing where they give none.
redis_of_options() {
	local i name value url='' file=${TRACEGATE_REDIS_URL_FILE:-}
	for ((i = 0; i < ${#gateway_options[@]}; i++)); do
		name=${gateway_options[i]%%=*} value=${gateway_options[i]#*=}
		[[ ${gateway_options[i]} == *=* ]] || value=${gateway_options[i + 1]:-}
		case $name in
		--redis.url) url=$value file='' ;;
		--redis.url_file) url='' file=$value ;;
		esac
	done
	[[ -z $file ]] || url=$(head -n 1 "$file" 2>/dev/null) || url=$file
	[[ -z $url ]] || printf '%s\n' "$url"
}

# Where it is, to be shown; its port, where it is on this machine without a password.
redis_url='' redis_port=''
find_redis() {
	local url=${TRACEGATE_REDIS_URL:-redis://127.0.0.1:6379} wanted=6379
	redis_url=$(redis_of_options)
	if [[ -n $redis_url ]]; then
		say "Redis: as the gateway options say, $(without_password "$redis_url")"
		return
	fi
	redis_url=$url
	if redis_answers "$url"; then
		say "Redis: using the one at $(without_password "$url")"
		[[ $url =~ ^redis://([^@/]*@)?(127\.0\.0\.1|localhost)(:([0-9]+))?(/[0-9]*)?$ ]] && redis_port=${BASH_REMATCH[4]:-6379}
		export TRACEGATE_REDIS_URL=$url
		return
	fi
	[[ $url =~ ^redis://([^@/]*@)?(127\.0\.0\.1|localhost):([0-9]+) ]] && wanted=${BASH_REMATCH[3]}
	redis_port=$(find_ports "$wanted" 1) || fail "no free port for a private Redis"
	say "Redis: none answers at $(without_password "$url"); starting a private one on 127.0.0.1:$redis_port (keeps nothing on disk)"
	start_process "$scratch/redis.log" redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$scratch"
	redis_pid=$started_pid
	export TRACEGATE_REDIS_URL=redis://127.0.0.1:$redis_port
	wait_until "the private Redis" "$redis_pid" "$scratch/redis.log" redis_answers "$TRACEGATE_REDIS_URL"
}

# Waits until the command succeeds; ends the script when the process ends before, or after 30 seconds.
wait_until() { # what, pid, log, command...
	local what=$1 pid=$2 log=$3 deadline=$((SECONDS + 30))
	shift 3
	until "$@"; do
		kill -0 "$pid" 2>/dev/null || report_death "$what" "$pid" "$log"
		((SECONDS < deadline)) || { tail -n 20 "$log" >&2 && fail "$what is not ready after 30 seconds; the end of its log is above"; }
		pause 0.05
	done
}

# Says that a process ended by itself, and why as far as its log tells; forgets it, for its number may be another's soon.
report_death() { # what, pid, log
	local status=0 i
	wait "$2" 2>/dev/null || status=$?
	printf 'up.sh: %s ended by itself (exit status %s); the end of its log:\n' "$1" "$status" >&2
	tail -n 20 "$3" >&2
	[[ $redis_pid != "$2" ]] || redis_pid=''
	for i in "${!node_pids[@]}"; do
		[[ ${node_pids[$i]} != "$2" ]] || unset "node_pids[$i]"
	done
	exit 1
}

is_ready() { [[ $(http_status "$1" /readyz) == 200 ]]; }

# Nodes are counted from 1: node_pids[1] serves clients on node_ports[1] and its admin port on the next.
node_ports=() node_starts=()
start_node() { # number
	start_process "$scratch/node-$1.log" "$build/bin/tracegate" --listen "127.0.0.1:${node_ports[$1]}" \
		--admin.listen "127.0.0.1:$((node_ports[$1] + 1))" --node.name "node-$1" "${gateway_options[@]}"
	node_pids[$1]=$started_pid
	node_starts[$1]=$SECONDS
}

# With others beside it a node may be killed, to see what its clients do: it comes back, as it would in a cluster. One that ends
# as soon as it started has a fault.
restart_node() { # number
	local status=0
	((nodes > 1 && SECONDS - node_starts[$1] >= 2)) || report_death "node $1" "${node_pids[$1]}" "$scratch/node-$1.log"
	wait "${node_pids[$1]}" 2>/dev/null || status=$?
	start_node "$1"
	say "Node $1 ended (exit status $status) and was started again: process ${node_pids[$1]}"
}

start_nodes() {
	local i next=$port found
	for ((i = 1; i <= nodes; i++)); do
		found=$(find_ports "$next" 2) || fail "no two free ports from $next on"
		((found == next)) || say "Port $next or $((next + 1)) is taken: node $i uses $found and $((found + 1))"
		node_ports[i]=$found
		start_node "$i"
		next=$((found + 2))
	done
	for i in "${!node_pids[@]}"; do
		wait_until "node $i" "${node_pids[$i]}" "$scratch/node-$i.log" is_ready "$((node_ports[i] + 1))"
		say "Node $i (process ${node_pids[$i]}): ws://127.0.0.1:${node_ports[$i]}/v1/stream, admin http://127.0.0.1:$((node_ports[i] + 1)), log $scratch/node-$i.log"
	done
}

print_help() {
	local first=${node_ports[1]} cli
	cli="redis-cli -u $(without_password "$redis_url")"
	[[ -z $redis_port ]] || cli="redis-cli -p $redis_port"
	cat <<TEXT

Watch:    ${build#"$PWD"/}/bin/tgcli watch --url ws://127.0.0.1:$first --channel 'trace:*'
Publish:  $cli PUBLISH trace:s1 '{"sessionId":"s1","type":"tool.call"}'
Look:     curl -s http://127.0.0.1:$((first + 1))/metrics

TEXT
	say "tracegate is up: $nodes node(s) on port(s) ${node_ports[*]} (Ctrl-C stops it)"
}

# Returns never: a process that ends by itself is a fault, a signal runs the trap. It looks instead of waiting, because
# "wait -n" does not tell of a process that ended just before.
watch_processes() {
	local i
	while pause 0.2; do
		[[ -z $redis_pid ]] || kill -0 "$redis_pid" 2>/dev/null ||
			report_death "the private Redis" "$redis_pid" "$scratch/redis.log"
		for i in "${!node_pids[@]}"; do
			kill -0 "${node_pids[$i]}" 2>/dev/null || restart_node "$i"
		done
	done
}

parse_arguments "$@"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tracegate.XXXXXX")
trap stop_everything EXIT
trap 'exit 0' INT TERM HUP
mkfifo "$scratch/silence"
exec {silence}<>"$scratch/silence"
if ((wants_build)); then
	install_packages build run
else
	install_packages run
fi
build_gateway
[[ -x $build/bin/tracegate ]] || fail "there is no $build/bin/tracegate; build it first, or leave --no-build away"
find_redis
start_nodes
print_help
watch_processes
