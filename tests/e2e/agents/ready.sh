# ready.sh CONTEXT: tell the workers that the master is ready, as its last service
# does at the end of the boot.
. "$(dirname "$0")/ucontext.sh"

is_master "$1" || { echo "not a master" && exit 0; }
keys=$(keys_url "$1")
[ -n "$keys" ] || { echo "no cluster pin" && exit 0; }

if post 10 25 "$keys" master_ready yes; then
    echo "announced"
else
    echo "could not announce that the master is ready"
fi
