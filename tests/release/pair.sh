#!/bin/sh
# pair.sh BIN DIRECTORY ENDPOINT URL [OPTION...]: start a daemon, have a master and a
# worker pair, stop it. BIN has the commands; the options are for those that ask.
set -eu
bin=$1 directory=$2 endpoint=$3
export CVMPAIR_SERVICE_URL="$4"
shift 4

"$bin/twistd" --nodaemon --pidfile= cvmpair --listen "$endpoint" \
    --state-dir "$directory/state" >"$directory/daemon.log" 2>&1 &
daemon=$!
trap 'kill $daemon 2>/dev/null || true' EXIT
umask 077
until "$bin/cvmpair" new "$@" >"$directory/pin" 2>"$directory/new.log"; do
    kill -0 $daemon || { cat "$directory/daemon.log" >&2; exit 1; }
    sleep 0.2
done

agent() {
    root=$directory/$1 command=$2
    shift 2
    "$bin/cvmpair-agent" "$command" --root "$root" "$@"
}
for role in master worker; do
    mkdir -p "$directory/$role/etc"
    echo "$role" >"$directory/$role/etc/machine-id"
    "$bin/cvmpair" context --pin-file "$directory/pin" --role $role \
        --output "$directory/$role/context" 2>/dev/null
done
echo 'join ###MASTER_IP_PLACEHOLDER###' >"$directory/worker/script"
agent worker pair --context-file /context --patch /script "$@" &
worker=$!
agent master pair --context-file /context --address 10.10.25.5 "$@"
agent master ready "$@"
wait $worker
cat "$directory/worker/script"
kill -TERM $daemon
wait $daemon
echo stopped
