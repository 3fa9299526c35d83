# master.sh CONTEXT ADDRESS: publish the address of this machine, as the master's
# boot loader does. Whatever comes of it, the boot goes on.
. "$(dirname "$0")/ucontext.sh"

is_master "$1" || { echo "not a master" && exit 0; }
keys=$(keys_url "$1")
[ -n "$keys" ] || { echo "no cluster pin" && exit 0; }

if post 50 25 "$keys" master_ip "$2"; then
    echo "published $2"
else
    echo "warning: could not publish the address"
fi
