# What pretraining brings: the same detector from a random backbone, from the supernet (deployment A) and fine-tuned
# (deployment B), three seeds each, on ShapesCOCO at a short schedule.
_base_ = []  # tells MMEngine that the import below is meant to run

from nasbnn_det.pipeline.stages import (
    comparison,
    data,
    detector_data,
    finetune,
    found,
    made_shapes,
    pretrained,
    search_stages,
    train,
)

data_root = 'data/shapes'
supernet = 'configs/supernet/nasbnn-supernet-tiny_1xb32-3e_shapes-48.py'
search = 'configs/search/nasbnn-search-tiny_shapes-48.py'
tuning = 'configs/finetune/nasbnn-tiny_1xb64-12e_shapes-48.py'
detector = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'
short = {'train_cfg.max_epochs': 4, 'train_cfg.val_interval': 4}
starts = dict(
    random={}, supernet=pretrained('{extract}/subnet.pth'), finetuned=pretrained('{finetune.checkpoint}'))
runs = [(name, f'{name}_{seed}') for name in starts for seed in range(3)]

stages = [made_shapes(), *search_stages(supernet, search, 48, data()), finetune(tuning, detector_data())]
for seed in range(3):
    for name, start in starts.items():
        stages.append(train(f'{name}_{seed}', detector, detector_data(), found(), short, start, {'randomness.seed': seed}))
stages.append(comparison(*runs))
