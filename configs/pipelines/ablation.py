# What each of NAS-BNN's strategies brings on small images: a supernet with all of them and with each one left out, from one
# seed under one budget; the scores of 100 random networks of each; and, for the full version, Kendall's tau between
# inherited scores and training alone. DATA_ROOT holds train/CLASS/*.jpg and val/CLASS/*.jpg of 32 px.
_base_ = []  # tells MMEngine that the import below is meant to run

from nasbnn_det.pipeline.stages import data, train

data_root = 'data/cls_tiny'
supernet = 'configs/supernet/ablation/nasbnn-supernet-small_1xb64-12e_imagefolder-32.py'
variants = dict(
    all={},
    no_bi_teacher={'model.bi_teacher': False},
    no_bi_transform={'model.binarization': 'standardized'},
    no_weight_norm={
        'model.binarization.weights.type': 'nasbnn',
        'model.binarization.weights.bi_transform': True,
        'model.binarization.weights.standardize': False,
    },
    no_nd={'model.non_decreasing': False})

stages = []
for variant, options in variants.items():
    stages.append(train(variant, supernet, data(), options))
    stages.append(dict(
        name=f'{variant}_scores',
        tool='tools/analysis_tools/score_subnets.py',
        args=[supernet, '{' + variant + '.checkpoint}', '--num', '100', '--shape', '32', '32', '--work-dir',
              '{stage_dir}'],
        cfg_options={**data(), **options}))
stages.append(dict(
    name='rank_correlation',
    tool='tools/analysis_tools/rank_correlation.py',
    args=['configs/finetune/nasbnn-scratch_1xb64-12e_imagefolder-32.py', '{all_scores}/scores.json', '--num', '8',
          '--work-dir', '{stage_dir}'],
    cfg_options=data()))
