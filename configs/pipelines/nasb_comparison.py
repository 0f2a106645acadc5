# Is the found network better than the plain one? The search on 32 px images by class; then the plain binary ResNet-18,
# the found one, and the found one with two bases, each trained alone from random weights under one budget, with three
# seeds. DATA_ROOT holds train/CLASS/*.jpg and val/CLASS/*.jpg. Results are in runs.jsonl of each stage, sums in
# report.md.
_base_ = []  # tells MMEngine that the import below is meant to run

from nasbnn_det.pipeline.stages import data, found_cells, nasb_stages

data_root = 'data/cls_tiny'
pretrain = 'configs/nasb/nasb-pretrain-r18-tiny_1xb64-2e_imagefolder-32.py'
search = 'configs/nasb/nasb-search-r18-tiny_1xb64-6e_imagefolder-32.py'
alone = 'configs/nasb/nasb-plain-r18-tiny_1xb64-10e_imagefolder-32.py'
variants = dict(plain={}, nasb=found_cells(), nasb_two_bases={**found_cells(), 'model.backbone.num_bases': 2})

stages = nasb_stages(pretrain, search, alone, 32, data()) + [
    dict(
        name=name,
        tool='tools/analysis_tools/repeat_training.py',
        args=[alone, '--seeds', '0', '1', '2', '--shape', '32', '32', '--work-dir', '{stage_dir}'],
        cfg_options={**data(), **options}) for name, options in variants.items()
]
