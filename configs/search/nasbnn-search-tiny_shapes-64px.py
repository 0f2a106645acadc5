# Searches the supernet of ../supernet. Give its checkpoint:
#   --cfg-options train_cfg.supernet=work_dirs/.../epoch_5.pth
_base_ = '../supernet/nasbnn-supernet-tiny_1xb64-5e_shapes-64px.py'

train_cfg = dict(
    _delete_=True,
    type='nasbnn_det.EvolutionSearchLoop',
    supernet='work_dirs/nasbnn-supernet-tiny_1xb64-5e_shapes-64px/epoch_5.pth',
    ops_range=(0.5, 4.0),
    input_size=(64, 64),
    recalibration_batches=8,
    evolution=dict(num_random=24, num_mutants=8, num_crossovers=8, generations=3, bucket=0.25e6),
    seed=0)
# Recalibration sees what the network will see: no augmentation.
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=_base_.test_pipeline))
