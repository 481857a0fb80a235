#!/usr/bin/env bash
# Runs a binary in what deploy/Dockerfile's last stage holds, where no image can be built or pulled:
#
#   deploy/prove-image.sh target/release/segmenta
#
# Mounts what image-root.sh makes read-only in namespaces of its own, and there, as user 65532 without any capability, runs the
# README's job, and a coordinator with a worker that get the same job. Both results have to be the same bytes. Needs root and
# util-linux. Where there is no Debian 13 to be had the libraries of this machine stand in, and the last line says so.
set -euo pipefail

binary="$(realpath "${1:?usage: deploy/prove-image.sh BINARY}")"
project="$(realpath "$(dirname "$0")/..")"
[ "$(id -u)" = 0 ] || { echo "prove-image: has to be root, to mount and to become user 65532" >&2; exit 1; }

work="$(mktemp -d)"
pids=()
# The process in the namespaces of an unshare, which itself heeds no signal.
inner_of() { cut -d' ' -f1 "/proc/$1/task/$1/children"; }
cleanup() {
    for pid in "${pids[@]}"; do kill -KILL "$(inner_of "$pid")" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap cleanup EXIT
fail() { printf 'prove-image: %s\n' "$*" >&2; exit 1; }

root="$work/root"
base="$("$project/deploy/image-root.sh" "$binary" "$root")"
mkdir -p "$root"/{config,scratch,project/examples,project/runs}

# What the volumes of a pod are here. The job's outputs are all that is kept.
mkdir -p "$work"/{runs,shared,config}
chown 65532:65532 "$work"/{runs,shared}

# contained SCRATCH ARGUMENT...: the binary in that root, with SCRATCH as its only writable folder beside the outputs.
contained() {
    local scratch="$1"
    shift
    # The namespaces end with the process that unshare starts; the mounts are in none but them.
    exec env -i ROOT="$root" WORK="$work" PROJECT="$project" SCRATCH="$scratch" PATH="$PATH" \
        unshare --mount --pid --fork --kill-child=SIGTERM -- bash -euc '
        mount --make-rprivate /
        mount --bind "$ROOT" "$ROOT"
        mount -t tmpfs -o size=64k,mode=755 dev "$ROOT/dev"
        for device in null zero random urandom; do : >"$ROOT/dev/$device"; mount --bind "/dev/$device" "$ROOT/dev/$device"; done
        mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
        mount -t tmpfs -o size=1g,mode=1777,nosuid,nodev scratch "$ROOT$SCRATCH"
        mount --bind "$PROJECT/examples" "$ROOT/project/examples"
        mount -o remount,bind,ro "$ROOT/project/examples"
        mount --bind "$WORK/runs" "$ROOT/project/runs"
        mount --bind "$WORK/config" "$ROOT/config"
        mount -o remount,bind,ro "$ROOT"
        ! touch "$ROOT/written" 2>/dev/null || { echo "the root can be written to" >&2; exit 1; }
        exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid --inh-caps=-all \
            env -i PATH=/usr/local/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt TMPDIR="$SCRATCH" \
            "$(command -v chroot)" --userspec=65532:65532 --groups= "$ROOT" /usr/local/bin/segmenta "$@"
    ' segmenta "$@"
}

tables() { (cd "$1" && find . -path ./_work -prune -o -name '*.parquet' -print | LC_ALL=C sort | xargs sha256sum); }

echo "== a job in one process, on a read-only root"
(contained /tmp --version)
(contained /tmp run /project/examples/cdnow.yaml) >"$work/run.out" 2>"$work/run.err" || { cat "$work/run.err" >&2; fail "the job failed"; }
tail -n 3 "$work/run.out"
[ -f "$work/runs/cdnow/manifest.json" ] || fail "no manifest was published"
[ "$(stat -c %u "$work/runs/cdnow/manifest.json")" = 65532 ] || fail "the results are not user 65532's"
tables "$work/runs/cdnow" >"$work/embedded.sums"
[ -s "$work/embedded.sums" ] || fail "no tables were published"
rm -rf "$work/runs/cdnow"

echo "== the same job on a coordinator and a worker, each in such a root"
cat >"$work/config/coordinator.toml" <<TOML
listen = "127.0.0.1:28050"
scheduler_listen = "127.0.0.1:28060"
probe_listen = "127.0.0.1:28080"
state = "file:///project/runs/state/"
allow = ["file:///project/examples/", "file:///project/runs/cdnow/"]
memory = "1GiB"
TOML
cat >"$work/config/worker.toml" <<TOML
scheduler = "127.0.0.1:28060"
flight_port = 28061
task_port = 28062
probe_listen = "127.0.0.1:28081"
work_dir = "/scratch"
memory = "1GiB"
TOML
(contained /tmp coordinator --config /config/coordinator.toml) >"$work/coordinator.log" 2>&1 &
pids+=($!)
(contained /scratch worker --config /config/worker.toml) >"$work/worker.log" 2>&1 &
pids+=($!)

# ask PORT PATH: whether an HTTP probe is answered with 200.
ask() { exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET %s HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n' "$2" >&3 && head -n 1 <&3 | grep -q ' 200 '; }
for port in 28080 28081; do
    for _ in $(seq 150); do
        if (ask "$port" /readyz) 2>/dev/null; then ready="$port"; break; fi
        sleep 0.1
    done
    [ "${ready:-}" = "$port" ] || { cat "$work"/*.log >&2; fail "nothing is ready at port $port"; }
done
for pid in "${pids[@]}"; do
    inner="$(inner_of "$pid")"
    for line in 'Uid:.65532.65532.65532.65532' 'CapEff:.0000000000000000' 'NoNewPrivs:.1'; do
        grep -q "^$line" "/proc/$inner/status" || fail "process $inner is not as contained as it should be: no line $line"
    done
done
(contained /tmp submit /project/examples/cdnow.yaml --coordinator http://127.0.0.1:28050 --wait) >"$work/submit.out" 2>"$work/submit.err" ||
    { cat "$work/submit.err" "$work"/*.log >&2; fail "the job failed"; }
tail -n 1 "$work/submit.out"
tables "$work/runs/cdnow" >"$work/cluster.sums"
cmp "$work/embedded.sums" "$work/cluster.sums" || fail "the cluster's tables are others than those of one process"

echo "== both stop when they are asked to"
for pid in "${pids[@]}"; do kill -TERM "$(inner_of "$pid")"; done
for pid in "${pids[@]}"; do wait "$pid" || { cat "$work"/*.log >&2; fail "a process ended with an error after SIGTERM"; }; done
pids=()
grep -h 'stopp' "$work"/{coordinator,worker}.log
echo "proved with libraries that are $base; not proved here: docker build itself"
