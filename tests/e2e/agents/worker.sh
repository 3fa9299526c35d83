# worker.sh CONTEXT: wait for the master and put its address into the context, as
# the worker's boot loader does. Whatever comes of it, the boot goes on.
#
# AWAIT="master_ip" makes it the service for cloud-init, which does not wait until
# the master is ready.
. "$(dirname "$0")/ucontext.sh"

! is_master "$1" || { echo "not a worker" && exit 0; }
keys=$(keys_url "$1")
[ -n "$keys" ] || { echo "no cluster pin" && exit 0; }

for key in ${AWAIT:-master_ready master_ip}; do
    answer=$(get 50 25 "$keys" "$key") || {
        echo "warning: gave up waiting for $key"
        exit 0
    }
done
address=$(printf '%s\n' "$answer" | sed 's/master_ip: //g')
sed -i "s/###MASTER_IP_PLACEHOLDER###/$address/g" "$1"
echo "replaced by $address"
