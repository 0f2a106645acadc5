# What each of NAS-BNN's strategies brings on small images: a supernet with all of them and with each one left out, from one
# seed under one budget; the scores of 100 random networks of each; and, for the full version, Kendall's tau between
# inherited scores and training alone. DATA_ROOT holds train/CLASS/*.jpg and val/CLASS/*.jpg of 32 px.
data_root = 'data/cls_tiny'

_name = 'configs/supernet/ablation/nasbnn-supernet-small{}_1xb64-12e_imagefolder-32px.py'
_variants = dict(
    all='', no_bi_teacher='_no-bi-teacher', no_bi_transform='_no-bi-transform', no_weight_norm='_no-weight-norm',
    no_nd='_no-nd')
cls_data = {
    'train_dataloader.dataset.data_root': '{data_root}',
    'val_dataloader.dataset.data_root': '{data_root}',
}

stages = []
for _variant, _part in _variants.items():
    stages.append(dict(
        name=_variant,
        tool='tools/train.py',
        args=[_name.format(_part), '--work-dir', '{stage_dir}'],
        cfg_options=cls_data,
        resume=True))
    stages.append(dict(
        name=f'{_variant}_scores',
        tool='tools/analysis_tools/score_subnets.py',
        args=[_name.format(_part), '{' + _variant + '.checkpoint}', '--num', '100', '--shape', '32', '32',
              '--work-dir', '{stage_dir}'],
        cfg_options=cls_data))
stages.append(dict(
    name='rank_correlation',
    tool='tools/analysis_tools/rank_correlation.py',
    args=['configs/finetune/nasbnn-scratch_1xb64-12e_imagefolder-32.py', '{all_scores}/scores.json', '--num', '8',
          '--work-dir', '{stage_dir}'],
    cfg_options=cls_data))
