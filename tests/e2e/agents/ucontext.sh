# What the agents have in common: reading the context, and pauses.

# ucontext KEY FILE: print the value of a key of the first ucernvm section.
#
# As in CernVM's parser, a marker is a whole line, keys are caseless, the value
# begins behind the first "=", and yes, on and true are 1.
ucontext() {
    awk -v wanted="$1" '
        $0 == "[ucernvm-end]" { exit }
        inside {
            split_at = index($0, "=")
            if (split_at && toupper(substr($0, 1, split_at - 1)) == toupper(wanted))
                value = substr($0, split_at + 1)
        }
        $0 == "[ucernvm-begin]" { inside = 1 }
        END {
            if (toupper(value) ~ /^(YES|ON|TRUE)$/) value = 1
            print value
        }' "$2"
}

# is_master FILE: say whether the context is that of a master; all others are workers.
is_master() {
    case $(ucontext cvm_cluster_master "$1") in
    true | True | 1 | yes) return 0 ;;
    *) return 1 ;;
    esac
}

# keys_url FILE: print the URL of the keys of the cluster, or nothing without a PIN.
keys_url() {
    url=$(ucontext cvm_service_url "$1")
    pin=$(ucontext cvm_cluster_pin "$1")
    [ -z "$pin" ] ||
        echo "${url:-https://cernvm-online.cern.ch}/api/v1/clusters/$pin/keys"
}

# pause SECONDS: sleep that long and up to 9 seconds more, or as long as $PAUSE says.
pause() {
    sleep "${PAUSE:-$(($1 + $(tr -dc 0-9 </dev/urandom | head -c 1)))}"
}

# post TRIES SECONDS URL KEY VALUE: post a key until it is answered with 201.
#
# Any other answer, or none, is tried again in the same way: 409 and 404 too.
post() {
    tries=${TRIES:-$1}
    while [ "$tries" -gt 0 ]; do
        status=$(curl -s -o /dev/null -w '%{http_code}' -X POST \
            -H 'Content-Type: application/json' \
            -d "{ \"key\": \"$4\", \"value\": \"$5\" }" "$3")
        [ "$status" = 201 ] && return 0
        echo "$4: status $status"
        pause "$2"
        tries=$((tries - 1))
    done
    return 1
}

# get TRIES SECONDS URL KEY: print a key as "KEY: VALUE", once it is answered with 200.
get() {
    tries=${TRIES:-$1}
    while [ "$tries" -gt 0 ]; do
        # The body has no newline at its end; the status is the last line.
        answer=$(curl -s -H 'Accept: text/plain' -w '\n\n%{http_code}' "$3/$4")
        status=$(printf '%s\n' "$answer" | tail -n 1)
        if [ "$status" = 200 ]; then
            printf '%s\n' "$answer" | head -n 1
            return 0
        fi
        echo "$4: status $status" >&2
        pause "$2"
        tries=$((tries - 1))
    done
    return 1
}
