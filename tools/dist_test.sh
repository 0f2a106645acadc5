#!/usr/bin/env bash
# Evaluates on several GPUs of one machine: dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py].
set -e
USAGE='usage: dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]'
python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" --nproc_per_node="${3:?$USAGE}" \
    "$(dirname "$0")/test.py" "${1:?$USAGE}" "${2:?$USAGE}" --launcher pytorch "${@:4}"
