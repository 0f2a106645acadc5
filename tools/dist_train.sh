#!/usr/bin/env bash
# Trains or searches on several GPUs of one machine: dist_train.sh CONFIG GPUS [arguments of train.py].
# NNODES, NODE_RANK, MASTER_ADDR and PORT make it several machines. Without a GPU, supernet training and search run over gloo.
set -e
CONFIG=${1:?usage: dist_train.sh CONFIG GPUS [arguments of train.py]}
GPUS=${2:?usage: dist_train.sh CONFIG GPUS [arguments of train.py]}
python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" --nproc_per_node="$GPUS" \
    "$(dirname "$0")/train.py" "$CONFIG" --launcher pytorch "${@:3}"
